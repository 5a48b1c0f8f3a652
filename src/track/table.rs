//! A table as the catalog has it: whether it can be tracked, and the parts of its statements.

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, types::ToSql};

use super::TrackError;
use super::options::{Options, Tracking};
use super::script::{COMMENT, NAMES};
use crate::error::{quote, visible};
use crate::store::{Failure, failed, scope};

/// Columns that an error lists.
const LISTED_MAX: usize = 30;

/// By the path of whoever named it, so all else that the statement names has its schema. `parse_ident` refuses what is no
/// name; `to_regclass` does so only before PostgreSQL 17.
const RESOLVE: &str = "-- track::table::resolve
SELECT pg_catalog.to_regclass($1)::pg_catalog.oid AS relation, pg_catalog.parse_ident($1, true) AS parts,
    pg_catalog.current_setting('search_path'::pg_catalog.text) AS search_path";

/// The table, and its function where it is tracked. A free name for the function is made of the table's; it is kept when
/// the table is renamed, and OIDs are not in it, since they change when a dump is restored.
const TABLE: &str = "-- track::table::read
WITH RECURSIVE slug AS (
    SELECT 'capture_' || left(regexp_replace(lower(c.relname), '[^a-z0-9_]+', '_', 'g'), 40) AS name
    FROM pg_class AS c
    WHERE c.oid = $1
), free AS (
    SELECT s.name, 1 AS n
    FROM slug AS s
    UNION ALL
    SELECT s.name || '_' || f.n + 1, f.n + 1
    FROM free AS f
    CROSS JOIN slug AS s
    WHERE EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = 'gesta'::regnamespace AND p.proname = f.name)
)
SELECT n.nspname || '.' || c.relname AS name,
    format('%I.%I', n.nspname, c.relname) AS relation,
    quote_ident(n.nspname) AS schema,
    quote_ident(current_user) AS operator,
    n.nspname AS schema_name,
    c.relkind::text AS kind,
    c.relpersistence::text AS persistence,
    c.relispartition AS is_partition,
    pg_partition_root(c.oid)::text AS root,
    EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid) AS has_parent,
    EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhparent = c.oid) AS has_child,
    EXISTS (
        SELECT FROM pg_constraint AS k
        WHERE k.conrelid = c.oid AND k.confrelid = c.oid AND k.contype = 'f'
            AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
    ) AS cascades_to_itself,
    format('gesta.%I', coalesce((
        SELECT p.proname
        FROM pg_trigger AS t
        JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE t.tgrelid = c.oid AND t.tgname = ANY ($2) AND p.pronamespace = 'gesta'::regnamespace
        LIMIT 1
    ), (SELECT f.name FROM free AS f ORDER BY f.n DESC LIMIT 1))) AS function
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = $1";

/// The table and its partitions, on all levels, and whether they can have triggers of ours.
const RELATIONS: &str = "-- track::table::relations
SELECT format('%I.%I', n.nspname, c.relname) AS relation, c.relkind::text AS kind
FROM (
    SELECT $1::oid AS oid, 0 AS level
    UNION
    SELECT t.relid::oid, t.level
    FROM pg_partition_tree($1::oid::regclass) AS t
) AS r
JOIN pg_class AS c ON c.oid = r.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY r.level, r.oid";

/// Triggers that an earlier tracking made. Those that belong to one of the table itself go with it.
const TRIGGERS: &str = "-- track::table::triggers
SELECT quote_ident(t.tgname) AS trigger, format('%I.%I', n.nspname, c.relname) AS relation
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.tgname = ANY ($2) AND t.tgparentid = 0
    AND (t.tgrelid = $1 OR t.tgrelid IN (SELECT r.relid FROM pg_partition_tree($1::oid::regclass) AS r))
ORDER BY t.tgrelid, t.tgname";

const COLUMNS: &str = "-- track::table::columns
SELECT gesta.shape($1) AS shape, a.attname AS name, a.attnum AS number, a.attnotnull AS not_null, a.attgenerated = 'v' AS is_virtual
FROM pg_attribute AS a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum";

