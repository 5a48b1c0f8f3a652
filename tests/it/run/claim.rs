//! Workers: who takes which run, and what becomes of it when its worker is gone.

use std::sync::Arc;
use std::time::Duration;

use gesta::definition::{Definition, Fault, Mode, Operation, Piece};
use gesta::run::{RunInfo, RunState, Runs, Start, Which, Worker, WorkerOptions};
use gesta::{Context, Tenant};
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::press::{Press, article, counts, definitions, editor, ended, ids, press, press_with};
use crate::support::check_log_but_xids;

/// A worker in a task of its own, that ends when it is told to.
struct Working {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

fn work(runs: &Runs, slots: usize) -> Working {
    let (stop, stopped) = oneshot::channel();
    let options = WorkerOptions::default().slots(slots).lease(Duration::from_secs(5));
    let worker = Worker::new(runs, options);
    let task = tokio::spawn(worker.run(async move { drop(stopped.await) }));
    Working { stop, task }
}

impl Working {
    async fn end(self) {
        self.stop.send(()).expect("it works");
        self.task.await.expect("it ends well");
    }
}

async fn queued(press: &Press, articles: impl IntoIterator<Item = i64>) -> RunInfo {
    let selection = press.selected(articles).await;
    let order = Start::new(article(), "publish", selection).mode(Mode::Background);
    press.start(order).await.expect("queued").run
}

#[tokio::test]
async fn worker_runs_what_is_queued() {
    let press = press(3000).await;
    let before = queued(&press, 1..=2000).await;
    assert_eq!(
        (before.state, before.started_at, before.is_background),
        (RunState::Queued, None, true)
    );
    let working = work(&press.runs, 2);
    let after = queued(&press, 2001..=3000).await;
    for run in [before, after] {
        let run = ended(&press, run.id).await;
        assert_eq!((run.state, run.counts.done), (RunState::Succeeded, run.counts.total));
        assert!(run.created_at <= run.started_at.expect("started"));
    }
    working.end().await;
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE edits = 1").await, 3000);
    check_log_but_xids(&press.db).await;
}

/// Somebody who started it in the foreground and is gone: dropped between two pieces.
#[tokio::test]
async fn run_whose_holder_is_gone_is_taken_up_after_the_lease() {
    let press = press(300).await;
    let run = queued(&press, 1..=300).await;
    let claim = "SELECT run FROM gesta.claim_run('00000000-0000-4000-8000-000000000001', '1 hour')";
    let claimed = press.admin.query_one(claim, &[]).await.expect("claimed").get::<_, Uuid>(0);
    assert_eq!(claimed, run.id);
    assert!(press.admin.query(claim, &[]).await.expect("asked").is_empty(), "it is held");
    let working = work(&press.runs, 1);
    press.admin.batch_execute("SELECT pg_sleep(0.7)").await.expect("slept");
    assert_eq!(press.info(run.id).await.counts.done, 0, "the lease is respected");
    press.sql("UPDATE gesta.run SET held_until = now() - interval '1 second'").await;
    let run = ended(&press, run.id).await;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 300));
    working.end().await;
}

/// A holder that was paused longer than its lease commits nothing of its piece.
#[tokio::test]
async fn holder_who_lost_the_lease_commits_nothing() {
    struct Pause(Arc<Semaphore>, Arc<Semaphore>);
    impl Operation for Pause {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            let sql = "UPDATE press.article SET state = 'public' WHERE id <= 10";
            let updated = piece.session().transaction().batch_execute(sql).await;
            updated.map_err(|error| Fault::caused("failed to update", error))?;
            self.0.add_permits(1);
            self.1.acquire().await.expect("open").forget();
            Ok(())
        }
    }
    let (reached, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let pause = Pause(Arc::clone(&reached), Arc::clone(&go_on));
    let definitions = definitions().on("article", Definition::new("pause", "Pause", pause));
    let press = press_with(10, definitions).await;
    let selection = press.selected(1..=10).await;
    let (runs, asker) = (press.runs.clone(), editor());
    let order = Start::new(article(), "pause", selection);
    let running = tokio::spawn(async move { runs.start(&asker, order).await });
    reached.acquire().await.expect("open").forget();
    press.sql("UPDATE gesta.run SET holder = gen_random_uuid(), held_until = now() + interval '1 hour'").await;
    go_on.add_permits(1);
    let started = running.await.expect("no panic").expect("left to the other one");
    assert_eq!((started.run.state, started.run.counts.done), (RunState::Running, 0));
    assert_eq!(press.number("SELECT sum(edits) FROM press.article").await, 0);
    assert_eq!(press.number("SELECT count(*) FROM gesta.run_item").await, 0);
}

