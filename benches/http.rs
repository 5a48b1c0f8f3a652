//! What does HTTP cost, and what do gathered commits gain? Single appends stand beside a server that commits each request by
//! itself and beside the writer of the library; batches beside `Store::append_all`; pages beside the library's; all in the
//! same process.
//!
//! `cargo bench --bench http [-- PART…]`, where a part is `single`, `batch`, `pages`, or, only where it is named,
//! `profile`. Client and servers share the cores with PostgreSQL; "µs" is the processor time that a request costs this
//! process, the client's own thread left out. The database is private and durable, unless `GESTA_BENCH_URL` names one as
//! a superuser.
#![expect(clippy::expect_used, reason = "a bench ends at the first failure")]

#[path = "http/pages.rs"]
mod pages;
#[path = "http/place.rs"]
mod place;
mod support;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gesta::{Context, NewAction, ResourceRef, Store, Writer};
use place::Place;
use support::client::Client;
use support::load::{Caller, Load, local, remote};
use support::{median, named, wanted};

/// How often each figure is taken; the sides take turns.
const ROUNDS: usize = 3;
/// How long a figure is taken.
const WINDOW: Duration = Duration::from_secs(2);
/// Connections of the client.
const CONNECTIONS: [usize; 3] = [1, 16, 128];
/// Actions of a batch.
const BATCHES: [usize; 2] = [1_000, 10_000];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let place = Place::start().await;
        if wanted("single") {
            single(&place).await;
        }
        if wanted("batch") {
            batch(&place).await;
        }
        if wanted("pages") {
            pages::run(&place).await;
        }
        if named("profile") {
            profile(&place).await;
        }
        place.end().await;
    });
}

/// The next number of an action, unlike all others of this process.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An action with the shape of the git histories: actor, object, target and subject.
fn sample(n: u64) -> [String; 4] {
    // A multiplicative hash spreads the objects; a square favours few actors.
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    [
        format!("{:016x}", (spread % 1000) * (spread % 1000) / 1000),
        format!("rails/rails:activesupport/test/cases/part_{}/test_{spread}.rb", n % 97),
        format!("rails/rails_{}", spread % 5),
        format!("Merge pull request #{n} from somebody/some_branch"),
    ]
}

/// As a body.
fn body() -> String {
    let [actor, object, target, subject] = sample(next());
    format!(
        r#"{{"actor":{{"type":"user","id":"{actor}","name":"Somebody {actor}"}},"verb":"updated","object":{{"type":"file","id":"{object}"}},"target":{{"type":"repository","id":"{target}"}},"data":{{"subject":"{subject}","recorded_at":"2017-02-20T20:07:35Z"}}}}"#
    )
}

/// As the library takes it, with a context like that which the server writes.
fn action() -> NewAction {
    let [actor, object, target, subject] = sample(next());
    let name = format!("Somebody {actor}");
    let actor = ResourceRef::new("user", actor).expect("valid").named(name);
    let context = Context::new(&actor)
        .request_id("0e3b8f6c-6b57-4c5c-9d57-3a2f0b6d2e11")
        .ip([127, 0, 0, 1].into())
        .user_agent("bench");
    NewAction::new("updated", &context)
        .object(&ResourceRef::new("file", object).expect("valid"))
        .target(&ResourceRef::new("repository", target).expect("valid"))
        .data(serde_json::json!({ "subject": subject, "recorded_at": "2017-02-20T20:07:35Z" }))
}

/// Somebody in the same process who appends by the writer.
struct Neighbour(Writer);

impl Caller for Neighbour {
    async fn call(&mut self) {
        let _ = self.0.append(action()).await.expect("appended");
    }
}

