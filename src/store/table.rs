//! What the database says of an application's table, and how its names go into a statement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Transaction;

use super::{Failure, Store, scope};
use crate::error::quote;

/// Bytes of a name; PostgreSQL would cut a longer one, and find another table.
const IDENTIFIER_LEN_MAX: usize = 63;

/// Columns in their order. The type is written with its schema, since a search path may differ.
const COLUMNS: &str = "-- store::table::columns
SELECT a.attname::text, quote_ident(n.nspname) || '.' || quote_ident(t.typname),
    CASE WHEN a.attgenerated <> '' THEN 'generated' WHEN a.attidentity = 'a' THEN 'identity' ELSE 'free' END
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
WHERE a.attrelid = to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum";

/// Who may write a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Anybody.
    Free,
    /// `GENERATED ALWAYS AS IDENTITY`: an insert may override it, an update may not.
    Identity,
    /// Computed from other columns.
    Generated,
}

/// A column of a table.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type, as it goes into a statement.
    pub(crate) kind: String,
    pub(crate) write: Write,
}

/// A table of the application.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name, as it goes into a statement.
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Why a name is none of a table or column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error("{given} is no name of a table or column; give 1 to {IDENTIFIER_LEN_MAX} bytes")]
    Length { given: String },
    #[error("{given} names no schema; write it as `schema.table`")]
    NoSchema { given: String },
}

/// A name as it goes into a statement: in quotes, and quotes in it doubled. Nothing in it is then more than a name.
pub(crate) fn quoted(name: &str) -> Result<String, NameError> {
    if name.is_empty() || name.len() > IDENTIFIER_LEN_MAX || name.contains('\0') {
        return Err(NameError::Length { given: quote(name) });
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// A name as a text of a statement, whatever `standard_conforming_strings` is.
pub(crate) fn literal(name: &str) -> String {
    format!("E'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A table with its schema, divided at the first point.
pub(crate) fn quoted_table(name: &str) -> Result<String, NameError> {
    let parts =
        name.split_once('.').filter(|(schema, table)| !schema.is_empty() && !table.is_empty());
    let (schema, table) = parts.ok_or_else(|| NameError::NoSchema { given: quote(name) })?;
    Ok(format!("{}.{}", quoted(schema)?, quoted(table)?))
}

/// The tables that were asked for, by the names that the application gave them.
#[derive(Default)]
pub(super) struct Tables(Mutex<HashMap<String, Arc<Table>>>);

impl Tables {
    fn known(&self, name: &str) -> Option<Arc<Table>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn keep(&self, name: &str, table: &Arc<Table>) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(name.to_owned(), Arc::clone(table));
    }

    fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Why nothing is known of a table.
pub(crate) enum TableError {
    Name(NameError),
    /// There is none, or this role does not see it.
    Missing,
    Database(Failure),
}

impl Store {
    /// What is known of a table; asked for once, and again after [`Store::forget_table`].
    pub(crate) async fn table(
        &self,
        tx: &Transaction<'_>,
        name: &str,
    ) -> Result<Arc<Table>, TableError> {
        if let Some(table) = self.tables().known(name) {
            return Ok(table);
        }
        let sql = quoted_table(name).map_err(TableError::Name)?;
        let rows = scope::query(tx, "read the catalog", COLUMNS, &[&sql]).await;
        let columns: Vec<_> = rows
            .map_err(TableError::Database)?
            .iter()
            .map(|row| Column {
                name: row.get(0),
                kind: row.get(1),
                write: match row.get(2) {
                    "generated" => Write::Generated,
                    "identity" => Write::Identity,
                    _ => Write::Free,
                },
            })
            .collect();
        if columns.is_empty() {
            return Err(TableError::Missing);
        }
        let table = Arc::new(Table { sql, columns });
        self.tables().keep(name, &table);
        Ok(table)
    }

    /// Asks again next time: the table is not what it was.
    pub(crate) fn forget_table(&self, name: &str) {
        self.tables().forget(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_whatever_they_are() {
        assert_eq!(quoted("id").as_deref(), Ok("\"id\""));
        assert_eq!(quoted("a\"; DROP TABLE x --").as_deref(), Ok("\"a\"\"; DROP TABLE x --\""));
        assert_eq!(quoted_table("News.a.b").as_deref(), Ok("\"News\".\"a.b\""));
        assert_eq!(literal(r"a'\b"), r"E'a\'\\b'");
        let long = "x".repeat(64);
        for name in ["", "a\0", long.as_str()] {
            assert!(quoted(name).is_err(), "{name}");
        }
        for name in ["article", ".article", "newsroom."] {
            let error = quoted_table(name).expect_err(name).to_string();
            assert!(error.ends_with("write it as `schema.table`"), "{error}");
        }
    }
}