/// Columns that are unique together, whatever the rest of the row is.
const UNIQUE: &str = "-- track::table::unique
SELECT i.indisprimary AS is_primary, array_agg(a.attname::text ORDER BY k.n) AS columns
FROM pg_index AS i
CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, n)
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND k.n <= i.indnkeyatts
GROUP BY i.indexrelid";

const PARTS: &str = "-- track::table::parts
SELECT quote_literal($2::text) || '::jsonb' AS options,
    quote_literal($2::text::jsonb->>'type') AS kind,
    quote_literal(gesta.shape($1)) AS shape,
    quote_literal($3::text || $2::text) AS comment,
    gesta.capture_sql($1, 'INSERT', $2::text::jsonb, 'stamp') AS insert,
    gesta.capture_sql($1, 'UPDATE', $2::text::jsonb, 'stamp') AS update,
    gesta.capture_sql($1, 'DELETE', $2::text::jsonb, 'stamp') AS delete,
    gesta.count_sql($1, $2::text::jsonb) AS count,
    gesta.partition_key($1, 'OLD') AS old_part, gesta.partition_key($1, 'NEW') AS new_part";

/// What is to be tracked. All names but `name` are quoted.
#[derive(Debug)]
pub(super) struct Table {
    oid: u32,
    /// `schema.name`, for people and for the log.
    pub(super) name: String,
    /// Why it cannot be tracked; it may have become so since it was.
    unfit: Option<String>,
    pub(super) relation: String,
    pub(super) schema: String,
    pub(super) operator: String,
    pub(super) function: String,
    pub(super) is_partitioned: bool,
    pub(super) cascades_to_itself: bool,
    /// The table and its partitions.
    pub(super) relations: Vec<String>,
    /// Triggers of an earlier tracking, each with its relation.
    pub(super) triggers: Vec<(String, String)>,
}

/// What the template takes, quoted.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) options: String,
    pub(super) kind: String,
    pub(super) shape: String,
    pub(super) comment: String,
    pub(super) insert: String,
    pub(super) update: String,
    pub(super) delete: String,
    pub(super) count: String,
    /// Of the old row and of the new one; none where there are no partitions.
    pub(super) partition_key: [Option<String>; 2],
}

struct Column {
    name: String,
    number: i16,
    not_null: bool,
    is_virtual: bool,
}

async fn query(
    tx: &Transaction<'_>,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, TrackError> {
    scope::query(tx, "read the catalog", sql, params).await.map_err(TrackError::Database)
}

/// A table that was looked up by its name as in SQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    given: &'a str,
    oid: u32,
}

impl<'a> Found<'a> {
    /// By the search path as it is.
    pub(super) async fn resolve(tx: &Transaction<'_>, given: &'a str) -> Result<Self, TrackError> {
        let resolved = scope::query(tx, "look up a table", RESOLVE, &[&given]).await;
        let rows = resolved.map_err(|error| unnamed(given, error))?;
        let found = rows.first().and_then(|row| row.get::<_, Option<u32>>("relation"));
        let search_path = || rows.first().map(|row| row.get("search_path")).unwrap_or_default();
        let oid = found.ok_or_else(|| TrackError::NotFound {
            given: quote(given),
            search_path: search_path(),
        })?;
        Ok(Self { given, oid })
    }
}