/// A worker that ends leaves its run behind the piece that it is at, and the next one goes on.
#[tokio::test]
async fn worker_that_is_stopped_leaves_the_rest_to_the_next_one() {
    struct Step(Arc<Semaphore>, Arc<Semaphore>);
    impl Operation for Step {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            self.0.add_permits(1);
            self.1.acquire().await.expect("open").forget();
            let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
            let patch = serde_json::json!({ "state": "public" });
            let which = gesta::session::Selection::ids(ids);
            piece.session().update::<super::press::Article>(which, &patch).await?;
            Ok(())
        }
    }
    let (reached, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let step = Step(Arc::clone(&reached), Arc::clone(&go_on));
    let definitions =
        definitions().on("article", Definition::new("step", "Step", step).background());
    let press = press_with(500, definitions).await;
    let selection = press.selected(1..=500).await;
    let run = press.start(Start::new(article(), "step", selection)).await.expect("queued").run;
    let working = work(&press.runs, 1);
    reached.acquire().await.expect("open").forget();
    let Working { stop, task } = working;
    stop.send(()).expect("it works");
    tokio::task::yield_now().await;
    go_on.add_permits(1);
    task.await.expect("it ends well");
    let left = press.info(run.id).await;
    assert_eq!((left.state, counts(&left)), (RunState::Running, [500, 100, 0, 0, 0]));
    go_on.add_permits(100);
    let working = work(&press.runs, 1);
    let run = ended(&press, run.id).await;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 500));
    working.end().await;
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE edits = 1").await, 500);
}

/// A tenant with many runs waits with its second one for those who have one.
#[tokio::test]
async fn tenants_take_turns() {
    let press = press(10).await;
    let asker = |tenant: &str| {
        let mut asker = editor();
        asker.context = asker.context.tenant(Tenant::new(tenant).expect("a tenant"));
        asker
    };
    for tenant in ["busy", "busy", "busy", "busy", "small", "tiny"] {
        let asker = asker(tenant);
        let made = press.runs.select(&asker, &article(), Which::Ids(ids([1])), None).await;
        let order =
            Start::new(article(), "publish", made.expect("selected").id).mode(Mode::Background);
        press.runs.start(&asker, order).await.expect("queued");
    }
    let app = press.db.connect("gesta_app").await;
    let mut taken = Vec::new();
    for _ in 0..7 {
        let claim = "SELECT tenant FROM gesta.claim_run(gen_random_uuid(), '1 hour')";
        let rows = app.query(claim, &[]).await.expect("claimed");
        taken.push(rows.first().map_or("nothing".to_owned(), |row| row.get::<_, String>(0)));
    }
    assert_eq!(taken, ["busy", "small", "tiny", "busy", "busy", "busy", "nothing"]);
    // And the application's role gets at other tenants' runs in no other way.
    let rows = app.query("SELECT FROM gesta.run", &[]).await.expect("none");
    assert!(rows.is_empty());
}

/// Two workers that ask at the same moment: nobody waits, and nobody gets what another one has.
#[tokio::test]
async fn workers_that_ask_at_once_get_different_runs() {
    let press = press(2).await;
    let runs = [queued(&press, [1]).await.id, queued(&press, [2]).await.id];
    let (mut first, second) =
        (press.db.connect("gesta_app").await, press.db.connect("gesta_app").await);
    let claim = "SELECT run FROM gesta.claim_run(gen_random_uuid(), '1 hour')";
    let tx = first.transaction().await.expect("a transaction");
    let taken = tx.query_one(claim, &[]).await.expect("claimed").get::<_, Uuid>(0);
    let other = second.query_one(claim, &[]).await.expect("claimed").get::<_, Uuid>(0);
    assert_eq!([taken, other], runs);
    assert!(second.query(claim, &[]).await.expect("asked").is_empty());
    tx.rollback().await.expect("given back");
    let again = second.query_one(claim, &[]).await.expect("claimed").get::<_, Uuid>(0);
    assert_eq!(again, taken);
}

/// What a program does not know, another one may: the run waits for it.
#[tokio::test]
async fn run_of_an_unknown_definition_is_left_to_others() {
    let press = press(2).await;
    let run = queued(&press, [1, 2]).await;
    let other = Runs::new(&press.store, gesta::definition::Catalog::default());
    let working = work(&other, 1);
    while press.number("SELECT count(*) FROM gesta.run WHERE attempts = 1").await == 0 {
        tokio::task::yield_now().await;
    }
    working.end().await;
    assert_eq!(press.info(run.id).await.state, RunState::Running);
    press.sql("UPDATE gesta.run SET held_until = now() - interval '1 second'").await;
    let working = work(&press.runs, 1);
    assert_eq!(ended(&press, run.id).await.counts.done, 2);
    working.end().await;
}

