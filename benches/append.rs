//! How fast is appending, beside the limit that hand-written SQL reaches on an identical table in the same process?
//!
//! `cargo bench --bench append [-- PART…]`, where a part is `single`, `batch`, `writer` or `import`. The server is a private
//! one, unless `GESTA_BENCH_URL` names another as a superuser.
#![expect(clippy::expect_used, reason = "a bench ends at the first failure")]

#[path = "support/import.rs"]
mod import;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use gesta::{ActionId, Context, NewAction, ResourceRef, Store, Writer};
use support::{Bench, median, wanted};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// How often each figure is taken; the two sides take turns.
const ROUNDS: usize = 3;
/// How long a figure is taken.
const WINDOW: Duration = Duration::from_millis(1500);
/// How long a writer runs before that: connections and plans are made once, and not for a figure.
const WARM_UP: Duration = Duration::from_millis(200);

const RAW_ROW: &str = "INSERT INTO raw.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type,
    target_id, occurred_at, run_id, source, outcome, description, changes, data, names, context, audience)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

const RAW_BATCH: &str = "INSERT INTO raw.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type,
    target_id, occurred_at, run_id, source, outcome, description, changes, data, names, context, audience)
SELECT 'default', id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id, occurred_at, NULL,
    'emit', 'ok', NULL, NULL, data, names, NULL, '{public}'
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::jsonb[], $11::jsonb[])
    AS r (id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id, occurred_at, data, names)";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::start().await;
        println!("{:<44} {:>12} {:>12} {:>8}", "rows a second", "gesta", "limit", "ratio");
        let mut eight = None;
        if wanted("single") {
            for connections in [1, 8, 32] {
                let (ours, raw) = single(&bench, connections).await;
                line(&format!("one row a commit, {connections} connections"), ours, raw);
                eight = (connections == 8).then_some((ours, raw)).or(eight);
            }
        }
        let mut thousand = None;
        if wanted("batch") {
            for len in [100, 1_000] {
                let (ours, raw) = batches(&bench, len).await;
                line(&format!("unnest batches of {len}"), ours, raw);
                thousand = Some((ours, raw));
            }
        }
        if wanted("writer") {
            writers(&bench, eight, thousand).await;
        }
        if wanted("import") {
            import::run(&bench).await;
        }
        bench.end().await;
    });
}

fn line(what: &str, ours: f64, limit: f64) {
    println!("{what:<44} {ours:>12.0} {limit:>12.0} {:>8.2}", ours / limit);
}

/// A row with the shape of the git histories: a path of some 60 bytes, a subject, names.
struct Sample {
    actor: String,
    object: String,
    target: String,
    data: serde_json::Value,
    names: serde_json::Value,
}

fn sample(n: u64) -> Sample {
    // A multiplicative hash spreads the objects; a square favours few actors.
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let actor = (spread % 1000) * (spread % 1000) / 1000;
    Sample {
        actor: format!("{actor:016x}"),
        object: format!("rails/rails:activesupport/test/cases/part_{}/test_{spread}.rb", n % 97),
        target: format!("rails/rails_{}", spread % 5),
        data: serde_json::json!({
            "subject": format!("Merge pull request #{n} from somebody/some_branch"),
            "recorded_at": "2017-02-20T20:07:35Z"
        }),
        names: serde_json::json!({ "actor": format!("Somebody {actor}") }),
    }
}

fn action(n: u64) -> NewAction {
    let Sample { actor, object, target, data, names } = sample(n);
    let name = names["actor"].as_str().expect("a name").to_owned();
    let actor = ResourceRef::new("user", actor).expect("valid").named(name);
    NewAction::new("updated", &Context::new(&actor))
        .object(&ResourceRef::new("file", object).expect("valid"))
        .target(&ResourceRef::new("repository", target).expect("valid"))
        .data(data)
}

/// The next number of a row, unlike all others of this process.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Lets tasks work until a deadline, each of which says how many rows it stored, and gives the rows a second of all.
async fn rate<F>(tasks: usize, window: Duration, work: impl Fn(Instant) -> F) -> f64
where
    F: Future<Output = u64> + Send + 'static,
{
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks).map(|_| tokio::spawn(work(start + window))).collect();
    let mut rows = 0;
    for task in tasks {
        rows += task.await.expect("a task that ends");
    }
    #[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
    let rows = rows as f64;
    rows / start.elapsed().as_secs_f64()
}

/// Both sides in turn, on emptied tables; the medians.
async fn rounds<A, B>(bench: &Bench, ours: impl Fn() -> A, raw: impl Fn() -> B) -> (f64, f64)
where
    A: Future<Output = f64>,
    B: Future<Output = f64>,
{
    let mut figures = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        bench.reset().await;
        if round % 2 == 0 {
            figures.0.push(ours().await);
            figures.1.push(raw().await);
        } else {
            figures.1.push(raw().await);
            figures.0.push(ours().await);
        }
    }
    (median(figures.0), median(figures.1))
}

async fn single(bench: &Bench, connections: usize) -> (f64, f64) {
    let ours = || async {
        let store = bench.store("gesta_app", connections);
        rate(connections, WINDOW, |deadline| one_by_one(store.clone(), deadline)).await
    };
    let raw = || async {
        let pool = bench.pool("gesta_app", connections);
        rate(connections, WINDOW, |deadline| raw_one_by_one(pool.clone(), deadline)).await
    };
    rounds(bench, ours, raw).await
}

async fn one_by_one(store: Store, deadline: Instant) -> u64 {
    let mut rows = 0;
    let mut client = store.client().await.expect("a connection");
    while Instant::now() < deadline {
        let tx = client.transaction().await.expect("begun");
        let _ = store.append(&tx, action(next())).await.expect("appended");
        tx.commit().await.expect("committed");
        rows += 1;
    }
    rows
}

