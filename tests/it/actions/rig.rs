//! A newsroom's database and its catalog, and pieces that are run by hand.

use std::sync::Mutex;

use futures_util::future::BoxFuture;
use gesta::definition::{
    Asker, Catalog, Consequences, Effect, Fate, Fault, Item, Message, Order, Piece, Remote,
    Reporter, Rights, Sent, TypeSpec, built_in,
};
use gesta::{Context, ResourceType, Session, Store};
use serde_json::Value;
use tokio_postgres::Client;

use crate::support::tools::example;
use crate::support::{TestDb, database, resource};

/// The sample's tables, with three articles in a section: 1 has comments, 2 was sent by a newsletter, 3 has neither.
const ROWS: &str = "
INSERT INTO newsroom.section VALUES (1, 'Sea');
INSERT INTO newsroom.article (id, section, title) SELECT n, 1, 'Article ' || n FROM generate_series(1, 3) AS n;
INSERT INTO newsroom.comment VALUES (1, 1, NULL, 'first'), (2, 1, 1, 'no, second'), (3, 1, 2, 'well');
INSERT INTO newsroom.newsletter VALUES (70, 2), (71, 2);
INSERT INTO extraction.source SELECT 's' || n, 'Source ' || n, 's3://' || n FROM generate_series(1, 60) AS n";

pub(super) struct Desk {
    pub(super) db: TestDb,
    pub(super) store: Store,
    pub(super) admin: Client,
    pub(super) catalog: Catalog,
}

/// The types of the sample, with what is built in.
pub(super) fn catalog() -> Catalog {
    let article = TypeSpec::new("article", "article", "articles").table("newsroom.article", "id");
    let comment = TypeSpec::new("comment", "comment", "comments").table("newsroom.comment", "id");
    let section = TypeSpec::new("section", "section", "sections").table("newsroom.section", "id");
    Catalog::builder()
        .resource(article)
        .resource(comment)
        .resource(section)
        .site(built_in::delete())
        .site(built_in::export())
        .build()
        .expect("a catalog")
}

pub(super) fn asker(rights: &[&str]) -> Asker {
    let context = Context::new(&resource("user:42").named("Alice")).reason("spring cleaning");
    Asker { context, rights: Rights::new(rights.iter().copied()) }
}

pub(super) fn items(kind: &str, ids: &[&str]) -> Vec<Item> {
    let item = |(place, id): (u32, &&str)| Item {
        place,
        object: resource(&format!("{kind}:{id}")),
        name: Some(format!("the {kind} {id}")),
    };
    (0..).zip(ids).map(item).collect()
}

impl Desk {
    pub(super) async fn new() -> Self {
        Self::with(catalog()).await
    }

    pub(super) async fn with(catalog: Catalog) -> Self {
        let db = database().await;
        let (store, admin) = (db.store().await, db.admin().await);
        let desk = Self { db, store, admin, catalog };
        let schema = std::fs::read_to_string(example("actions/schema.sql")).expect("the tables");
        desk.sql(&schema).await;
        desk.sql(ROWS).await;
        desk
    }

    /// Statements of the superuser.
    pub(super) async fn sql(&self, sql: &str) {
        if let Err(error) = self.admin.batch_execute(sql).await {
            panic!("{sql}: {}", gesta::error::chain(&error));
        }
    }

    /// The texts that a query gives.
    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.admin.query(sql, &[]).await.expect(sql);
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Runs a definition on one piece: commits what was done, with what became of each object.
    pub(super) async fn piece(
        &self,
        (kind, name): (&str, &str),
        ids: &[&str],
        input: Value,
        asker: &Asker,
    ) -> Result<(Vec<Fate>, Vec<Message>), Fault> {
        let (kind, items) = (kind.parse::<ResourceType>().expect("a type"), items(kind, ids));
        let mut client = self.store.client().await.expect("a connection");
        let mut session =
            Session::begin(&self.store, &mut client, &asker.context).await.expect("begun");
        let mut piece = Piece::new(&mut session, &self.catalog, &asker.rights, &kind, &items);
        let Effect::Local(operation) = self.catalog.known(&kind, name).expect(name).effect() else {
            panic!("{name} is done elsewhere");
        };
        operation.run(&mut piece, &input).await?;
        let told = piece.told();
        // As the engine does, which wants to know of each piece what the database would only say at COMMIT.
        let checked = session.transaction().batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await;
        checked.map_err(|error| Fault::caused("it breaks a rule of the database", error))?;
        session.commit().await?;
        Ok(told)
    }

