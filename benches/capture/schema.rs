//! The tables: four alike, of 11 columns each: one bare, one that the session writes, one that is tracked, and one whose
//! trigger stores whole rows.

use gesta::track::Tracking;
use gesta::{Context, Hook, Model, Resource, ResourceRef};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::Operation;
use super::support::Bench;

const TABLES: [&str; 4] = ["bare", "article", "tracked", "whole"];

/// The columns of an action, with those that the database gives: the raw INSERT copies them all.
const ACTION: &str = "tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id, occurred_at,
    recorded_at, run_id, source, outcome, description, changes, data, names, context, audience, xid, seq";

const COLUMNS: &str = "id bigint PRIMARY KEY, title text NOT NULL, slug text NOT NULL, body text NOT NULL,
    state text NOT NULL, author_id bigint NOT NULL, views bigint NOT NULL, rating double precision NOT NULL,
    featured boolean NOT NULL, created_at timestamptz NOT NULL, note text";

/// Whole rows, one by one: the primary key is looked up in the catalog for each row, and old and new are stored with a hash
/// of the table and the key, in a table with the usual indexes.
const WHOLE: &str = "
CREATE TABLE app.version (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record_id uuid, old_record_id uuid, op text NOT NULL,
    ts timestamptz NOT NULL DEFAULT now(), table_oid oid NOT NULL, table_schema name NOT NULL, table_name name NOT NULL,
    record jsonb, old_record jsonb
);
CREATE INDEX ON app.version (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX ON app.version (old_record_id) WHERE old_record_id IS NOT NULL;
CREATE INDEX ON app.version (table_oid);
CREATE INDEX ON app.version USING brin (ts);
CREATE FUNCTION app.key_columns(relation oid) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum), '{}')
    FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = relation AND i.indisprimary
$$;
CREATE FUNCTION app.record_id(relation oid, keys text[], record jsonb) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN record IS NULL THEN NULL
        ELSE md5((SELECT jsonb_build_array(relation) || jsonb_agg(record -> k) FROM unnest(keys) AS k)::text)::uuid END
$$;
CREATE FUNCTION app.keep_whole() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    keys text[] := app.key_columns(TG_RELID);
    record jsonb := to_jsonb(new);
    old_record jsonb := to_jsonb(old);
BEGIN
    INSERT INTO app.version (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
    VALUES (app.record_id(TG_RELID, keys, record), app.record_id(TG_RELID, keys, old_record), TG_OP, TG_RELID,
        TG_TABLE_SCHEMA, TG_TABLE_NAME, record, old_record);
    RETURN coalesce(new, old);
END
$$;
CREATE TRIGGER keep_whole AFTER INSERT OR UPDATE OR DELETE ON app.whole FOR EACH ROW EXECUTE FUNCTION app.keep_whole();";

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Article {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) body: String,
    pub(crate) state: String,
    pub(crate) author_id: i64,
    pub(crate) views: i64,
    pub(crate) rating: f64,
    pub(crate) featured: bool,
    pub(crate) created_at: String,
    pub(crate) note: Option<String>,
}

impl Article {
    /// The same values as in `FILL`.
    pub(crate) fn number(id: i64) -> Self {
        Self {
            id,
            title: format!("Title of article {id}"),
            slug: format!("title-of-article-{id}"),
            body: "x".repeat(80),
            state: "draft".to_owned(),
            author_id: id % 100,
            views: id,
            rating: 4.5,
            featured: false,
            created_at: "2026-11-20T12:00:00+00:00".to_owned(),
            note: None,
        }
    }
}

impl Resource for Article {
    fn resource(&self) -> ResourceRef {
        ResourceRef::new("article", self.id.to_string()).expect("a number is an id")
    }

    fn name(&self) -> Option<String> {
        Some(self.title.clone())
    }
}

impl Model for Article {
    const TABLE: &'static str = "app.article";
    const KEY: &'static str = "id";
}

impl Hook for Article {}

/// Empties the log and makes the tables anew, filled.
pub(crate) async fn fill(bench: &Bench, rows: i64) -> Client {
    let admin = bench.admin().await;
    admin.batch_execute("DROP SCHEMA IF EXISTS app CASCADE").await.expect("no tables");
    bench.reset().await;
    admin.batch_execute("CREATE SCHEMA app").await.expect("a schema");
    for table in TABLES {
        admin
            .batch_execute(&format!("CREATE TABLE app.{table} ({COLUMNS})"))
            .await
            .expect("a table");
        admin.batch_execute(&insert(table, rows)).await.expect("rows");
    }
    admin.batch_execute(WHOLE).await.expect("a trigger for whole rows");
    admin
        .batch_execute(
            "GRANT USAGE ON SCHEMA app TO gesta_app;
             GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA app TO gesta_app;",
        )
        .await
        .expect("rights");
    let operator = bench.operator();
    let mut client = operator.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let kind = "article".parse().expect("a type");
    let tracking = Tracking::new("app.tracked", kind, ["id"]).name("title");
    let ctx = Context::system("bench").expect("a context");
    operator.track(&tx, &ctx, &tracking).await.expect("it is tracked");
    tx.commit().await.expect("it is committed");
    admin
}

fn insert(table: &str, rows: i64) -> String {
    format!(
        "INSERT INTO app.{table} SELECT i, 'Title of article ' || i, 'title-of-article-' || i, repeat('x', 80), 'draft',
            i % 100, i, 4.5, false, '2026-11-20 12:00:00+00', NULL FROM generate_series(1, {rows}) AS i"
    )
}

pub(crate) fn sql(operation: Operation, table: &str, rows: i64, round: i64) -> String {
    match operation {
        Operation::Insert => insert(table, rows),
        Operation::Update => format!("UPDATE app.{table} SET state = 'state {round}'"),
        Operation::Delete => format!("DELETE FROM app.{table}"),
    }
}

/// Brings a table to where the operation begins, unseen by its triggers.
pub(crate) async fn prepare(admin: &Client, operation: Operation, table: &str, rows: i64) {
    let fill = match operation {
        Operation::Insert => String::new(),
        Operation::Update | Operation::Delete => insert(table, rows),
    };
    let script = format!(
        "ALTER TABLE app.{table} DISABLE TRIGGER ALL; TRUNCATE app.{table}; {fill};
         ALTER TABLE app.{table} ENABLE TRIGGER ALL"
    );
    admin.batch_execute(&script).await.expect("the table is prepared");
    admin.batch_execute(&format!("VACUUM ANALYZE app.{table}")).await.expect("vacuumed");
    admin.batch_execute("CHECKPOINT").await.expect("a checkpoint");
}

/// Keeps the latest actions of a source, numbered, for the raw INSERT.
pub(crate) async fn give(admin: &Client, source: &str, rows: i64) {
    let script = format!(
        "DROP TABLE IF EXISTS raw.given;
         CREATE TABLE raw.given AS SELECT {ACTION}, row_number() OVER (ORDER BY seq) AS n FROM (
             SELECT {ACTION} FROM gesta.action WHERE source = '{source}' ORDER BY seq DESC LIMIT {rows}) AS a;
         CREATE INDEX ON raw.given (n);
         GRANT SELECT ON raw.given TO gesta_app; ANALYZE raw.given; CHECKPOINT"
    );
    admin.batch_execute(&script).await.expect("the actions are given");
}

pub(crate) fn insert_given(condition: &str) -> String {
    format!("INSERT INTO raw.action ({ACTION}) SELECT {ACTION} FROM raw.given {condition}")
}