impl Table {
    /// What the catalog says of a table.
    pub(super) async fn read(tx: &Transaction<'_>, found: Found<'_>) -> Result<Self, TrackError> {
        let Found { given, oid } = found;
        let rows = query(tx, TABLE, &[&oid, &NAMES.as_slice()]).await?;
        let Some(row) = rows.first() else {
            return Err(TrackError::NotFound { given: quote(given), search_path: String::new() });
        };
        let name: String = row.get("name");
        let relations = query(tx, RELATIONS, &[&oid]).await?;
        let foreign = relations.iter().find(|row| row.get::<_, &str>("kind") == "f");
        let unfit = unfit(row).or_else(|| foreign.map(far));
        let triggers = query(tx, TRIGGERS, &[&oid, &NAMES.as_slice()]).await?;
        Ok(Self {
            oid,
            name,
            unfit,
            relation: row.get("relation"),
            schema: row.get("schema"),
            operator: row.get("operator"),
            function: row.get("function"),
            is_partitioned: row.get::<_, &str>("kind") == "p",
            cascades_to_itself: row.get("cascades_to_itself"),
            relations: relations.iter().map(|row| row.get("relation")).collect(),
            triggers: triggers.iter().map(|row| (row.get(0), row.get(1))).collect(),
        })
    }

    /// Whether triggers on it would see all that happens to it.
    pub(super) fn fit(&self) -> Result<(), TrackError> {
        match self.unfit.clone() {
            Some(problem) => Err(TrackError::Kind { table: self.shown(), problem }),
            None => Ok(()),
        }
    }

    /// The table as it is while writers, and others who track it, are kept out until the transaction ends, as the making
    /// of a trigger does anyway. What can neither be tracked nor is, is not locked.
    pub(super) async fn lock(tx: &Transaction<'_>, found: Found<'_>) -> Result<Self, TrackError> {
        let table = Self::read(tx, found).await?;
        if table.unfit.is_some() && table.triggers.is_empty() {
            return Ok(table);
        }
        let lock = format!(
            "-- track::table::lock\nLOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE",
            table.relation
        );
        run(tx, "lock the table", &lock).await?;
        // What has this name now may be another one, and that is what was locked.
        Self::read(tx, Found::resolve(tx, &table.relation).await?).await
    }

    /// The table's name for an error.
    pub(super) fn shown(&self) -> String {
        visible(&self.name).into_owned()
    }

    /// The options with what the table says to them, if they fit it.
    pub(super) async fn check(
        &self,
        tx: &Transaction<'_>,
        tracking: &Tracking,
    ) -> Result<Options, TrackError> {
        let mut options = tracking.options.clone();
        options.check()?;
        let columns = query(tx, COLUMNS, &[&self.oid]).await?;
        options.shape = columns.first().and_then(|row| row.get("shape"));
        let columns: Vec<_> = columns
            .iter()
            .map(|row| Column {
                name: row.get("name"),
                number: row.get("number"),
                not_null: row.get("not_null"),
                is_virtual: row.get("is_virtual"),
            })
            .collect();
        for (flag, given) in options.named() {
            if !columns.iter().any(|column| column.name == *given) {
                return Err(self.no_column(given, flag, &columns));
            }
        }
        let unique = query(tx, UNIQUE, &[&self.oid]).await?;
        let unique: Vec<(bool, Vec<Option<String>>)> =
            unique.iter().map(|row| (row.get("is_primary"), row.get("columns"))).collect();
        self.check_key(&options.key, &columns, &unique)?;
        options.primary = unique.iter().any(|(is_primary, columns)| {
            *is_primary && columns.iter().map(Option::as_ref).eq(options.key.iter().map(Some))
        });
        options.numbers = columns.iter().map(|column| column.number).collect();
        options.columns = columns.into_iter().map(|column| column.name).collect();
        Ok(options)
    }

    fn no_column(&self, given: &str, flag: &'static str, columns: &[Column]) -> TrackError {
        let mut listed: Vec<_> =
            columns.iter().take(LISTED_MAX).map(|column| visible(&column.name)).collect();
        if columns.len() > LISTED_MAX {
            listed.push("…".into());
        }
        TrackError::Column {
            table: self.shown(),
            given: quote(given),
            flag,
            columns: listed.join(", "),
        }
    }

