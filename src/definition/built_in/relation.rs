//! What the database says of a type's table.

use deadpool_postgres::Transaction;

use super::super::piece::{Fault, Piece};
use crate::error::quote;
use crate::store::table::{quoted, quoted_table};

/// The key's type is written with its schema, since a search path may differ. A table's triggers record what is deleted
/// where `gesta track` has hung them on it.
const RELATION: &str = "-- definition::built_in::relation
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(t.typname), has_table_privilege(c.oid, 'UPDATE'),
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS g
        JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
        WHERE g.tgrelid = c.oid AND g.tgname = 'gesta_capture_delete' AND g.tgenabled <> 'D'
            AND p.pronamespace = 'gesta'::regnamespace
    )
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE c.oid = to_regclass($1::text) AND a.attname = $2::text";

/// What is recorded of a column `e` of a deleted row: of a hidden one, of `$2`, that it had a value.
pub(super) const VALUE: &str =
    "CASE WHEN e.key = ANY ($2::text[]) THEN '\"***\"'::json ELSE e.value END";

/// A type's table, with names that go into statements as they are.
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) table: String,
    pub(super) key: String,
    pub(super) key_kind: String,
    pub(super) is_lockable: bool,
    pub(super) is_tracked: bool,
    /// Columns whose values are told to nobody.
    pub(super) hidden: Vec<String>,
}

impl Relation {
    /// The table of a piece's type.
    pub(super) async fn of(piece: &Piece<'_, '_>) -> Result<Self, Fault> {
        let kind = piece.kind();
        let spec = piece.catalog.resource(kind);
        let named = spec.and_then(|spec| Some((spec.table_and_key()?, spec.hidden_columns())));
        let Some(((table, key), hidden)) = named else {
            return Err(Fault::new(format!("the type `{kind}` has no table in the catalog")));
        };
        let name = |error: &dyn std::fmt::Display| Fault::new(format!("type `{kind}`: {error}"));
        let (sql, quoted_key) = (quoted_table(table), quoted(key));
        let sql = sql.map_err(|error| name(&error))?;
        let quoted_key = quoted_key.map_err(|error| name(&error))?;
        let tx = piece.session.transaction();
        let rows = rows(tx, "read the catalog", RELATION, &[&sql, &key]).await?;
        let Some(row) = rows.first() else {
            let problem =
                format!("there is no table {} with a column {}", quote(table), quote(key));
            return Err(name(&problem));
        };
        Ok(Self {
            oid: row.get(0),
            table: sql,
            key: quoted_key,
            key_kind: row.get(1),
            is_lockable: row.get(2),
            is_tracked: row.get(3),
            hidden: hidden.to_vec(),
        })
    }
}

impl Relation {
    /// What stands in the braces of a statement.
    pub(super) fn slots(&self) -> [(&'static str, &str); 3] {
        [("table", &self.table), ("key", &self.key), ("kind", &self.key_kind)]
    }
}

/// Runs a statement.
pub(super) async fn rows(
    tx: &Transaction<'_>,
    what: &str,
    sql: &str,
    params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<tokio_postgres::Row>, Fault> {
    let failed = |error| Fault::caused(format!("failed to {what}"), error);
    tx.query(sql, params).await.map_err(failed)
}
