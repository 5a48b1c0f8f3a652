//! What does it cost that nothing goes unrecorded? Saves and bulk operations on a table of 11 columns, captured by the
//! session, captured by triggers, and by a trigger that looks up the catalog and stores whole rows one by one, as
//! well-known add-ons do. The limit of capture is the bare statement and a raw INSERT of the same action rows into the
//! same indexes, in one transaction; all in the same process, one connection each.
//!
//! `cargo bench --bench capture`, or `… -- "update 100000"` for some of the lines. The server is private and durable, unless `GESTA_BENCH_URL` names one.
#![expect(clippy::expect_used, reason = "a bench ends at the first failure")]

#[path = "capture/schema.rs"]
mod schema;
mod support;

use std::time::Instant;

use gesta::session::{Selection, Written};
use gesta::{Context, ResourceRef, Session, Store};
use schema::Article;
use serde_json::json;
use support::{Bench, median, wanted};
use tokio_postgres::Client;

/// How often each figure is taken; the kinds take turns.
const ROUNDS: i64 = 3;
/// Rows of a bulk operation.
const SIZES: [i64; 2] = [10_000, 100_000];
/// Single saves, each with its own commit.
const SAVES: i64 = 500;

/// What is done to the table.
#[derive(Clone, Copy)]
enum Operation {
    Insert,
    Update,
    Delete,
}

/// Seconds of the five kinds; each captured one has a limit of its own, since its action rows are its own.
#[derive(Default)]
struct Figures {
    bare: Vec<f64>,
    session: Vec<f64>,
    session_limit: Vec<f64>,
    trigger: Vec<f64>,
    trigger_limit: Vec<f64>,
    whole: Vec<f64>,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::start().await;
        let store = bench.store("gesta_app", 2);
        println!(
            "{:<24} {:>9} {:>9} {:>7} {:>9} {:>7} {:>9} {:>9}",
            "milliseconds", "bare", "session", "limit×", "trigger", "limit×", "per row", "trigger×"
        );
        if wanted("save") {
            single(&bench, &store).await;
        }
        for rows in SIZES {
            for operation in [Operation::Update, Operation::Insert, Operation::Delete] {
                if wanted(&operation.title(rows)) {
                    bulk(&bench, &store, operation, rows).await;
                }
            }
        }
        println!("peak memory of this process: {} MB", peak());
        bench.end().await;
    });
}

