//! The statements that track a table, from one template. All that comes from the table is quoted by the database.

use super::table::{Parts, Table};

const FUNCTION: &str = include_str!("function.sql");
const BODY: &str = include_str!("body.sql");
const PAIRS: &str = include_str!("pairs.sql");
const TRIGGERS: &str = include_str!("triggers.sql");
const CASCADE: &str = include_str!("cascade.sql");

/// The names of all triggers that may be on a table.
pub(super) const NAMES: [&str; 5] = [
    "gesta_capture_insert",
    "gesta_capture_update",
    "gesta_capture_delete",
    "gesta_capture_truncate",
    "gesta_capture_cascade",
];

/// What a function's comment begins with; the options follow.
pub(super) const COMMENT: &str = "Records changes of the table whose triggers call it. Options: ";

/// Fills the places of a template, in one pass: what is put in may hold braces of its own.
fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let place = places.iter().find_map(|(name, text)| {
            let tail = rest[1..].strip_prefix(name)?.strip_prefix('}')?;
            Some((tail, *text))
        });
        rest = match place {
            Some((tail, text)) => {
                filled.push_str(text);
                tail
            }
            None => {
                filled.push('{');
                &rest[1..]
            }
        };
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
fn remove(table: &Table) -> String {
    let mut script = String::new();
    for (trigger, relation) in &table.triggers {
        script.push_str(&format!("DROP TRIGGER IF EXISTS {trigger} ON {relation};\n"));
    }
    script
}

/// The statements that end a tracking: no trigger, no function, no right to read the table.
pub(super) fn untrack(table: &Table) -> String {
    let mut script = remove(table);
    for relation in &table.relations {
        script.push_str(&format!("REVOKE SELECT ON {relation} FROM gesta_capture;\n"));
    }
    script.push_str("SET LOCAL ROLE gesta_owner;\n");
    script.push_str(&format!("DROP FUNCTION {}();\n", table.function));
    script.push_str(&format!("SET LOCAL ROLE {};\n", table.operator));
    script
}

/// All statements that track a table.
pub(super) fn track(table: &Table, parts: &Parts) -> String {
    let check = if table.is_partitioned { PAIRS } else { "" };
    let body = fill(
        BODY,
        &[
            ("options", &parts.options),
            ("type", &parts.kind),
            ("shape", &parts.shape),
            ("check", check),
            ("count", &parts.count),
            ("insert", &parts.insert),
            ("update", &parts.update),
            ("delete", &parts.delete),
        ],
    );
    let places = [("function", table.function.as_str()), ("body", &dollar_quoted(&body))];
    let mut script = remove(table);
    script.push_str(&format!("GRANT USAGE ON SCHEMA {} TO gesta_capture;\n", table.schema));
    script.push_str("SET LOCAL ROLE gesta_owner;\n");
    script.push_str(&fill(FUNCTION, &places));
    let function = &table.function;
    script.push_str(&format!("COMMENT ON FUNCTION {function}() IS {};\n", parts.comment));
    script.push_str(&format!("ALTER FUNCTION {function}() OWNER TO gesta_capture;\n"));
    script.push_str(&format!("REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;\n"));
    script.push_str(&format!("SET LOCAL ROLE {};\n", table.operator));
    for relation in &table.relations {
        script.push_str(&fill(TRIGGERS, &[("relation", relation), ("function", function)]));
    }
    if table.cascades_to_itself {
        script.push_str(&fill(CASCADE, &[("relation", &table.relation), ("function", function)]));
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_not_filled_again() {
        let filled = fill("a {x} {y} {z} {", &[("x", "{y}"), ("y", "{x}")]);
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
