//! Tables that sessions write and that are tracked as well.

use gesta::session::Relation;
use gesta::track::Tracking;
use gesta::{Context, Hook, Model, Resource, ResourceRef};
use serde::{Deserialize, Serialize};

use crate::support::{TestDb, database, resource};

/// A visit counts at its article, and an article that is published counts at its author: other tables' triggers.
const TABLES: &str = "
CREATE SCHEMA desk;
CREATE TABLE desk.author (id integer PRIMARY KEY, name text NOT NULL, published integer NOT NULL DEFAULT 0);
CREATE TABLE desk.article (
    id integer PRIMARY KEY,
    author integer NOT NULL REFERENCES desk.author ON DELETE CASCADE,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'draft',
    views integer NOT NULL DEFAULT 0
);
CREATE TABLE desk.tag (article integer REFERENCES desk.article ON DELETE CASCADE, name text, PRIMARY KEY (article, name));
CREATE TABLE desk.visit (article integer);
CREATE FUNCTION desk.count_visit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE desk.article SET views = views + 1 WHERE id = NEW.article;
    RETURN NULL;
END $$;
CREATE TRIGGER count_visit AFTER INSERT ON desk.visit FOR EACH ROW EXECUTE FUNCTION desk.count_visit();
CREATE FUNCTION desk.count_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE desk.author SET published = published + 1 WHERE id = NEW.author;
    RETURN NULL;
END $$;
CREATE TRIGGER count_published AFTER UPDATE ON desk.article
    FOR EACH ROW WHEN (OLD.state <> 'public' AND NEW.state = 'public') EXECUTE FUNCTION desk.count_published();
GRANT USAGE ON SCHEMA desk TO gesta_app;
GRANT ALL ON ALL TABLES IN SCHEMA desk TO gesta_app;";

pub(super) const TAGS: Relation = Relation::new("desk.tag", "article", "name", "tags");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Author {
    pub(super) id: i32,
    pub(super) name: String,
}

/// An article; how often it was viewed is the database's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Article {
    pub(super) id: i32,
    pub(super) author: i32,
    pub(super) title: String,
    pub(super) state: String,
}

impl Article {
    pub(super) fn draft(id: i32, author: i32, title: &str) -> Self {
        Self { id, author, title: title.to_owned(), state: "draft".to_owned() }
    }
}

impl Resource for Author {
    fn resource(&self) -> ResourceRef {
        resource(&format!("author:{}", self.id))
    }
}

impl Resource for Article {
    fn resource(&self) -> ResourceRef {
        resource(&format!("article:{}", self.id))
    }
}

impl Model for Author {
    const TABLE: &'static str = "desk.author";
    const KEY: &'static str = "id";
}

impl Model for Article {
    const TABLE: &'static str = "desk.article";
    const KEY: &'static str = "id";
}

impl Hook for Author {}
impl Hook for Article {}

/// A database with these tables, all of them tracked but the visits and tags.
pub(super) async fn desk() -> TestDb {
    let db = database().await;
    db.admin().await.batch_execute(TABLES).await.expect("the tables");
    let store = db.unbound_store().await;
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let ctx = Context::system("operator").expect("a name");
    for kind in ["author", "article"] {
        let tracking = Tracking::new(format!("desk.{kind}"), kind.parse().expect("a type"), ["id"]);
        let tracked = store.track(&tx, &ctx, &tracking).await.expect("tracked");
        assert_eq!(tracked.table, format!("desk.{kind}"));
    }
    tx.commit().await.expect("committed");
    db
}
