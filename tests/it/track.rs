//! Triggers of tracked tables: what any program does to a table is in the log, once, with who did it.

mod context;
mod mark;
mod names;
mod partitions;
mod refused;
mod rights;
mod secrets;
mod shape;
mod ways;

use gesta::Context;
use gesta::error::chain;
use gesta::track::{TrackError, Tracked, Tracking};
use tokio_postgres::{Client, Error};

use crate::support::{TestDb, database};

/// The table of most tests.
const ARTICLE: &str =
    "CREATE TABLE article (id integer PRIMARY KEY, title text, views integer NOT NULL DEFAULT 0)";

/// What triggers recorded, in the order of the log: verb, object, changes.
const RECORDED: &str = "
SELECT concat_ws(' ', verb, object_type || ':' || object_id, changes::text)
FROM gesta.action WHERE source = 'trigger' ORDER BY seq";

/// A database and its superuser.
struct Desk {
    db: TestDb,
    admin: Client,
}

fn article() -> Tracking {
    tracking("article", "article", &["id"])
}

fn tracking(table: &str, kind: &str, key: &[&str]) -> Tracking {
    Tracking::new(table, kind.parse().expect("a type"), key.iter().copied())
}

impl Desk {
    /// A database with some tables.
    async fn new(tables: &str) -> Self {
        let db = database().await;
        let admin = db.admin().await;
        let desk = Self { db, admin };
        desk.run(tables).await;
        desk
    }

    /// A database with the table `article`, which is tracked.
    async fn article() -> Self {
        let desk = Self::new(ARTICLE).await;
        desk.track(&article()).await;
        desk
    }

    async fn run(&self, sql: &str) {
        if let Err(error) = self.admin.batch_execute(sql).await {
            panic!("{sql}: {}", chain(&error));
        }
    }

    async fn try_track(&self, tracking: &Tracking) -> Result<Tracked, TrackError> {
        let store = self.db.unbound_store().await;
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let ctx = Context::system("operator").expect("a name");
        let tracked = store.track(&tx, &ctx, tracking).await?;
        tx.commit().await.expect("committed");
        Ok(tracked)
    }

    async fn track(&self, tracking: &Tracking) -> Tracked {
        match self.try_track(tracking).await {
            Ok(tracked) => tracked,
            Err(error) => panic!("{}", chain(&error)),
        }
    }

    async fn untrack(&self, table: &str) {
        let store = self.db.unbound_store().await;
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        let ctx = Context::system("operator").expect("a name");
        let _told = store.untrack(&tx, &ctx, table).await.expect("untracked");
        tx.commit().await.expect("committed");
    }

    async fn tracked(&self) -> Vec<Tracked> {
        let store = self.db.unbound_store().await;
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        store.tracked(&tx).await.expect("the tables")
    }

    /// What triggers recorded since the last call of this.
    async fn recorded(&self) -> Vec<String> {
        let all = self.texts(RECORDED).await;
        let sql = "SELECT coalesce(current_setting('test.seen', true), '')";
        let seen: usize = self.text(sql).await.parse().unwrap_or(0);
        self.run(&format!("SET test.seen = '{}'", all.len())).await;
        all[seen..].to_vec()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        match self.admin.query(sql, &[]).await {
            Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
            Err(error) => panic!("{sql}: {}", chain(&error)),
        }
    }

    async fn text(&self, sql: &str) -> String {
        self.texts(sql).await.remove(0)
    }

    /// How the superuser fails.
    async fn fails(&self, sql: &str) -> String {
        fails(&self.admin, sql).await
    }
}

/// Everything that the server says about a failure.
fn whole(error: &Error) -> String {
    format!("{} {error:?}", chain(error))
}

async fn fails(client: &Client, sql: &str) -> String {
    match client.batch_execute(sql).await {
        Ok(()) => panic!("{sql} does not fail"),
        Err(error) => {
            client.batch_execute("ROLLBACK").await.expect("rolled back");
            whole(&error)
        }
    }
}