async fn single(place: &Place) {
    println!(
        "{:<16} {:>9} {:>8} {:>6}   {:>10} {:>8} {:>6} {:>6}   {:>9} {:>8} {:>6} {:>6}",
        "requests/second",
        "gathered",
        "p99 ms",
        "µs",
        "one commit",
        "p99 ms",
        "µs",
        "ratio",
        "writer",
        "p99 ms",
        "µs",
        "ratio"
    );
    let writer = place.store.writer();
    for connections in CONNECTIONS {
        let mut figures: [Vec<Load>; 3] = Default::default();
        for round in 0..ROUNDS {
            for side in 0..3 {
                let side = (side + round) % 3;
                figures[side].push(match side {
                    0 => posts(&place.gathered, connections, WINDOW).await,
                    1 => posts(&place.alone, connections, WINDOW).await,
                    _ => {
                        let callers = (0..connections).map(|_| Neighbour(writer.clone()));
                        local(callers.collect(), WINDOW).await
                    }
                });
            }
        }
        let middle =
            |side: usize, of: fn(&Load) -> f64| median(figures[side].iter().map(of).collect());
        let mut line = format!("{:<16}", format!("{connections} connections"));
        let ours = middle(0, |load| load.rate);
        for side in 0..3 {
            let rate = middle(side, |load| load.rate);
            let (p99, cost) =
                (middle(side, |load| load.percentile(99)), middle(side, |load| load.cost));
            let width = if side == 1 { 10 } else { 9 };
            let gap = if side == 0 { "" } else { "  " };
            let _ = write!(line, "{gap} {rate:>width$.0} {p99:>8.2} {cost:>6.1}");
            if side > 0 {
                let _ = write!(line, " {:>6.2}", ours / rate);
            }
        }
        println!("{line}");
    }
    println!();
}

/// Gathered requests alone, to be looked at with `perf`.
async fn profile(place: &Place) {
    for connections in CONNECTIONS {
        let load = posts(&place.gathered, connections, WINDOW * 5).await;
        let (rate, cost) = (load.rate, load.cost);
        println!("{connections} connections: {rate:.0} requests/second, {cost:.1} µs each");
    }
}

/// Each connection posts one action after the other.
async fn posts(client: &Client, connections: usize, window: Duration) -> Load {
    let own = client.clone();
    let request = move || own.post("/api/v1/events", "application/json", &body());
    remote(client, connections, window, request).await
}

/// Somebody in the same process who appends batches, each in its own transaction.
struct Bulk(Store, usize);

impl Caller for Bulk {
    async fn call(&mut self) {
        let actions = (0..self.1).map(|_| action()).collect();
        let mut client = self.0.client().await.expect("a connection");
        let tx = client.transaction().await.expect("begun");
        let _ = self.0.append_all(&tx, actions).await.expect("appended");
        tx.commit().await.expect("committed");
    }
}

/// One caller each: a body of lines, also all or none, beside one transaction of the library.
#[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
async fn batch(place: &Place) {
    println!(
        "{:<44} {:>10} {:>6} {:>11} {:>6} {:>8}",
        "events/second", "HTTP", "µs", "append_all", "µs", "ratio"
    );
    for len in BATCHES {
        let mut figures: [Vec<Load>; 3] = Default::default();
        for round in 0..ROUNDS {
            for side in 0..3 {
                let side = (side + round) % 3;
                figures[side].push(match side {
                    0 => bodies(place, len, "/api/v1/events:batch").await,
                    1 => bodies(place, len, "/api/v1/events:batch?atomic=true").await,
                    _ => local(vec![Bulk(place.store.clone(), len)], WINDOW).await,
                });
            }
        }
        let events =
            |side: usize| median(figures[side].iter().map(|load| load.rate).collect()) * len as f64;
        let cost =
            |side: usize| median(figures[side].iter().map(|load| load.cost).collect()) / len as f64;
        for (side, how) in [(0, "each by itself"), (1, "all or none")] {
            println!(
                "{:<44} {:>10.0} {:>6.1} {:>11.0} {:>6.1} {:>8.2}",
                format!("NDJSON of {len}, {how}"),
                events(side),
                cost(side),
                events(2),
                cost(2),
                events(side) / events(2)
            );
        }
    }
    println!();
}

async fn bodies(place: &Place, len: usize, path: &'static str) -> Load {
    let own = place.gathered.clone();
    let request = move || {
        let lines: String = (0..len).map(|_| body() + "\n").collect();
        own.post(path, "application/x-ndjson", &lines)
    };
    remote(&place.gathered, 1, WINDOW, request).await
}