/// One row a transaction: the figures are of one save.
async fn single(bench: &Bench, store: &Store) {
    let admin = schema::fill(bench, SAVES).await;
    let mut figures = Figures::default();
    for round in 0..ROUNDS {
        let state = |id: i64| format!("state {round} of {id}");
        let mut client = store.client().await.expect("a connection");
        let began = Instant::now();
        for id in 1..=SAVES {
            let article = Article { state: state(id), ..Article::number(id) };
            let mut session =
                Session::begin(store, &mut client, &context()).await.expect("a session");
            let _saved = session.save(&article).await.expect("it is saved");
            session.commit().await.expect("it is committed");
        }
        figures.session.push(began.elapsed().as_secs_f64());
        drop(client);
        let app = bench.client("gesta_app").await;
        for (table, times) in [
            ("bare", &mut figures.bare),
            ("tracked", &mut figures.trigger),
            ("whole", &mut figures.whole),
        ] {
            let sql = format!("UPDATE app.{table} SET state = $1 WHERE id = $2");
            let update = app.prepare(&sql).await.expect("a statement");
            let began = Instant::now();
            for id in 1..=SAVES {
                app.execute(&update, &[&state(id), &id]).await.expect("it is updated");
            }
            times.push(began.elapsed().as_secs_f64());
        }
        let mut app = app;
        for (source, times) in
            [("save", &mut figures.session_limit), ("trigger", &mut figures.trigger_limit)]
        {
            schema::give(&admin, source, SAVES).await;
            let update = app.prepare("UPDATE app.bare SET state = $1 WHERE id = $2").await;
            let update = update.expect("a statement");
            let insert = app.prepare(&schema::insert_given("WHERE n = $1")).await;
            let insert = insert.expect("a statement");
            let began = Instant::now();
            for id in 1..=SAVES {
                let tx = app.transaction().await.expect("a transaction");
                tx.execute(&update, &[&format!("{} again", state(id)), &id])
                    .await
                    .expect("updated");
                tx.execute(&insert, &[&id]).await.expect("the action is inserted");
                tx.commit().await.expect("it is committed");
            }
            times.push(began.elapsed().as_secs_f64());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    figures.print("save", 1000.0 / SAVES as f64);
}

async fn bulk(bench: &Bench, store: &Store, operation: Operation, rows: i64) {
    let admin = schema::fill(bench, rows).await;
    let mut figures = Figures::default();
    for round in 0..ROUNDS {
        figures.bare.push(statement(&admin, operation, "bare", rows, round).await);
        figures.session.push(captured(&admin, store, operation, rows, round).await);
        schema::give(&admin, "bulk", rows).await;
        figures.session_limit.push(limit(&admin, operation, rows, round).await);
        figures.trigger.push(statement(&admin, operation, "tracked", rows, round).await);
        schema::give(&admin, "trigger", rows).await;
        figures.trigger_limit.push(limit(&admin, operation, rows, round).await);
        figures.whole.push(statement(&admin, operation, "whole", rows, round).await);
    }
    figures.print(&operation.title(rows), 1000.0);
}

/// A bare statement on one of the tables; the triggers that it has are part of it.
async fn statement(
    admin: &Client,
    operation: Operation,
    table: &str,
    rows: i64,
    round: i64,
) -> f64 {
    schema::prepare(admin, operation, table, rows).await;
    let sql = schema::sql(operation, table, rows, round);
    let began = Instant::now();
    admin.batch_execute(&sql).await.expect("the statement runs");
    began.elapsed().as_secs_f64()
}

/// The bare statement and a raw INSERT of the action rows that were given.
async fn limit(admin: &Client, operation: Operation, rows: i64, round: i64) -> f64 {
    schema::prepare(admin, operation, "bare", rows).await;
    let sql = format!(
        "BEGIN; {}; {}; COMMIT",
        schema::sql(operation, "bare", rows, round + ROUNDS),
        schema::insert_given("")
    );
    let began = Instant::now();
    admin.batch_execute(&sql).await.expect("the limit runs");
    began.elapsed().as_secs_f64()
}

async fn captured(
    admin: &Client,
    store: &Store,
    operation: Operation,
    rows: i64,
    round: i64,
) -> f64 {
    schema::prepare(admin, operation, "article", rows).await;
    let articles: Vec<Article> = match operation {
        Operation::Insert => (1..=rows).map(Article::number).collect(),
        _ => Vec::new(),
    };
    let mut client = store.client().await.expect("a connection");
    let began = Instant::now();
    let mut session = Session::begin(store, &mut client, &context()).await.expect("a session");
    let written = match operation {
        Operation::Insert => session.save_all(&articles).await,
        Operation::Update => {
            let patch = json!({ "state": format!("state {round}") });
            session.update::<Article>(Selection::all(), &patch).await
        }
        Operation::Delete => session.delete::<Article>(Selection::all()).await,
    };
    let written: Written = written.expect("the rows are changed");
    session.commit().await.expect("they are committed");
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(i64::try_from(written.actions), Ok(rows), "an action a row");
    seconds
}

fn context() -> Context {
    let alice = ResourceRef::new("user", "42").expect("a user").named("Alice");
    Context::new(&alice).request_id("7f3a-22").reason("end of the quarter")
}

impl Operation {
    fn title(self, rows: i64) -> String {
        let name = match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        };
        format!("bulk {name} {rows} rows")
    }
}

impl Figures {
    fn print(self, name: &str, unit: f64) {
        let [bare, session, session_limit, trigger, trigger_limit, whole] = [
            self.bare,
            self.session,
            self.session_limit,
            self.trigger,
            self.trigger_limit,
            self.whole,
        ]
        .map(|times| median(times) * unit);
        println!(
            "{name:<24} {bare:>9.2} {session:>9.2} {:>7.2} {trigger:>9.2} {:>7.2} {whole:>9.2} {:>9.2}",
            session / session_limit,
            trigger / trigger_limit,
            whole / trigger,
        );
    }
}

/// The most memory that this process ever had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) >> 10
}
