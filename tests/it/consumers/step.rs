//! Effects that happen exactly once, also with two instances, rolled back steps and kill -9.

use std::process::{Child, Command, Stdio};

use gesta::store::{Endpoint, PoolOptions};
use gesta::subscription::{Ledger, Step, StepError, Subscription};
use gesta::{Log, Position};
use tokio_postgres::Client;

use super::{Pump, append_numbers, auditor_log};
use crate::support::{TestDb, check_log, database, nats, relay};

/// No key: whatever happens twice is there twice.
const EFFECT: &str = "CREATE TABLE effect (id uuid NOT NULL)";

/// What a step does, before it is committed.
async fn note(step: &Step<'_>) -> usize {
    let ids: Vec<_> = step.actions().map(|action| action.id.uuid()).collect();
    let insert = "INSERT INTO effect SELECT unnest($1::uuid[])";
    step.transaction().execute(insert, &[&ids]).await.expect("noted");
    ids.len()
}

async fn next_step<'a>(
    subscription: &'a mut Subscription,
    client: &'a mut Client,
    ledger: &Ledger,
) -> Step<'a> {
    let step = tokio::time::timeout(super::WAIT_MAX, subscription.step(client, ledger)).await;
    let step = step.expect("something comes in time");
    step.unwrap_or_else(|error| panic!("{}", gesta::error::chain(&error)))
}

async fn count(client: &Client, what: &str) -> i64 {
    let sql = format!("SELECT count({what}) FROM effect");
    client.query_one(&sql, &[]).await.expect("counted").get(0)
}

/// Every action of the database has its effect, and none has two.
async fn check_effects(db: &TestDb, len: i64) {
    let client = db.admin().await;
    let (all, ids) = (count(&client, "*").await, count(&client, "DISTINCT id").await);
    let missing = "SELECT count(*) FROM gesta.action AS a WHERE NOT EXISTS \
                   (SELECT FROM effect AS e WHERE e.id = a.id)";
    let missing: i64 = client.query_one(missing, &[]).await.expect("counted").get(0);
    assert_eq!((all, ids, missing), (len, len, 0));
    check_log(db).await;
}

#[tokio::test]
async fn step_that_is_rolled_back_comes_again_and_a_committed_one_does_not() {
    let (db, nats) = (database().await, nats().await);
    let pump = Pump::start(&db, &nats, 4).await;
    append_numbers(&db.store().await, 0..9).await;
    pump.publish_all().await;
    let mut own = db.admin().await;
    own.batch_execute(EFFECT).await.expect("a table");
    let ledger = Ledger::open(&mut own, "counter").await.expect("a ledger");
    assert_eq!(ledger.position(&own).await.expect("read"), Position::start());
    let mut subscription = nats.subscription().batch(3);
    let (mut steps, mut done) = (0, 0);
    while done < 9 {
        let step = next_step(&mut subscription, &mut own, &ledger).await;
        let len = note(&step).await;
        steps += 1;
        if steps % 2 == 0 {
            step.commit().await.expect("committed");
            done += len;
            assert_eq!(ledger.position(&own).await.expect("read"), *subscription.position());
        }
    }
    // Another instance that believes to be at the beginning finds that all is done.
    append_numbers(&db.store().await, 9..10).await;
    pump.publish_all().await;
    let mut late = nats.subscription().batch(3);
    let mut all = 0;
    while all == 0 {
        let step = next_step(&mut late, &mut own, &ledger).await;
        all = note(&step).await;
        step.commit().await.expect("committed");
    }
    assert_eq!(all, 1);
    check_effects(&db, 10).await;
}

#[tokio::test]
async fn position_that_is_none_is_refused_by_name() {
    let (db, nats) = (database().await, nats().await);
    let pump = Pump::start(&db, &nats, 4).await;
    append_numbers(&db.store().await, 0..1).await;
    pump.publish_all().await;
    let mut own = db.admin().await;
    let ledger = Ledger::open(&mut own, "counter").await.expect("a ledger");
    let bad = "INSERT INTO gesta_position (name, position) VALUES ('counter', 'g1.nonsense')";
    own.batch_execute(bad).await.expect("stored");
    let mut subscription = nats.subscription();
    let error = subscription.step(&mut own, &ledger).await.err().expect("no position");
    assert!(matches!(error, StepError::Ledger(_)));
    let text = gesta::error::chain(&error);
    assert!(text.contains("`counter`") && text.contains("g1.nonsense"), "{text}");
}

