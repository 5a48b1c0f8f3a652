//! Articles, and what people do to them: some are done, some are not, and some break a rule of the database.

use std::collections::HashMap;
use std::time::Duration;

use gesta::definition::{
    Asker, Catalog, CatalogBuilder, Definition, Fate, Fault, Level, Operation, Piece, Rights,
    TypeSpec,
};
use gesta::run::{
    ItemInfo, ItemOutcome, ItemQuery, RunError, RunInfo, Runs, SelectionInfo, Start, Started, Which,
};
use gesta::session::Selection;
use gesta::{
    Action, Context, Hook, Model, Resource, ResourceRef, ResourceType, Store, StreamQuery, Tenant,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::support::{TestDb, database, public, resource, walk};

/// An article that is called bad cannot be public; a trigger counts how often each was changed.
const TABLES: &str = "
CREATE SCHEMA press;
CREATE TABLE press.article (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'draft',
    words integer,
    seen_at timestamptz,
    edits integer NOT NULL DEFAULT 0,
    CONSTRAINT article_bad_is_no_public CHECK (state <> 'public' OR title NOT LIKE 'bad %')
);
CREATE FUNCTION press.count_edits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.edits := OLD.edits + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER count_edits BEFORE UPDATE OF state ON press.article
    FOR EACH ROW EXECUTE FUNCTION press.count_edits();
CREATE TABLE press.photo (
    article bigint NOT NULL CONSTRAINT photo_of_article REFERENCES press.article DEFERRABLE INITIALLY DEFERRED
);
GRANT USAGE ON SCHEMA press TO gesta_app;
GRANT ALL ON ALL TABLES IN SCHEMA press TO gesta_app;";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Article {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) state: String,
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
    const TABLE: &'static str = "press.article";
    const KEY: &'static str = "id";
}

impl Hook for Article {}

/// Makes articles public: one statement a piece. What is public is skipped, what is secret is denied.
pub(super) struct Publish;

impl Operation for Publish {
    type Input = ();

    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        judge(piece).await?;
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        let patch = json!({ "state": "public" });
        piece.session().update::<Article>(Selection::ids(ids), &patch).await?;
        Ok(())
    }
}

/// Says of each object that is not to be done what becomes of it.
async fn judge(piece: &mut Piece<'_, '_>) -> Result<(), Fault> {
    let ids: Vec<_> = piece.items().iter().map(|item| item.object.id.to_string()).collect();
    let sql =
        "SELECT id::text, title, state FROM press.article WHERE id = ANY ($1::text[]::bigint[])";
    let rows = piece.session().transaction().query(sql, &[&ids]).await;
    let rows = rows.map_err(|error| Fault::caused("failed to read the articles", error))?;
    let rows: HashMap<&str, &Row> = rows.iter().map(|row| (row.get(0), row)).collect();
    for (index, id) in ids.iter().enumerate() {
        let Some(row) = rows.get(id.as_str()) else {
            piece.settle(index, Fate::Failed("it is gone".to_owned()));
            continue;
        };
        let (title, state): (&str, &str) = (row.get(1), row.get(2));
        if state == "public" {
            piece.settle(index, Fate::Skipped("it is public already".to_owned()));
        } else if title.starts_with("secret") {
            piece.settle(index, Fate::Denied("it is secret".to_owned()));
            piece.tell(Level::Warning, format!("article {id} is secret"));
        }
    }
    Ok(())
}

/// What a mail of the desk has, with a secret.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Mail {
    /// To whom.
    #[expect(dead_code, reason = "a test's input")]
    to: String,
    #[schemars(extend("writeOnly" = true))]
    password: String,
}

/// Needs the secret: without it, nothing is done.
pub(super) struct Send;

impl Operation for Send {
    type Input = Mail;

    async fn run(&self, piece: &mut Piece<'_, '_>, mail: &Mail) -> Result<(), Fault> {
        if mail.password == "s3cret" {
            piece.tell(Level::Success, "sent");
            Ok(())
        } else {
            Err(Fault::new("the password is wrong"))
        }
    }
}

/// The catalog that most tests use.
pub(super) fn definitions() -> CatalogBuilder {
    let publish = |name: &str| {
        Definition::new(name, "Publish {name}", Publish)
            .plural("Publish selected {plural}")
            .permissions(&["article.publish"])
    };
    Catalog::builder()
        .resource(
            TypeSpec::model::<Article>("article", "article", "articles")
                .name_column("title")
                .permission("publish")
                .filters(&["id", "title", "state", "words"]),
        )
        .resource(TypeSpec::new("server", "server", "servers"))
        .on("article", publish("publish"))
        .on("article", publish("publish_with_care").risk(gesta::definition::Risk::Confirm))
        .on("article", publish("publish_all").atomic())
        .on("article", Definition::new("mail", "Mail {name}", Send).permissions(&["article.view"]))
}

