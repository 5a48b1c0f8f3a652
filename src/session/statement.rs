//! The statements of a session. What stands in braces are quoted names and lists of them, and the caller's own condition.
//!
//! Old rows are those that are locked, not those that the statement's snapshot shows: `FOR NO KEY UPDATE` waits for
//! whoever changes the row, and then gives what was committed. The UPDATE that follows finds the same row by its key.

use super::shape::{Columns, Shape};
use crate::store::table::{Write, literal, quoted};

/// Columns of an object; a function has at most 100 arguments, a name and a value for each column.
const OBJECT_LEN_MAX: usize = 50;

/// Marks the table that the session is changing itself, for triggers: they stay silent about it.
pub(super) const MARK: &str = "-- session::mark
SELECT set_config('gesta.recorded', to_regclass($1)::oid::text, true)";

pub(super) const UNMARK: &str = "-- session::unmark
SELECT set_config('gesta.recorded', '', true)";

pub(super) const CLOCK: &str = "-- session::clock
SELECT clock_timestamp()";

pub(super) const FIND: &str = "-- session::find
SELECT {json}(t.*)
FROM {table} AS t
WHERE t.{key} = $1::text::{kind}";

/// Inserts what is not there, updates what is there and different, and says of each document what became of it. What is
/// neither found nor inserted was inserted by somebody else meanwhile, or is the second of two with the same key: the
/// caller sends it again. Rows are locked in the order of their keys, so that two saves of the same rows do not deadlock.
/// `*<>` compares the bytes of values: it works for every type, and a row that is the same is not touched.
const SAVE: &str = "-- session::save
WITH document AS MATERIALIZED (
    SELECT e.n, json_populate_record(NULL::{table}, e.doc) AS r
    FROM json_array_elements($1) WITH ORDINALITY AS e (doc, n)
), given AS MATERIALIZED (
    SELECT d.n, d.r, row_number() OVER (PARTITION BY (d.r).{key} ORDER BY d.n) AS nth
    FROM document AS d
), was AS MATERIALIZED (
    SELECT g.n, g.r, {found} AS version, {json}(t.*) AS row
    FROM given AS g
    JOIN {table} AS t ON t.{key} = (g.r).{key}
    WHERE g.nth = 1
    ORDER BY t.{key}
    FOR NO KEY UPDATE OF t
), changed AS (
    UPDATE {table} AS t SET {set}
    FROM was AS w
    WHERE t.{key} = (w.r).{key} AND {differs}{fresh}
    RETURNING w.n, {json}(t.*) AS row, clock_timestamp() AS at
), added AS (
    INSERT INTO {table} AS t ({insert}) OVERRIDING SYSTEM VALUE
    SELECT {values}
    FROM given AS g
    WHERE g.nth = 1 AND NOT EXISTS (SELECT FROM was AS w WHERE w.n = g.n)
    ORDER BY (g.r).{key}
    ON CONFLICT ({key}) DO NOTHING
    RETURNING t.{key} AS key, {json}(t.*) AS row, clock_timestamp() AS at
)
SELECT g.n, {given}, w.version, w.row, coalesce(c.row, a.row), coalesce(c.at, a.at)
FROM given AS g
LEFT JOIN was AS w ON w.n = g.n
LEFT JOIN changed AS c ON c.n = g.n
LEFT JOIN added AS a ON a.key = (g.r).{key} AND g.nth = 1
ORDER BY g.n";

/// For documents whose key the database makes.
const INSERT: &str = "-- session::insert
WITH given AS MATERIALIZED (
    SELECT e.n, json_populate_record(NULL::{table}, e.doc) AS r
    FROM json_array_elements($1) WITH ORDINALITY AS e (doc, n)
)
INSERT INTO {table} AS t ({insert}) OVERRIDING SYSTEM VALUE
SELECT {values}
FROM given AS g
ORDER BY g.n
RETURNING {json}(t.*), clock_timestamp()";

/// Of the old row the columns that the statement sets or the database computes are told; all of them where another one may
/// change as well: by a row trigger that runs before it (bits 1 and 2) on UPDATE (16), or on INSERT (4) where a row may move
/// to a partition; by a rule; as a view or foreign table; or because a computed column has come since. The statement asks
/// while it holds its lock, behind which no trigger and no column can come; but a snapshot older than the lock, as of another
/// isolation level, would not show them. The locked rows are no CTE, which would be written down before it is read.
const UPDATE: &str = "-- session::update
UPDATE {table} AS t SET {set}
FROM (
    SELECT t.{key} AS key, CASE
        WHEN (
            SELECT current_setting('transaction_isolation') <> 'read committed' OR EXISTS (
                WITH RECURSIVE part AS (
                    SELECT to_regclass({name})::oid AS oid
                    UNION
                    SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN part AS p ON p.oid = i.inhparent
                )
                SELECT FROM part AS p
                JOIN pg_catalog.pg_class AS c ON c.oid = p.oid
                WHERE c.relkind NOT IN ('r', 'p') OR c.relhasrules
                    OR EXISTS (
                        SELECT FROM pg_catalog.pg_trigger AS g
                        WHERE g.tgrelid = c.oid AND (g.tgtype & 19 = 19 OR c.relispartition AND g.tgtype & 7 = 7)
                    )
                    OR EXISTS (
                        SELECT FROM pg_catalog.pg_attribute AS a
                        WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
                            AND a.attname <> ALL (ARRAY[{computed}]::name[])
                    )
            )
        ) THEN {json}(t.*)
        ELSE {old}
    END AS old
    FROM {table} AS t
    WHERE (
{condition}
    )
    FOR NO KEY UPDATE
) AS w, json_populate_record(NULL::{table}, {last}::json) AS p
WHERE t.{key} = w.key AND {differs}
RETURNING w.old, {json}(t.*), clock_timestamp()";