/// What a careful application would write by hand: the same transaction, a prepared statement.
async fn raw_one_by_one(pool: Pool, deadline: Instant) -> u64 {
    let mut rows = 0;
    let mut client = pool.get().await.expect("a connection");
    while Instant::now() < deadline {
        let tx = client.transaction().await.expect("begun");
        let statement = tx.prepare_cached(RAW_ROW).await.expect("prepared");
        let n = next();
        let row = sample(n);
        let (id, at) = stamp(n);
        let none: Option<&str> = None;
        let no_json: Option<serde_json::Value> = None;
        let params: [&(dyn ToSql + Sync); 19] = [
            &"default",
            &id,
            &"user",
            &row.actor,
            &"updated",
            &"file",
            &row.object,
            &"repository",
            &row.target,
            &at,
            &None::<Uuid>,
            &"emit",
            &"ok",
            &none,
            &no_json,
            &row.data,
            &row.names,
            &no_json,
            &vec!["public"],
        ];
        tx.execute(&statement, &params).await.expect("inserted");
        tx.commit().await.expect("committed");
        rows += 1;
    }
    rows
}

fn stamp(n: u64) -> (Uuid, chrono::DateTime<chrono::Utc>) {
    #[expect(clippy::disallowed_methods, reason = "a bench runs on the real clock")]
    let now = chrono::Utc::now();
    (ActionId::new(now, n).uuid(), now)
}

async fn batches(bench: &Bench, len: usize) -> (f64, f64) {
    let ours = || async {
        let store = bench.store("gesta_app", 1);
        rate(1, WINDOW, |deadline| batch_by_batch(store.clone(), len, deadline)).await
    };
    let raw = || async {
        let pool = bench.pool("gesta_app", 1);
        rate(1, WINDOW, |deadline| raw_batch_by_batch(pool.clone(), len, deadline)).await
    };
    rounds(bench, ours, raw).await
}

async fn batch_by_batch(store: Store, len: usize, deadline: Instant) -> u64 {
    let mut rows = 0;
    let mut client = store.client().await.expect("a connection");
    while Instant::now() < deadline {
        let tx = client.transaction().await.expect("begun");
        let actions = (0..len).map(|_| action(next())).collect();
        rows += store.append_all(&tx, actions).await.expect("appended").len() as u64;
        tx.commit().await.expect("committed");
    }
    rows
}

async fn raw_batch_by_batch(pool: Pool, len: usize, deadline: Instant) -> u64 {
    let mut rows = 0;
    let mut client = pool.get().await.expect("a connection");
    while Instant::now() < deadline {
        let tx = client.transaction().await.expect("begun");
        let statement = tx.prepare_cached(RAW_BATCH).await.expect("prepared");
        let numbers: Vec<_> = (0..len).map(|_| next()).collect();
        let samples: Vec<_> = numbers.iter().map(|&n| sample(n)).collect();
        let (ids, times): (Vec<_>, Vec<_>) = numbers.iter().map(|&n| stamp(n)).unzip();
        let word = |text: &'static str| vec![text; len];
        let column = |of: fn(&Sample) -> &str| samples.iter().map(of).collect::<Vec<_>>();
        let data: Vec<_> = samples.iter().map(|row| &row.data).collect();
        let names: Vec<_> = samples.iter().map(|row| &row.names).collect();
        let params: [&(dyn ToSql + Sync); 11] = [
            &ids,
            &word("user"),
            &column(|row| &row.actor),
            &word("updated"),
            &word("file"),
            &column(|row| &row.object),
            &word("repository"),
            &column(|row| &row.target),
            &times,
            &data,
            &names,
        ];
        rows += tx.execute(&statement, &params).await.expect("inserted");
        tx.commit().await.expect("committed");
    }
    rows
}

/// Gathered appends beside one row a commit on 8 connections and batches of 1,000.
async fn writers(bench: &Bench, eight: Option<(f64, f64)>, thousand: Option<(f64, f64)>) {
    for callers in [1, 8, 64, 512] {
        let mut figures = Vec::new();
        let mut waits = Vec::new();
        for _ in 0..ROUNDS {
            bench.reset().await;
            let store = bench.store("gesta_app", 4);
            let round = Arc::new(Mutex::new(Vec::new()));
            let writer = store.writer();
            let work = |deadline| gathered(writer.clone(), Arc::clone(&round), deadline);
            rate(callers, WARM_UP, work).await;
            round.lock().expect("no panic").clear();
            figures.push(rate(callers, WINDOW, work).await);
            waits.append(&mut round.lock().expect("no panic"));
        }
        waits.sort();
        let ours = median(figures);
        let [p50, p99] = [50, 99].map(|p| waits[(waits.len() - 1) * p / 100]);
        println!(
            "{:<44} {ours:>12.0}   p50 {p50:.1?}, p99 {p99:.1?}",
            format!("writer, {callers} callers")
        );
        if let Some((single, raw)) = eight.filter(|_| callers == 64) {
            line("  beside one row a commit, 8 connections", ours, single);
            line("  beside the raw form of it", ours, raw);
        }
        if let Some((batch, raw)) = thousand.filter(|_| callers == 512) {
            line("  beside unnest batches of 1000", ours, batch);
            line("  beside the raw form of it", ours, raw);
        }
    }
}

async fn gathered(writer: Writer, waits: Arc<Mutex<Vec<Duration>>>, deadline: Instant) -> u64 {
    let mut own = Vec::new();
    while Instant::now() < deadline {
        let start = Instant::now();
        let _ = writer.append(action(next())).await.expect("appended");
        own.push(start.elapsed());
    }
    let rows = own.len() as u64;
    waits.lock().expect("no panic").append(&mut own);
    rows
}
