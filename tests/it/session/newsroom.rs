//! A newsroom's tables and models, and what the log says of them.

use gesta::hook::Rule;
use gesta::session::SessionError;
use gesta::{Context, Hook, Model, Resource, ResourceRef, Session, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{TestDb, database, resource};

/// A trigger counts edits, a default tells the language, and a column is computed: no model has them all.
const TABLES: &str = "
CREATE SCHEMA newsroom;
CREATE TABLE newsroom.article (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'draft',
    words integer CHECK (words >= 0),
    price numeric,
    language text NOT NULL DEFAULT 'en',
    edits integer NOT NULL DEFAULT 0,
    slug text GENERATED ALWAYS AS (lower(title)) STORED
);
CREATE FUNCTION newsroom.count_edits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.edits := OLD.edits + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER count_edits BEFORE UPDATE ON newsroom.article
    FOR EACH ROW EXECUTE FUNCTION newsroom.count_edits();
CREATE TABLE newsroom.person (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text UNIQUE,
    password text,
    avatar text,
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE newsroom.tag (id text PRIMARY KEY);
CREATE TABLE newsroom.article_tag (
    article_id bigint REFERENCES newsroom.article ON DELETE CASCADE,
    tag_id text REFERENCES newsroom.tag,
    PRIMARY KEY (article_id, tag_id)
);
GRANT USAGE ON SCHEMA newsroom TO gesta_app;
GRANT ALL ON ALL TABLES IN SCHEMA newsroom TO gesta_app;";

/// An article; `language`, `edits` and `slug` are the database's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Article {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) state: String,
    pub(super) words: Option<i32>,
}

pub(super) fn article(id: i64, title: &str) -> Article {
    Article { id, title: title.to_owned(), state: "draft".to_owned(), words: None }
}

impl Resource for Article {
    fn resource(&self) -> ResourceRef {
        resource(&format!("article:{}", self.id))
    }
    fn name(&self) -> Option<String> {
        Some(self.title.clone())
    }
}

impl Model for Article {
    const TABLE: &'static str = "newsroom.article";
    const KEY: &'static str = "id";
}

impl Hook for Article {}

/// Somebody whose key the database makes, with secrets and a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) id: Option<i64>,
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
    pub(super) avatar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<i32>,
}

pub(super) fn person(name: &str) -> Person {
    let name = name.to_owned();
    Person { id: None, name, email: None, password: None, avatar: None, version: None }
}

impl Resource for Person {
    fn resource(&self) -> ResourceRef {
        resource(&format!("person:{}", self.id.unwrap_or_default()))
    }
    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }
}

impl Model for Person {
    const TABLE: &'static str = "newsroom.person";
    const KEY: &'static str = "id";
    const VERSION: Option<&'static str> = Some("version");
    const RULES: &'static [Rule] =
        &[Rule::Hash("email"), Rule::Mask("password"), Rule::Exclude("avatar")];
}

impl Hook for Person {}

/// A database with the newsroom's tables, and a store on it.
pub(super) async fn newsroom() -> (TestDb, Store) {
    let db = database().await;
    db.admin().await.batch_execute(TABLES).await.expect("the newsroom's tables");
    let store = db.store().await;
    (db, store)
}

pub(super) fn alice() -> Context {
    Context::new(&resource("user:1").named("Alice")).request_id("r-1")
}

/// Does something in a session of its own, and commits.
pub(super) async fn in_session<T>(
    store: &Store,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    let mut client = store.client().await.expect("a connection");
    let mut session = Session::begin(store, &mut client, &alice()).await?;
    let answer = work(&mut session).await?;
    session.commit().await?;
    Ok(answer)
}

/// The same for what must succeed.
pub(super) async fn done<T>(
    store: &Store,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, SessionError>,
) -> T {
    match in_session(store, work).await {
        Ok(answer) => answer,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}

/// All actions in the order in which they were stored: `[source, actor, verb, object, changes]`.
pub(super) async fn log(db: &TestDb) -> Vec<Value> {
    let sql = "SELECT jsonb_build_array(source, actor_type || ':' || actor_id, verb,
            object_type || ':' || object_id, changes)
        FROM gesta.action ORDER BY seq";
    let rows = db.admin().await.query(sql, &[]).await.expect("the log");
    rows.iter().map(|row| row.get(0)).collect()
}

/// A line of [`log`] by Alice.
pub(super) fn line(source: &str, verb: &str, object: &str, changes: &Value) -> Value {
    json!([source, "user:1", verb, object, changes])
}

/// How many rows a table has.
pub(super) async fn count(client: &Client, table: &str) -> i64 {
    let counted = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await;
    counted.expect("counted").get(0)
}

/// A value from the database, as the superuser sees it.
pub(super) async fn value<T: DeserializeOwned>(db: &TestDb, sql: &str) -> T {
    let row = db.admin().await.query_one(&format!("SELECT to_json(({sql}))"), &[]).await;
    serde_json::from_value(row.expect("a value").get(0)).expect("of this type")
}
