//! The statements that track a table, from one template. All that comes from the table is quoted by the database.

use super::table::{Parts, Table};

const FUNCTION: &str = include_str!("function.sql");
const BODY: &str = include_str!("body.sql");
const MOVES: &str = include_str!("moves.sql");
const CASCADES: &str = include_str!("cascades.sql");
const TRIGGERS: &str = include_str!("triggers.sql");
const CASCADE: &str = include_str!("cascade.sql");
const MOVE: &str = include_str!("move.sql");
const UNTRACK: &str = include_str!("untrack.sql");

/// The names of all triggers that may be on a table.
pub(super) const NAMES: [&str; 6] = [
    "gesta_capture_insert",
    "gesta_capture_update",
    "gesta_capture_delete",
    "gesta_capture_truncate",
    "gesta_capture_cascade",
    "gesta_capture_move",
];

/// What a function's comment begins with; the options follow.
pub(super) const COMMENT: &str = "Records changes of the table whose triggers call it. Options: ";

/// Fills the places of a template, in one pass: what is put in may hold braces of its own.
fn fill(template: &str, places: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let place = places.iter().find_map(|(name, text)| {
            let tail = rest.strip_prefix(name)?.strip_prefix('}')?;
            Some((tail, text.as_str()))
        });
        let (tail, text) = place.unwrap_or((rest, "{"));
        filled.push_str(text);
        rest = tail;
    }
    filled + rest
}

/// A text in dollar quotes that it does not hold itself.
fn dollar_quoted(text: &str) -> String {
    let mut tag = String::from("$capture$");
    while text.contains(&tag[..tag.len() - 1]) {
        tag.insert(tag.len() - 1, '_');
    }
    format!("{tag}{text}{tag}")
}

/// The statements that remove the triggers of an earlier tracking.
fn drop_triggers(table: &Table) -> String {
    let drop = |(trigger, relation): &(String, String)| {
        format!("DROP TRIGGER IF EXISTS {trigger} ON {relation};\n")
    };
    table.triggers.iter().map(drop).collect()
}

/// The statements that end a tracking: no trigger, no function, no right to read the table.
pub(super) fn untrack(table: &Table) -> String {
    let revoke = |relation: &String| format!("REVOKE SELECT ON {relation} FROM gesta_capture;\n");
    let revoke: String = table.relations.iter().map(revoke).collect();
    let places = [
        ("drop", drop_triggers(table)),
        ("revoke", revoke),
        ("function", table.function.clone()),
        ("operator", table.operator.clone()),
    ];
    fill(UNTRACK, &places)
}

/// All statements that track a table.
pub(super) fn track(table: &Table, parts: &Parts) -> String {
    let place = |name: &'static str, text: &str| (name, text.to_owned());
    let places = [
        place("drop", &drop_triggers(table)),
        place("schema", &table.schema),
        place("function", &table.function),
        place("body", &dollar_quoted(&body(table, parts))),
        place("comment", &parts.comment),
        place("operator", &table.operator),
    ];
    let mut script = fill(FUNCTION, &places);
    let on =
        |relation: &String| [("relation", relation.clone()), ("function", table.function.clone())];
    for relation in &table.relations {
        script.push_str(&fill(TRIGGERS, &on(relation)));
    }
    if table.cascades_to_itself {
        script.push_str(&fill(CASCADE, &on(&table.relation)));
    }
    if let [Some(old), Some(new)] = &parts.partition_key {
        let [relation, function] = on(&table.relation);
        let places = [relation, function, place("old_part", old), place("new_part", new)];
        script.push_str(&fill(MOVE, &places));
    }
    script
}

/// What stands between the quotes of the function.
fn body(table: &Table, parts: &Parts) -> String {
    let moves = if table.is_partitioned { MOVES } else { "" };
    let cascades = if table.cascades_to_itself { CASCADES } else { "" };
    let places = [
        ("options", &parts.options),
        ("type", &parts.kind),
        ("shape", &parts.shape),
        ("moves", &moves.to_owned()),
        ("cascades", &cascades.to_owned()),
        ("count", &parts.count),
        ("insert", &parts.insert),
        ("update", &parts.update),
        ("delete", &parts.delete),
    ]
    .map(|(name, text)| (name, text.clone()));
    fill(BODY, &places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_not_filled_again() {
        let filled = fill("a {x} {y} {z} {", &[("x", "{y}".into()), ("y", "{x}".into())]);
        assert_eq!(filled, "a {y} {x} {z} {");
    }

    #[test]
    fn quotes_are_not_ended_from_inside() {
        assert_eq!(dollar_quoted("x"), "$capture$x$capture$");
        let hostile = "x$capture$; DROP TABLE y; $capture_$";
        assert_eq!(dollar_quoted(hostile), format!("$capture__${hostile}$capture__$"));
        assert_eq!(dollar_quoted("x$capture"), "$capture_$x$capture$capture_$");
    }
}