/// A run that kills whoever takes it is given up.
#[tokio::test]
async fn run_that_never_gets_on_fails_in_the_end() {
    let press = press(2).await;
    let run = queued(&press, [1, 2]).await;
    press.sql("UPDATE gesta.run SET attempts = 10").await;
    let working = work(&press.runs, 1);
    let run = ended(&press, run.id).await;
    working.end().await;
    assert_eq!((run.state, run.counts.pending()), (RunState::Failed, 2));
    assert_eq!(run.error.as_deref(), Some("it was taken 10 times and did not get on"));
    assert_eq!(press.verbs(&format!("run:{}", run.id)).await, ["run.start", "run.end"]);
}

/// The worker acts as whoever asked: their name, reason and request stand in every action.
#[tokio::test]
async fn actions_of_a_run_in_the_background_are_the_askers() {
    let press = press(1).await;
    let mut asker = editor();
    asker.context = Context::new(&crate::support::resource("user:9").named("Zoë"))
        .reason("quarterly")
        .request_id("r-17")
        .ip("192.0.2.7".parse().expect("an address"));
    let made =
        press.runs.select(&asker, &article(), Which::Ids(ids([1])), None).await.expect("selected");
    let order = Start::new(article(), "publish", made.id).mode(Mode::Background);
    let run = press.runs.start(&asker, order).await.expect("queued").run;
    let working = work(&press.runs, 1);
    ended(&press, run.id).await;
    working.end().await;
    let update = &press.stream("article:1").await[0];
    assert_eq!(update.actor, crate::support::resource("user:9").named("Zoë"));
    let context = update.context.as_ref().expect("a context").value();
    assert_eq!(context["reason"], "quarterly");
    assert_eq!((&context["request_id"], &context["ip"]), (&"r-17".into(), &"192.0.2.7".into()));
}

/// Whoever started it in the foreground and does not wait for it has started it all the same.
#[tokio::test]
async fn run_whose_caller_is_gone_is_taken_up_by_a_worker() {
    struct Once(Arc<Semaphore>, std::sync::atomic::AtomicBool);
    impl Operation for Once {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
            let patch = serde_json::json!({ "state": "public" });
            let which = gesta::session::Selection::ids(ids);
            piece.session().update::<super::press::Article>(which, &patch).await?;
            if !self.1.swap(true, std::sync::atomic::Ordering::Relaxed) {
                self.0.add_permits(1);
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    }
    let reached = Arc::new(Semaphore::new(0));
    let once = Once(Arc::clone(&reached), false.into());
    let definitions = definitions().on("article", Definition::new("once", "Once", once));
    let press = press_with(200, definitions).await;
    let selection = press.selected(1..=200).await;
    let (runs, asker) = (press.runs.clone(), editor());
    let order = Start::new(article(), "once", selection);
    let caller = tokio::spawn(async move { runs.start(&asker, order).await });
    reached.acquire().await.expect("open").forget();
    caller.abort();
    assert!(caller.await.expect_err("it is gone").is_cancelled());
    let page = press.runs.list(&Tenant::default(), &gesta::run::RunQuery::default()).await;
    let run = page.expect("the runs").items[0].clone();
    assert_eq!((run.state, run.counts.done), (RunState::Running, 0));
    press.sql("UPDATE gesta.run SET held_until = now() - interval '1 second'").await;
    let working = work(&press.runs, 1);
    let run = ended(&press, run.id).await;
    working.end().await;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 200));
    assert_eq!(press.number("SELECT count(*) FROM press.article WHERE edits = 1").await, 200);
}

/// The heartbeat: who is at work for longer than the lease keeps the run.
#[tokio::test]
async fn piece_that_takes_longer_than_the_lease_is_left_to_its_holder() {
    struct Long(Arc<std::sync::atomic::AtomicU32>);
    impl Operation for Long {
        type Input = ();
        async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let slept = piece.session().transaction().batch_execute("SELECT pg_sleep(2)").await;
            slept.map_err(|error| Fault::caused("failed to sleep", error))
        }
    }
    let times = Arc::default();
    let long = Definition::new("long", "Long", Long(Arc::clone(&times)));
    let press = press_with(1, definitions().on("article", long)).await;
    let selection = press.selected([1]).await;
    let runs = press.runs.clone().lease(Duration::from_millis(900));
    let working = work(&press.runs, 1);
    let order = Start::new(article(), "long", selection);
    let run = runs.start(&editor(), order).await.expect("started").run;
    working.end().await;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 1));
    assert_eq!(times.load(std::sync::atomic::Ordering::Relaxed), 1);
}
