//! How fast are streams and feeds on two million actions? Streams stand beside the same page by hand-written SQL, feeds
//! beside the one big OR that django-activity-stream sends (`user_stream`), all in the same process.
//!
//! `cargo bench --bench streams`. Reads `../shared/data/git-1m-part*.jsonl.gz` twice where they are there, and else
//! makes actions with a like skew. The server is private and durable, unless `GESTA_BENCH_URL` names one.
#![expect(clippy::expect_used, reason = "a bench ends at the first failure")]

mod support;

use std::time::Instant;

use gesta::stream::{Cursor, Role};
use gesta::{Context, FeedQuery, Follow, Reader, ResourceRef, Store, StreamQuery, Tenant};
use support::{Bench, fill};
use tokio_postgres::{Client, Statement};

/// How often a page is read; the two sides take turns.
const ROUNDS: usize = 200;
/// How often where the limit is so slow that this would take minutes.
const ROUNDS_SLOW: usize = 5;

/// Keys of a stream by how busy they are: the busiest, and one in the middle.
const KEYS: &str = "SELECT key FROM (
    SELECT ROLE_id AS key, count(*) AS actions FROM gesta.action WHERE ROLE_type = $1 GROUP BY 1
) AS streams
WHERE actions BETWEEN $2 AND $3
ORDER BY actions DESC, key
LIMIT $4";

/// The same columns by hand, without audience, filters or a transaction.
const PAGE: &str = "SELECT tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
    occurred_at, recorded_at, run_id, source, outcome, description, changes, data, names, context, audience
FROM gesta.action
WHERE tenant = 'default' AND ROLE_key = gesta.resource_key('default', $1, $2) AND ROLE_type = $1 AND ROLE_id = $2
    AND id < $3
ORDER BY id DESC
LIMIT 51";

/// One OR over everything that is followed, as the established library does it, but by the keys that are indexed here.
const BIG_OR: &str = "SELECT tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
    occurred_at, recorded_at, run_id, source, outcome, description, changes, data, names, context, audience
FROM gesta.action
WHERE tenant = 'default'
    AND (actor_key = ANY (ARRAY(SELECT gesta.resource_key('default', $1, k) FROM unnest($2::text[]) AS k))
        OR object_key = ANY (ARRAY(SELECT gesta.resource_key('default', $1, k) FROM unnest($3::text[]) AS k)))
ORDER BY id DESC
LIMIT 51";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::start().await;
        let store = bench.store("gesta_app", 4);
        let began = Instant::now();
        let rows = fill::two_million(&bench).await;
        println!("{rows} actions in {:.0} s", began.elapsed().as_secs_f64());
        println!(
            "\n{:<44} {:>8} {:>8} {:>10} {:>8}",
            "milliseconds a page of 50", "p50", "p99", "limit p50", "ratio"
        );
        let admin = bench.admin().await;
        streams(&admin, &store).await;
        feeds(&admin, &store).await;
        bench.end().await;
    });
}

/// First page and page 100 of the busiest object, actor and target, and of one in the middle.
async fn streams(admin: &Client, store: &Store) {
    let reader = Reader::new(store, Tenant::default());
    for (role, kind) in [("object", "file"), ("actor", "user"), ("target", "repository")] {
        let raw = admin.prepare(&PAGE.replace("ROLE", role)).await.expect("a page by hand");
        for (how, low) in [("busiest", 5_001_i64), ("quiet", 2)] {
            let high = if how == "quiet" { 60 } else { i64::MAX };
            let Some(key) = keys(admin, role, kind, (low, high), 1).await.pop() else { continue };
            let key = ResourceRef::new(kind, key).expect("a key of the log");
            let query = match role {
                "object" => StreamQuery::object(&key),
                "actor" => StreamQuery::actor(&key),
                _ => StreamQuery::target(&key),
            };
            let pages = if how == "busiest" { vec![1, 100] } else { vec![1] };
            for number in pages {
                let cursor = skip(&reader, &query, number).await;
                let query = query.clone().from(cursor);
                let name = format!("{role} stream, {how}, page {number}");
                stream(admin, &reader, &name, &query, &raw, &key).await;
            }
        }
    }
}