/// Takes steps until the effects are so many, and counts its own.
async fn work(db: &TestDb, mut subscription: Subscription, until: i64) -> usize {
    let mut own = db.admin().await;
    let ledger = Ledger::open(&mut own, "counter").await.expect("a ledger");
    let mut mine = 0;
    while count(&own, "*").await < until {
        // The other one may do the last of them.
        let step = next_step(&mut subscription, &mut own, &ledger);
        let Ok(step) = tokio::time::timeout(std::time::Duration::from_secs(1), step).await else {
            continue;
        };
        mine += note(&step).await;
        step.commit().await.expect("committed");
    }
    mine
}

#[tokio::test]
async fn two_instances_of_a_consumer_share_the_work_and_double_nothing() {
    let (db, nats) = (database().await, nats().await);
    db.admin().await.batch_execute(EFFECT).await.expect("a table");
    let relay = relay(&db, &nats).await;
    let new = || nats.subscription().batch(7);
    let write = async {
        let store = db.store().await;
        for n in 0..100 {
            append_numbers(&store, 5 * n..5 * n + 5).await;
        }
    };
    let log = auditor_log(&db).await;
    let (one, other, ()) =
        tokio::join!(work(&db, new().log(log.clone()), 500), work(&db, new().log(log), 500), write);
    assert_eq!(one + other, 500);
    check_effects(&db, 500).await;
    relay.abort();
}

/// A consumer as a process, which the next test kills.
#[tokio::test]
#[ignore = "run by a test, which kills it"]
async fn consumes_until_it_is_killed() {
    let variable = |name| {
        let value = std::env::var_os(name).expect("given by the test");
        value.into_string().expect("UTF-8")
    };
    let endpoint: Endpoint = variable("CONSUMER_DATABASE").parse().expect("a URL");
    let pool = endpoint.pool(&PoolOptions::default()).await.expect("a pool");
    let options = gesta::relay::NatsOptions::parse(&variable("CONSUMER_NATS")).expect("a URL");
    let jet_stream = async_nats::jetstream::new(options.connect().await.expect("connected"));
    let mut own = pool.get().await.expect("a connection");
    let ledger = Ledger::open(&mut own, "counter").await.expect("a ledger");
    let position = ledger.position(&own).await.expect("a position");
    let mut subscription = Subscription::new(&jet_stream, variable("CONSUMER_STREAM"))
        .after(position)
        .log(Log::new(&pool))
        .batch(20);
    loop {
        let step = next_step(&mut subscription, &mut own, &ledger).await;
        note(&step).await;
        step.commit().await.expect("committed");
    }
}

#[tokio::test]
async fn consumer_that_is_killed_again_and_again_does_everything_once() {
    let (db, mut nats) = (database().await, nats().await);
    let admin = db.admin().await;
    admin.batch_execute(EFFECT).await.expect("a table");
    // The stream drops what the consumer has not seen, as well.
    nats.spec = nats.spec.max_bytes(256 * 1024);
    let relay = relay(&db, &nats).await;
    let start = || -> Child {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "consumers::step::consumes_until_it_is_killed", "--ignored"]);
        command.env("CONSUMER_DATABASE", db.url(db.superuser())).env("CONSUMER_NATS", nats.url());
        command.env("CONSUMER_STREAM", nats.spec.name());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a consumer")
    };
    let store = db.store().await;
    for round in 1..=6 {
        for n in 0..40 {
            let first = 400 * round + 10 * n;
            append_numbers(&store, first..first + 10).await;
        }
        let mut child = start();
        // It is somewhere in the middle of this round, or at its end in the last one.
        let enough = if round == 6 { 2400 } else { i64::from(400 * round - 200) };
        while count(&admin, "*").await < enough {
            assert!(child.try_wait().expect("its state").is_none(), "the consumer has ended");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
    check_effects(&db, 2400).await;
    relay.abort();
}