const DELETE: &str = "-- session::delete
DELETE FROM {table} AS t
WHERE (
{condition}
)
RETURNING {json}(t.*), clock_timestamp()";

/// Saves documents that have these columns, the key among them.
pub(super) fn save(shape: &Shape, columns: &Columns) -> String {
    let version = shape.version.as_deref();
    let part = |template: &str| version.map(|version| fill(template, &[("version", version)]));
    let set = set(shape, columns, "(w.r)");
    let part_or_null = |template| part(template).unwrap_or_else(|| "NULL::text".to_owned());
    fill(
        SAVE,
        &[
            ("table", &shape.table.sql),
            ("key", &shape.key),
            ("json", shape.json),
            ("set", &set),
            ("differs", &differs(columns, "(w.r)")),
            ("insert", &columns.insert.join(", ")),
            ("values", &list(&columns.insert, "(g.r).")),
            ("found", &part_or_null("t.{version}::text")),
            ("given", &part_or_null("(g.r).{version}::text")),
            ("fresh", &part(" AND t.{version} = (w.r).{version}").unwrap_or_default()),
        ],
    )
}

/// Inserts documents that have these columns, the key not among them.
pub(super) fn insert(shape: &Shape, columns: &Columns) -> String {
    fill(
        INSERT,
        &[
            ("table", &shape.table.sql),
            ("json", shape.json),
            ("insert", &columns.insert.join(", ")),
            ("values", &list(&columns.insert, "(g.r).")),
        ],
    )
}

/// Updates the rows of a condition; the patch is the parameter after the condition's.
pub(super) fn update(shape: &Shape, columns: &Columns, condition: &str, last: usize) -> String {
    fill(
        UPDATE,
        &[
            ("old", &old(shape, columns)),
            ("name", &literal(&shape.table.sql)),
            ("computed", &computed(shape)),
            ("table", &shape.table.sql),
            ("key", &shape.key),
            ("json", shape.json),
            ("set", &set(shape, columns, "p")),
            ("differs", &differs(columns, "p")),
            ("condition", condition),
            ("last", &format!("${last}")),
        ],
    )
}

/// The old values of the columns that an update sets or the database computes, as an object.
fn old(shape: &Shape, columns: &Columns) -> String {
    let set = |name: &String| columns.set.contains(name) || Some(name) == shape.version.as_ref();
    let mut object = Vec::new();
    for column in &shape.table.columns {
        let name = quoted(&column.name).unwrap_or_default();
        if set(&name) || column.write == Write::Generated {
            object.push(format!("{}, t.{name}", literal(&column.name)));
        }
    }
    if object.len() > OBJECT_LEN_MAX {
        return format!("{}(t.*)", shape.json);
    }
    format!("{}({})", shape.object, object.join(", "))
}

/// The names of the columns that the database computes, as texts.
fn computed(shape: &Shape) -> String {
    let computed = shape.table.columns.iter().filter(|column| column.write == Write::Generated);
    computed.map(|column| literal(&column.name)).collect::<Vec<_>>().join(", ")
}

/// Deletes the rows of a condition.
pub(super) fn delete(shape: &Shape, condition: &str) -> String {
    let slots = [("table", &*shape.table.sql), ("json", shape.json), ("condition", condition)];
    fill(DELETE, &slots)
}

/// Fetches one row by its key.
pub(super) fn find(shape: &Shape) -> String {
    let slots = [
        ("table", &*shape.table.sql),
        ("key", &shape.key),
        ("kind", &shape.key_kind),
        ("json", shape.json),
    ];
    fill(FIND, &slots)
}

/// `a = (p.r).a, …`, and the version moves on.
fn set(shape: &Shape, columns: &Columns, from: &str) -> String {
    let mut parts: Vec<_> =
        columns.set.iter().map(|name| format!("{name} = {from}.{name}")).collect();
    parts.extend(shape.version.iter().map(|version| format!("{version} = t.{version} + 1")));
    if parts.is_empty() {
        // A document of a key only: nothing can differ, and the statement needs something to set.
        parts.push(format!("{0} = t.{0}", shape.key));
    }
    parts.join(", ")
}

/// As records: PostgreSQL would compare two bare rows column by column, and knows no such operator for most types.
fn differs(columns: &Columns, from: &str) -> String {
    if columns.set.is_empty() {
        return "false".to_owned();
    }
    let from = format!("{from}.");
    format!(
        "ROW({})::record *<> ROW({})::record",
        list(&columns.set, "t."),
        list(&columns.set, &from)
    )
}

fn list(names: &[String], prefix: &str) -> String {
    names.iter().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>().join(", ")
}

/// Puts texts into a template; what they hold is not looked at again.
pub(crate) fn fill(template: &str, slots: &[(&str, &str)]) -> String {
    let mut sql = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let slot = slots.iter().find(|(slot, _)| *slot == name);
        debug_assert!(slot.is_some(), "nothing fills `{{{name}}}`");
        sql.push_str(before);
        sql.push_str(slot.map_or("", |(_, text)| text));
        rest = after;
    }
    sql + rest
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        assert_eq!(fill("a {x} b {y}", &[("x", "{y}"), ("y", "1")]), "a {y} b 1");
    }
}