    /// What becomes of each object, as the engine finds out: a piece that fails is divided.
    pub(super) async fn fates(
        &self,
        what: (&str, &str),
        ids: &[&str],
        asker: &Asker,
    ) -> Vec<(String, Fate)> {
        let (mut open, mut told) = (vec![ids], Vec::new());
        while let Some(ids) = open.pop() {
            match (self.piece(what, ids, serde_json::json!({}), asker).await, ids) {
                (Ok((fates, _)), _) => told.extend(ids.iter().map(ToString::to_string).zip(fates)),
                (Err(fault), [id]) => {
                    told.push(((*id).to_owned(), Fate::Failed(gesta::error::chain(&fault))));
                }
                (Err(_), _) => open.extend([&ids[ids.len() / 2..], &ids[..ids.len() / 2]]),
            }
        }
        told
    }

    /// What deleting objects would take with it.
    pub(super) async fn consequences(
        &self,
        kind: &str,
        ids: &[&str],
        asker: &Asker,
    ) -> Consequences {
        let (kind, items) = (kind.parse::<ResourceType>().expect("a type"), items(kind, ids));
        let mut client = self.store.client().await.expect("a connection");
        let mut session =
            Session::begin(&self.store, &mut client, &asker.context).await.expect("begun");
        let mut piece = Piece::new(&mut session, &self.catalog, &asker.rights, &kind, &items);
        let Effect::Local(operation) = self.catalog.known(&kind, "delete").expect("there").effect()
        else {
            panic!("it is local");
        };
        let found = operation.consequences(&mut piece, &serde_json::json!({})).await;
        found.unwrap_or_else(|fault| panic!("{}", gesta::error::chain(&fault)))
    }

    /// Verb, object and changes of all actions of some verb, in the order of the log.
    pub(super) async fn log(&self, verb: &str) -> Vec<String> {
        let sql = format!(
            "SELECT concat_ws(' ', source, object_type || ':' || object_id, names->>'object', changes::text)
             FROM gesta.action WHERE verb = '{verb}' ORDER BY seq"
        );
        self.texts(&sql).await
    }
}

/// What a remote reports, kept in memory.
#[derive(Default)]
pub(super) struct Reports {
    pub(super) fates: Mutex<Vec<(u32, Fate)>>,
    pub(super) messages: Mutex<Vec<Message>>,
    /// The run is cancelled when so many objects are settled.
    pub(super) cancel_at: Option<usize>,
}

impl Reporter for Reports {
    fn report(
        &self,
        fates: Vec<(u32, Fate)>,
        messages: Vec<Message>,
    ) -> BoxFuture<'_, Result<bool, Fault>> {
        let mut kept = self.fates.lock().expect("the fates");
        for (place, fate) in fates {
            if !kept.iter().any(|(known, _)| *known == place) {
                kept.push((place, fate));
            }
        }
        self.messages.lock().expect("the messages").extend(messages);
        let goes_on = self.cancel_at.is_none_or(|most| kept.len() < most);
        Box::pin(std::future::ready(Ok(goes_on)))
    }
}

impl Reports {
    /// The fates in the order of the places.
    pub(super) fn fates(&self) -> Vec<(u32, Fate)> {
        let mut fates = self.fates.lock().expect("the fates").clone();
        fates.sort_by_key(|(place, _)| *place);
        fates
    }

    /// Sends an order as often as the engine does: until nothing is pending.
    pub(super) async fn settle(&self, remote: &dyn Remote, order: &Order) {
        loop {
            let known: Vec<u32> = self.fates().into_iter().map(|(place, _)| place).collect();
            let mut order = order.clone();
            order.items.retain(|item| !known.contains(&item.place));
            if order.items.is_empty() {
                return;
            }
            if let Sent::Unheard(_) = remote.send(&order, self).await.expect("sent") {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

/// An order of a run, for the objects 0, 1, 2, …
pub(super) fn order(kind: &str, ids: &[&str], input: Value) -> Order {
    Order {
        run: uuid::Uuid::from_u128(7),
        definition: "run_now".to_owned(),
        kind: kind.parse().expect("a type"),
        context: asker(&[]).context,
        input,
        items: items(kind, ids),
    }
}