/// A database with articles `article 1`, `article 2`, …, and the engine over them.
pub(super) struct Press {
    pub(super) db: TestDb,
    pub(super) admin: Client,
    pub(super) store: Store,
    pub(super) runs: Runs,
}

/// So many articles.
pub(super) async fn press(articles: i64) -> Press {
    press_with(articles, definitions()).await
}

/// So many articles, and other definitions.
pub(super) async fn press_with(articles: i64, definitions: CatalogBuilder) -> Press {
    let db = database().await;
    let admin = db.admin().await;
    admin.batch_execute(TABLES).await.expect("the tables");
    let sql = "INSERT INTO press.article (id, title) SELECT n, 'article ' || n FROM generate_series(1, $1::bigint) AS n";
    admin.execute(sql, &[&articles]).await.expect("the articles");
    let store = db.store().await;
    let catalog = definitions.build().expect("a catalog");
    let runs = Runs::new(&store, catalog).lease(Duration::from_secs(5));
    Press { db, admin, store, runs }
}

/// `article`
pub(super) fn article() -> ResourceType {
    ResourceType::new("article").expect("a type")
}

/// Somebody with these permissions.
pub(super) fn asker(who: &str, rights: Rights) -> Asker {
    let context = Context::new(&resource(who).named("Alice")).reason("ticket 7");
    Asker { context, rights }
}

/// An editor who may publish.
pub(super) fn editor() -> Asker {
    asker("user:1", Rights::new(["article.publish", "article.view"]))
}

/// `["1", "2"]`
pub(super) fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

impl Press {
    /// Changes rows by a statement of the test's own.
    pub(super) async fn sql(&self, sql: &str) {
        self.admin.batch_execute(sql).await.expect(sql);
    }

    /// A number that a statement gives.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.expect(sql).get(0)
    }

    pub(super) async fn select(&self, which: Which) -> Result<SelectionInfo, RunError> {
        self.runs.select(&editor(), &article(), which, None).await
    }

    pub(super) async fn selected(&self, numbers: impl IntoIterator<Item = i64>) -> Uuid {
        self.select(Which::Ids(ids(numbers))).await.expect("selected").id
    }

    /// Starts it as the editor.
    pub(super) async fn start(&self, order: Start) -> Result<Started, RunError> {
        self.runs.start(&editor(), order).await
    }

    /// Runs `publish` over these articles, in the foreground.
    pub(super) async fn publish(&self, numbers: impl IntoIterator<Item = i64>) -> RunInfo {
        let selection = self.selected(numbers).await;
        let order = Start::new(article(), "publish", selection);
        self.start(order).await.expect("started").run
    }

    pub(super) async fn info(&self, run: Uuid) -> RunInfo {
        self.runs.run(&Tenant::default(), run).await.expect("the run")
    }

    /// All objects of a run.
    pub(super) async fn items(&self, run: Uuid) -> Vec<ItemInfo> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let wanted = ItemQuery { after, limit: Some(1000), ..ItemQuery::default() };
            let page = self.runs.items(&Tenant::default(), run, wanted).await.expect("the items");
            items.extend(page.items);
            after = page.next;
            if after.is_none() {
                return items;
            }
        }
    }

    /// The outcomes of all objects, in their order.
    pub(super) async fn outcomes(&self, run: Uuid) -> Vec<ItemOutcome> {
        self.items(run).await.into_iter().map(|item| item.outcome).collect()
    }

    /// All actions about a resource, oldest first, as an auditor sees them.
    pub(super) async fn stream(&self, object: &str) -> Vec<Action> {
        let reader = public(&self.store).auditor();
        let query = StreamQuery::object(&resource(object)).limit(1000);
        let (mut actions, _) = walk(&reader, &query).await;
        actions.reverse();
        actions
    }

    /// The verbs of these actions.
    pub(super) async fn verbs(&self, object: &str) -> Vec<String> {
        self.stream(object).await.into_iter().map(|action| action.verb).collect()
    }
}

/// Waits until a run has ended.
pub(super) async fn ended(press: &Press, run: Uuid) -> RunInfo {
    loop {
        let info = press.info(run).await;
        if info.state.is_ended() {
            return info;
        }
        press.admin.batch_execute("SELECT pg_sleep(0.01)").await.expect("slept");
    }
}

/// `(total, done, skipped, denied, failed)`
pub(super) fn counts(run: &RunInfo) -> [u32; 5] {
    let counts = run.counts;
    [counts.total, counts.done, counts.skipped, counts.denied, counts.failed]
}
