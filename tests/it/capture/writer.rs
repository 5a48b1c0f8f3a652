//! A writer of the chaos test: a process of its own, so that it can be killed, which writes whatever its seed says until
//! that happens.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use deadpool_postgres::{Client, Transaction};
use futures_util::SinkExt;
use gesta::session::{Selection, SessionError};
use gesta::store::{Endpoint, PoolOptions};
use gesta::{Context, Session, Store};
use serde_json::json;
use tokio_postgres::error::SqlState;

use super::tables::{Article, Author, TAGS};
use crate::support::resource;

/// Articles and authors that all writers meet at.
const ARTICLES: u64 = 120;
const AUTHORS: u64 = 8;

/// Numbers that a seed makes: `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn id(&mut self, end: u64) -> i32 {
        i32::try_from(self.below(end)).expect("few") + 1
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("few")]
    }

    fn article(&mut self) -> Article {
        let title = self.pick(&["Storm", "Flood", "Drought", "Harvest"]);
        let state = self.pick(&["draft", "review", "public"]);
        let article = Article::draft(self.id(ARTICLES), self.id(AUTHORS), title);
        Article { state: state.to_owned(), ..article }
    }
}

/// What the environment tells the process: where the database is, and what to do.
pub(super) const ORDERS: &str = "GESTA_CHAOS_WRITER";

/// Run by the chaos test, many times, in processes of its own.
#[tokio::test]
#[ignore = "run by a test, in processes that it kills"]
async fn writes_until_it_is_killed() {
    // Why a connection broke is told nowhere else.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let orders = std::env::var_os(ORDERS).expect("orders").into_string().expect("text");
    let (seed, url) = orders.split_once(' ').expect("a seed and an URL");
    let endpoint: Endpoint = url.parse().expect("an URL");
    // Sixteen processes that start at once have a busy machine.
    let patient = PoolOptions::default().size(1).connect_timeout(Duration::from_mins(2));
    let pool = endpoint.pool(&patient.wait_timeout(Duration::from_mins(2))).await.expect("a pool");
    let store = Store::new(pool);
    let mut client = store.client().await.expect("a connection");
    let mut random = Random(seed.parse().expect("a number"));
    let knows_gesta = random.below(2) == 0;
    loop {
        let done = if knows_gesta {
            in_a_session(&store, &mut client, &mut random).await
        } else {
            in_sql(&mut client, &mut random).await
        };
        if let Err(code) = done {
            assert!(is_usual(&code), "{code:?}");
        }
    }
}

/// What happens to any program where many write: deadlocks, and rows that others made or deleted meanwhile.
fn is_usual(code: &SqlState) -> bool {
    [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::FOREIGN_KEY_VIOLATION,
        SqlState::NO_DATA_FOUND,
    ]
    .contains(code)
}

/// The code of a session's failure.
fn code(error: &SessionError) -> SqlState {
    match error {
        // An article that somebody else has deleted, or that too many want at once.
        SessionError::Missing { .. } | SessionError::Contended { .. } => SqlState::NO_DATA_FOUND,
        error => match error.code() {
            Some(code) => code.clone(),
            None => panic!("{}", gesta::error::chain(error)),
        },
    }
}

/// Some calls of a session, and then COMMIT, or in one of five cases ROLLBACK.
async fn in_a_session(
    store: &Store,
    client: &mut Client,
    random: &mut Random,
) -> Result<(), SqlState> {
    let ctx = Context::new(&resource("user:1"));
    let mut session = Session::begin(store, client, &ctx).await.expect("begun");
    for _ in 0..=random.below(3) {
        if random.below(5) == 0 {
            let sql = statement(random);
            run(session.transaction().client(), &sql).await?;
        } else {
            call(&mut session, random).await.map_err(|error| code(&error))?;
        }
    }
    let ended = match random.below(5) {
        0 => session.rollback().await,
        _ => session.commit().await,
    };
    ended.map_err(|error| code(&error))
}

