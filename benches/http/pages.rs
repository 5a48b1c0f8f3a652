//! Pages of streams and searches on two million actions, over HTTP beside the library.

use std::time::Instant;

use gesta::{Reader, ResourceRef, SearchQuery, StreamQuery, Tenant};

use super::place::Place;
use super::support::client::Connection;
use super::support::fill;

/// How often a page is read; the two sides take turns.
const ROUNDS: usize = 200;

/// The busiest actor, object and target.
const BUSIEST: &str = "SELECT ROLE_id FROM gesta.action WHERE ROLE_type = $1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1";

/// A page of the library.
enum Page {
    Stream(StreamQuery),
    Search(SearchQuery),
}

impl Page {
    async fn read(&self, reader: &Reader) -> usize {
        let page = match self {
            Self::Stream(query) => query.page(reader).await,
            Self::Search(query) => query.page(reader).await,
        };
        page.expect("a page").items.len()
    }
}

pub(super) async fn run(place: &Place) {
    let began = Instant::now();
    let rows = fill::two_million(&place.bench).await;
    println!("{rows} actions in {:.0} s", began.elapsed().as_secs_f64());
    println!(
        "{:<44} {:>8} {:>8} {:>11} {:>11} {:>8}",
        "milliseconds a page of 50", "p50", "p99", "library p50", "library p99", "ratio"
    );
    let who = place.keys.authenticate(&place.gathered.key).await.expect("the key");
    let reader = who.reader(&place.store, Tenant::default());
    for (role, kind) in [("object", "file"), ("actor", "user"), ("target", "repository")] {
        let key = busiest(place, role, kind).await;
        let query = match role {
            "object" => StreamQuery::object(&key),
            "actor" => StreamQuery::actor(&key),
            _ => StreamQuery::target(&key),
        };
        let path = format!("/api/v1/{role}s/{kind}/{}/events?limit=50", encoded(key.id.as_str()));
        compare(place, &reader, &format!("{role} stream, busiest"), &path, &Page::Stream(query))
            .await;
    }
    let user = busiest(place, "actor", "user").await;
    let all = SearchQuery::new("".parse().expect("a search"));
    compare(place, &reader, "search, everything", "/api/v1/events?limit=50", &Page::Search(all))
        .await;
    for (name, text) in [
        ("search, an actor and a verb", format!("actor:\"{user}\" verb:updated")),
        ("search, a word", "test".to_owned()),
    ] {
        let query = text.parse().expect("a search");
        let path = format!("/api/v1/events?q={}&limit=50", encoded(&text));
        compare(place, &reader, name, &path, &Page::Search(SearchQuery::new(query))).await;
    }
}

async fn busiest(place: &Place, role: &str, kind: &str) -> ResourceRef {
    let admin = place.bench.admin().await;
    let row = admin.query_one(&BUSIEST.replace("ROLE", role), &[&kind]).await.expect("a key");
    ResourceRef::new(kind, row.get::<_, String>(0)).expect("a key of the log")
}

async fn compare(place: &Place, reader: &Reader, name: &str, path: &str, page: &Page) {
    let mut connection = Connection::open(place.gathered.address).await;
    let request = place.gathered.get(path);
    let answer = connection.ask(&request).await;
    if answer.status != 200 {
        println!("{name:<44} not served: {} for {path}", answer.status);
        return;
    }
    let (mut ours, mut limit) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        connection.ask(&request).await;
        ours.push(millis(began));
        let began = Instant::now();
        page.read(reader).await;
        limit.push(millis(began));
    }
    for times in [&mut ours, &mut limit] {
        times.sort_by(f64::total_cmp);
    }
    let [p50, p99, limit50, limit99] = [(&ours, 50), (&ours, 99), (&limit, 50), (&limit, 99)]
        .map(|(times, p)| times[(times.len() - 1) * p / 100]);
    println!(
        "{name:<44} {p50:>8.2} {p99:>8.2} {limit50:>11.2} {limit99:>11.2} {:>8.2}",
        p50 / limit50
    );
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

/// As a part of a path or a parameter.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one =
        |byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}