/// The cursor behind so many pages less one.
async fn skip(reader: &Reader, query: &StreamQuery, number: usize) -> Option<Cursor> {
    let mut cursor = None;
    for _ in 1..number {
        cursor = query.clone().from(cursor).page(reader).await.expect("a page").older;
    }
    cursor
}

async fn stream(
    admin: &Client,
    reader: &Reader,
    name: &str,
    query: &StreamQuery,
    raw: &Statement,
    key: &ResourceRef,
) {
    let first = query.page(reader).await.expect("a page").items.first().map(|a| a.id.uuid());
    // The id above the page's first: the raw query asks for what is less.
    let edge = uuid::Uuid::from_u128(first.expect("an action").as_u128() + 1);
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        query.page(reader).await.expect("a page");
        ours.push(millis(began));
        let began = Instant::now();
        let (kind, id) = (key.kind.as_str(), key.id.as_str());
        admin.query(raw, &[&kind, &id, &edge]).await.expect("a page by hand");
        limit.push(millis(began));
    }
    line(name, ours, limit);
}

/// Feeds of 10, 100 and 1,000 follows: of the busiest actors, and of files that were touched two or three times; and of
/// what never did anything.
async fn feeds(admin: &Client, store: &Store) {
    let busy = keys(admin, "actor", "user", (2, i64::MAX), 1000).await;
    let quiet = keys(admin, "object", "file", (2, 3), 1000).await;
    let silent: Vec<_> = (0..1000).map(|n| format!("nobody-{n}")).collect();
    for (how, kind, keys) in [("dense", "user", busy), ("sparse", "file", quiet)] {
        for count in [10, 100, 1000] {
            feed(admin, store, how, kind, keys.get(..count).unwrap_or(&keys)).await;
        }
    }
    feed(admin, store, "silent", "user", &silent[..1]).await;
    feed(admin, store, "silent", "user", &silent).await;
}

async fn feed(admin: &Client, store: &Store, how: &str, kind: &str, keys: &[String]) {
    let reader = Reader::new(store, Tenant::default());
    let follower = ResourceRef::new("reader", format!("{how}-{}", keys.len())).expect("valid");
    follow(store, &follower, kind, keys).await;
    admin.batch_execute("ANALYZE gesta.follow").await.expect("analyzed");
    let query = FeedQuery::new(&follower);
    let or = admin.prepare(BIG_OR).await.expect("one big OR");
    let none: &[String] = &[];
    let (actors, objects) = if kind == "user" { (keys, none) } else { (none, keys) };
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let began = Instant::now();
        query.page(&reader).await.expect("a feed");
        ours.push(millis(began));
        if round < ROUNDS_SLOW {
            let began = Instant::now();
            admin.query(&or, &[&kind, &actors, &objects]).await.expect("one big OR");
            limit.push(millis(began));
        }
    }
    line(&format!("feed of {} follows, {how}", keys.len()), ours, limit);
}

/// Users are followed as actors, files as objects.
async fn follow(store: &Store, follower: &ResourceRef, kind: &str, keys: &[String]) {
    let ctx = Context::new(follower);
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    for key in keys {
        let followed = ResourceRef::new(kind, key.as_str()).expect("a key of the log");
        let role = if kind == "user" { Role::Actor } else { Role::Object };
        let edge = Follow::new(follower, &followed).roles([role]).silent();
        store.follow(&tx, &ctx, &edge).await.expect("followed");
    }
    tx.commit().await.expect("committed");
}

async fn keys(
    admin: &Client,
    role: &str,
    kind: &str,
    (low, high): (i64, i64),
    count: i64,
) -> Vec<String> {
    let sql = KEYS.replace("ROLE", role);
    let rows = admin.query(&sql, &[&kind, &low, &high, &count]).await.expect("keys of the log");
    rows.iter().map(|row| row.get(0)).collect()
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn line(name: &str, mut ours: Vec<f64>, mut limit: Vec<f64>) {
    ours.sort_by(f64::total_cmp);
    limit.sort_by(f64::total_cmp);
    let (p50, p99) = (ours[ours.len() / 2], ours[ours.len() * 99 / 100]);
    let limit = limit[limit.len() / 2];
    println!("{name:<44} {p50:>8.2} {p99:>8.2} {limit:>10.2} {:>8.2}", p50 / limit);
}