async fn call(session: &mut Session<'_>, random: &mut Random) -> Result<(), SessionError> {
    let article = random.article();
    let (low, high) = (article.id, article.id + random.id(20));
    let some = || Selection::ids(low..high);
    match random.below(11) {
        0..=3 => {
            session.save(&article).await?;
        }
        4 | 5 => {
            let many: Vec<_> = (0..random.below(20)).map(|_| random.article()).collect();
            session.save_all(&many).await?;
        }
        6 => {
            session.update::<Article>(some(), &json!({"state": article.state})).await?;
        }
        7 => {
            let drafts = Selection::matching("state = $1", &[&"draft"]);
            session.update::<Article>(drafts, &json!({"state": article.state})).await?;
        }
        8 => {
            session.delete::<Article>(some()).await?;
        }
        9 => {
            let member = random.pick(&["sea", "sky", "land"]);
            session.set(&article, &TAGS, ["news", member]).await?;
        }
        _ => {
            let author = Author { id: article.author, name: article.title };
            session.save(&author).await?;
        }
    }
    Ok(())
}

/// A statement of a program that knows nothing of Gesta.
fn statement(random: &mut Random) -> String {
    let Article { id, author, title, state } = random.article();
    let end = id + random.id(20);
    match random.below(60) {
        0..=11 => format!("UPDATE desk.article SET title = '{title}' WHERE id = {id}"),
        12..=19 => format!(
            "UPDATE desk.article SET state = '{state}', views = views + 1 WHERE id BETWEEN {id} AND {end}"
        ),
        20..=31 => format!(
            "INSERT INTO desk.article SELECT n, {author}, '{title}', '{state}' FROM generate_series({id}, {end}) AS n
             ON CONFLICT (id) DO UPDATE SET title = excluded.title"
        ),
        32..=37 => format!("DELETE FROM desk.article WHERE id BETWEEN {id} AND {end}"),
        38..=43 => format!("INSERT INTO desk.visit VALUES ({id}), ({end})"),
        44..=49 => format!("INSERT INTO desk.author VALUES ({author}, '{title}') ON CONFLICT DO NOTHING"),
        50..=52 => format!("DELETE FROM desk.author WHERE id = {author}"),
        53..=55 => format!(
            "MERGE INTO desk.article AS a USING (SELECT n FROM generate_series({id}, {end}) AS n) AS v ON a.id = v.n
             WHEN MATCHED AND a.state = 'draft' THEN DELETE
             WHEN MATCHED THEN UPDATE SET title = '{title}'
             WHEN NOT MATCHED AND v.n % 2 = 0 THEN INSERT VALUES (v.n, {author}, '{title}')"
        ),
        56..=58 => "SAVEPOINT s; DELETE FROM desk.article; ROLLBACK TO s; RELEASE s".to_owned(),
        _ => "TRUNCATE desk.article, desk.tag".to_owned(),
    }
}

async fn run(client: &tokio_postgres::Client, sql: &str) -> Result<(), SqlState> {
    let ran = client.batch_execute(sql).await;
    ran.map_err(|error| error.code().cloned().unwrap_or_else(|| panic!("{sql}: {error:?}")))
}

/// A transaction of plain SQL, now and then with COPY, that ends as it may.
async fn in_sql(client: &mut Client, random: &mut Random) -> Result<(), SqlState> {
    let tx = client.transaction().await.expect("begun");
    for _ in 0..=random.below(3) {
        if random.below(10) == 0 {
            copy(&tx, random).await?;
        } else {
            run(tx.client(), &statement(random)).await?;
        }
    }
    let ended = if random.below(5) == 0 { tx.rollback().await } else { tx.commit().await };
    ended.map_err(|error| error.code().cloned().expect("an error of the database"))
}

async fn copy(tx: &Transaction<'_>, random: &mut Random) -> Result<(), SqlState> {
    let failed = |error: tokio_postgres::Error| error.code().cloned().expect("of the database");
    let Article { id, author, title, .. } = random.article();
    let sql = "COPY desk.article (id, author, title) FROM STDIN";
    let mut sink = pin!(tx.copy_in(sql).await.map_err(failed)?);
    let lines = format!("{id}\t{author}\t{title}\n{}\t{author}\t{title}\n", id + 1);
    sink.send(Bytes::from(lines)).await.map_err(failed)?;
    sink.finish().await.map(drop).map_err(failed)
}
