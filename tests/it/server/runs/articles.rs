//! Articles, and what can be done to them.

use std::ops::Deref;

use axum::http::Method;
use gesta::definition::{
    Catalog, Definition, Fate, Fault, Level, Operation, Piece, Places, Risk, TypeSpec,
};
use gesta::role::{Giver, NewRole, RoleName, Roles};
use gesta::server::Settings;
use gesta::session::Selection;
use gesta::{Context, Hook, Model, Resource, ResourceRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::server::rig::{Answer, EDITOR, Rig};
use crate::support::{TestDb, database, resource};

#[derive(Serialize, Deserialize)]
struct Article {
    id: i64,
    title: String,
    state: String,
}

impl Resource for Article {
    fn resource(&self) -> ResourceRef {
        ResourceRef::new("article", self.id.to_string()).expect("a number is an id")
    }
}
impl Model for Article {
    const TABLE: &'static str = "newsroom.article";
    const KEY: &'static str = "id";
}
impl Hook for Article {}

/// Sets the state of all; those that have it already are skipped, those that are locked are denied, and those that are
/// broken fail.
struct Set(&'static str);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Notice {
    /// Whether somebody is told.
    #[serde(default)]
    notify: bool,
    /// What opens the door.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    secret: Option<String>,
}

impl Operation for Set {
    type Input = Notice;

    async fn run(&self, piece: &mut Piece<'_, '_>, input: &Notice) -> Result<(), Fault> {
        for index in 0..piece.items().len() {
            let id = piece.items()[index].object.id.as_str().to_owned();
            let article: Option<Article> = piece.session().find(&id).await?;
            match article.map(|it| it.state).as_deref() {
                Some(state) if state == self.0 => {
                    piece.settle(index, Fate::Skipped(format!("it is {} already", self.0)));
                }
                Some("locked") => piece.settle(index, Fate::Denied("it is locked".to_owned())),
                Some("broken") => piece.settle(index, Fate::Failed("it is broken".to_owned())),
                _ => {}
            }
        }
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        let patch = json!({ "state": self.0 });
        piece.session().update::<Article>(Selection::ids(ids), &patch).await?;
        if input.secret.as_deref() == Some("wrong") {
            return Err(Fault::new("the door stays shut"));
        }
        if input.notify {
            piece.tell(Level::Info, "3 subscribers will hear of it");
        }
        Ok(())
    }
}

/// Does nothing, well.
struct Nothing;

impl Operation for Nothing {
    type Input = Nothings;

    async fn run(&self, _: &mut Piece<'_, '_>, _: &Nothings) -> Result<(), Fault> {
        Ok(())
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothings {}

/// Articles in a table; issues, of which only the ids are known.
pub(crate) fn catalog() -> Catalog {
    let publish = Definition::new("publish", "Publish {name}", Set("published"))
        .plural("Publish {plural}")
        .about("Readers see them from then on.")
        .offered(Places::Both)
        .permissions(&["article.publish"])
        .example(json!({"notify": true}))
        .undo("withdraw");
    let withdraw = Definition::new("withdraw", "Withdraw {name}", Set("draft"))
        .plural("Withdraw {plural}")
        .permissions(&["article.publish"])
        .risk(Risk::Confirm);
    let kill = Definition::new("kill", "Kill {name}", Set("killed"))
        .permissions(&["article.delete"])
        .risk(Risk::Danger);
    let later = Definition::new("later", "Publish {name} later", Set("published"))
        .offered(Places::Both)
        .permissions(&["article.publish"])
        .background();
    Catalog::builder()
        .resource(
            TypeSpec::new("article", "article", "articles")
                .table("newsroom.article", "id")
                .name_column("title")
                .permission("publish"),
        )
        .resource(TypeSpec::new("issue", "issue", "issues"))
        .on("article", publish)
        .on("article", withdraw)
        .on("article", kill)
        .on("article", later)
        .on("issue", Definition::new("publish", "Publish {name}", Nothing))
        .build()
        .expect("a catalog")
}

/// A server with articles, and somebody who may publish them.
pub(crate) struct Newsroom {
    pub(crate) db: TestDb,
    pub(crate) rig: Rig,
}

impl Deref for Newsroom {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

/// 1 to 20 are drafts, 21 is published, 22 is locked, 23 is broken.
const TABLE: &str = "
CREATE SCHEMA newsroom;
CREATE TABLE newsroom.article (id bigint PRIMARY KEY, title text NOT NULL, state text NOT NULL);
GRANT USAGE ON SCHEMA newsroom TO gesta_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON newsroom.article TO gesta_app;
INSERT INTO newsroom.article SELECT n, 'Article ' || n, 'draft' FROM generate_series(1, 20) AS n;
INSERT INTO newsroom.article VALUES (21, 'Article 21', 'published'), (22, 'Article 22', 'locked'), (23, 'Article 23', 'broken');
";

/// The articles in a database.
pub(crate) async fn fill(db: &TestDb) {
    db.admin().await.batch_execute(TABLE).await.expect("a table");
}

impl Newsroom {
    pub(crate) async fn open() -> Self {
        let db = database().await;
        fill(&db).await;
        let settings = Settings { catalog: catalog(), ..Settings::default() };
        let rig = Rig::start_with(&db, settings).await;
        let room = Self { db, rig };
        room.permit("user:ed", &["article.publish"]).await;
        room
    }

    /// Gives somebody permissions.
    pub(crate) async fn permit(&self, who: &str, permissions: &[&str]) {
        let roles = Roles::new(&self.db.unbound_store().await);
        let by = Giver::operator(&Context::new(&resource("user:operator")));
        let name = || RoleName::new(who.replace(':', "-")).expect("a name");
        let permissions = permissions.iter().map(|it| it.parse().expect("a permission"));
        roles.put(&by, &NewRole::new(name()).permissions(permissions)).await.expect("a role");
        roles.add_member(&by, &name(), &resource(who)).await.expect("a member");
    }

    /// Sends JSON as the editor.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_by(EDITOR, path, &[], body).await
    }

    /// Sends JSON as anybody, with further headers.
    pub(crate) async fn post_by(
        &self,
        key: &str,
        path: &str,
        more: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let key = self.bearer(key);
        let mut headers = vec![
            ("authorization", key.as_str()),
            ("content-type", "application/json"),
            ("x-gesta-tenant", "default"),
        ];
        headers.extend(more);
        self.send(Method::POST, &format!("/api/v1{path}"), &headers, body.to_string()).await
    }

    /// Sends a verb without a body.
    pub(crate) async fn tell(&self, key: &str, path: &str) -> Answer {
        let key = self.bearer(key);
        let headers = [("authorization", key.as_str()), ("x-gesta-tenant", "default")];
        self.send(Method::POST, &format!("/api/v1{path}"), &headers, "").await
    }

    /// Reads as anybody.
    pub(crate) async fn read(&self, key: &str, path: &str) -> Answer {
        let key = self.bearer(key);
        let headers = [("authorization", key.as_str()), ("x-gesta-tenant", "default")];
        self.send(Method::GET, &format!("/api/v1{path}"), &headers, "").await
    }

    /// The states of the first articles, in the order of their ids.
    pub(crate) async fn states(&self, count: i64) -> Vec<String> {
        let sql = "SELECT state FROM newsroom.article ORDER BY id LIMIT $1";
        let rows = self.db.admin().await.query(sql, &[&count]).await.expect("the articles");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// What auditors read of the whole log, once the server has ended.
    pub(crate) async fn log(self) -> Vec<gesta::Action> {
        let Self { db, rig } = self;
        rig.stop().await.expect("it ends");
        let reader = gesta::Reader::new(&db.store().await, gesta::Tenant::default()).auditor();
        crate::support::page(&reader, gesta::StreamQuery::tenant().limit(1000)).await
    }
}