    /// Two rows never have the same id, and every row has one.
    fn check_key(
        &self,
        key: &[String],
        columns: &[Column],
        unique: &[(bool, Vec<Option<String>>)],
    ) -> Result<(), TrackError> {
        let table = self.shown();
        if key.is_empty() {
            return Err(TrackError::NoKey { table });
        }
        let name = visible(&key.join(", ")).into_owned();
        let refuse = |problem: String| Err(TrackError::Key { key: name.clone(), table, problem });
        for column in columns.iter().filter(|column| key.contains(&column.name)) {
            let shown = visible(&column.name);
            if column.is_virtual {
                return refuse(format!("`{shown}` is a virtual column, which triggers do not see"));
            }
            if !column.not_null {
                return refuse(format!("`{shown}` may be null; ALTER COLUMN … SET NOT NULL"));
            }
        }
        let is_in_key = |column: &Option<String>| column.as_ref().is_some_and(|c| key.contains(c));
        if unique.iter().any(|(_, columns)| columns.iter().all(is_in_key)) {
            return Ok(());
        }
        refuse("it is not unique; make a unique index on it, or name the primary key".to_owned())
    }

    /// The parts of the statements, made and quoted by the database.
    pub(super) async fn parts(
        &self,
        tx: &Transaction<'_>,
        options: &Options,
    ) -> Result<Parts, TrackError> {
        let json = serde_json::json!(options).to_string();
        let rows = query(tx, PARTS, &[&self.oid, &json, &COMMENT]).await?;
        let Some(row) = rows.first() else { unreachable!("a SELECT without FROM gives one row") };
        Ok(Parts {
            options: row.get("options"),
            kind: row.get("kind"),
            shape: row.get("shape"),
            comment: row.get("comment"),
            insert: row.get("insert"),
            update: row.get("update"),
            delete: row.get("delete"),
            count: row.get("count"),
            partition_key: [row.get("old_part"), row.get("new_part")],
        })
    }
}

fn unnamed(given: &str, error: Failure) -> TrackError {
    let codes = [
        SqlState::INVALID_NAME,
        SqlState::SYNTAX_ERROR,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INVALID_PARAMETER_VALUE,
    ];
    match error.code() {
        Some(code) if codes.contains(code) => TrackError::Name { given: quote(given) },
        _ => TrackError::Database(error),
    }
}

/// Why a partition on another server is in the way.
fn far(row: &Row) -> String {
    let partition = visible(row.get("relation")).into_owned();
    format!("partly on another server: no trigger sees what happens to {partition}; detach it")
}

/// Why no statement trigger would see all that happens to a relation.
fn unfit(row: &Row) -> Option<String> {
    let (kind, schema): (&str, &str) = (row.get("kind"), row.get("schema_name"));
    let what = match kind {
        "v" => "a view; track the tables that it reads",
        "m" => "a materialized view; track the tables that it reads",
        "f" => "a foreign table; track it on its own server",
        "r" | "p" => "",
        _ => "no table",
    };
    if !what.is_empty() {
        return Some(what.to_owned());
    }
    if row.get::<_, &str>("persistence") == "t" {
        return Some("a temporary table, which ends with its session".to_owned());
    }
    if schema == "gesta" || schema == "pg_catalog" || schema == "information_schema" {
        return Some(format!("in the schema `{schema}`; track tables of an application"));
    }
    if row.get("is_partition") {
        let root: String = row.get("root");
        return Some(format!("a partition; track {} instead", visible(&root)));
    }
    if row.get("has_parent") {
        return Some(
            "a child of another table (INHERITS), whose statements change it too; use partitions"
                .to_owned(),
        );
    }
    if kind == "r" && row.get("has_child") {
        return Some(
            "a parent of other tables (INHERITS), where its keys are not unique; use partitions"
                .to_owned(),
        );
    }
    None
}

/// Runs statements of ours.
pub(super) async fn run(
    tx: &Transaction<'_>,
    what: &'static str,
    script: &str,
) -> Result<(), TrackError> {
    tx.batch_execute(script).await.map_err(failed(what)).map_err(TrackError::Database)
}
