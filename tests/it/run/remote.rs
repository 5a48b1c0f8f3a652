//! What is done elsewhere: asked at least once, stored report by report, and told once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use gesta::definition::{
    Definition, Fate, Fault, Input, Level, Message, Mode, Order, Remote, Reporter, Sent,
};
use gesta::run::ItemOutcome::{Denied, Done, Failed, Skipped};
use gesta::run::{RunInfo, RunQuery, RunState, Start, Worker, WorkerOptions};
use gesta::{Outcome, ResourceType};
use serde_json::json;

use super::press::{Press, article, asker, counts, definitions, editor, press_with};

type Script = dyn Fn(usize, &Order) -> Vec<Answer> + Send + Sync;

/// What the other side does when it is asked.
enum Answer {
    Report(Vec<(u32, Fate)>),
    Tell(Level, &'static str),
    Break(&'static str),
    /// Nobody is there.
    Nobody(&'static str),
    /// Never comes back.
    Hang,
    /// Cancels the run meanwhile, as somebody else would.
    Cancel(Arc<Mutex<Option<gesta::run::Runs>>>),
}

/// Another system, that does what a script says each time it is asked.
struct Elsewhere {
    asked: Arc<Mutex<Vec<Order>>>,
    script: Box<Script>,
    goes_on: Arc<Mutex<Vec<bool>>>,
}

impl Remote for Elsewhere {
    fn send<'a>(
        &'a self,
        order: &'a Order,
        reporter: &'a dyn Reporter,
    ) -> BoxFuture<'a, Result<Sent, Fault>> {
        Box::pin(async move {
            let time = {
                let mut asked = self.asked.lock().expect("no panic");
                asked.push(order.clone());
                asked.len()
            };
            for answer in (self.script)(time, order) {
                let (fates, messages) = match answer {
                    Answer::Report(fates) => (fates, Vec::new()),
                    Answer::Tell(level, text) => {
                        (Vec::new(), vec![Message { level, text: text.to_owned() }])
                    }
                    Answer::Break(why) => return Err(Fault::new(why)),
                    Answer::Nobody(what) => return Ok(Sent::Unheard(what.to_owned())),
                    Answer::Hang => std::future::pending().await,
                    Answer::Cancel(runs) => {
                        let runs = runs.lock().expect("no panic").clone().expect("the engine");
                        runs.cancel(&editor(), order.run).await.expect("cancelled");
                        continue;
                    }
                };
                let goes_on = reporter.report(fates, messages).await?;
                self.goes_on.lock().expect("no panic").push(goes_on);
            }
            Ok(Sent::Heard)
        })
    }
}

/// A press with a remote, what it was asked for, and what its reports were answered.
struct Rig {
    press: Press,
    asked: Arc<Mutex<Vec<Order>>>,
    goes_on: Arc<Mutex<Vec<bool>>>,
}

async fn rig(script: impl Fn(usize, &Order) -> Vec<Answer> + Send + Sync + 'static) -> Rig {
    let (asked, goes_on) = (Arc::default(), Arc::default());
    let elsewhere = Elsewhere {
        asked: Arc::clone(&asked),
        script: Box::new(script),
        goes_on: Arc::clone(&goes_on),
    };
    let input = Input::schema(
        json!({"type": "object", "properties": {"key": {"type": "string", "writeOnly": true}}}),
    );
    let extract = |remote| Definition::remote("extract", "Extract {name}", input, remote);
    let press = press_with(5, definitions().on("article", extract(elsewhere))).await;
    Rig { press, asked, goes_on }
}

impl Rig {
    async fn extract(&self) -> RunInfo {
        let selection = self.press.selected(1..=4).await;
        let order = Start::new(article(), "extract", selection).input(json!({"key": "k3y"}));
        self.press.start(order).await.expect("started").run
    }

    fn places(&self) -> Vec<Vec<u32>> {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().map(|order| order.items.iter().map(|item| item.place).collect()).collect()
    }
}

fn done(places: impl IntoIterator<Item = u32>) -> Answer {
    Answer::Report(places.into_iter().map(|place| (place, Fate::Done)).collect())
}

#[tokio::test]
async fn reports_are_stored_as_they_come_and_told_in_the_streams() {
    let rig = rig(|_, _| {
        vec![
            done([1]),
            Answer::Tell(Level::Info, "half of it"),
            Answer::Report(vec![(0, Fate::Failed("no such file".to_owned()))]),
            Answer::Report(vec![
                (2, Fate::Denied("not yours".to_owned())),
                (3, Fate::Skipped("old".to_owned())),
            ]),
        ]
    })
    .await;
    let run = rig.extract().await;
    assert_eq!((run.state, counts(&run)), (RunState::Partial, [4, 1, 1, 1, 1]));
    assert_eq!(run.input, json!({"key": "***"}));
    let order = rig.asked.lock().expect("no panic")[0].clone();
    assert_eq!((order.run, order.definition.as_str(), order.kind), (run.id, "extract", article()));
    assert_eq!(order.input, json!({"key": "k3y"}));
    assert_eq!(order.context.actor().resource, editor().context.actor().resource);
    assert_eq!(*rig.goes_on.lock().expect("no panic"), [true; 4]);
    let outcomes = rig.press.outcomes(run.id).await;
    assert_eq!(outcomes, [Failed, Done, Denied, Skipped]);
    for (object, wanted) in [
        ("article:1", Some(Outcome::Failed)),
        ("article:2", Some(Outcome::Ok)),
        ("article:3", Some(Outcome::Denied)),
        ("article:4", None),
    ] {
        let stream = rig.press.stream(object).await;
        let told = stream.first().map(|action| action.outcome);
        assert_eq!(told, wanted, "{object}");
        assert!(stream.iter().all(|action| action.verb == "extract" && action.run == Some(run.id)));
    }
    let messages = rig.press.runs.messages(&run.tenant, run.id).await.expect("the messages");
    assert_eq!(messages[0].text, "half of it");
}

/// Waits until a run is like this.
async fn until(press: &Press, is_it: impl Fn(&RunInfo) -> bool) -> RunInfo {
    loop {
        let page = press.runs.list(&gesta::Tenant::default(), &RunQuery::default()).await;
        match page.expect("the runs").items.into_iter().find(|run| is_it(run)) {
            Some(run) => return run,
            None => tokio::task::yield_now().await,
        }
    }
}

/// A rig whose other side is there from some moment on.
async fn absent() -> (Rig, Arc<AtomicBool>) {
    let is_there = Arc::new(AtomicBool::new(false));
    let known = Arc::clone(&is_there);
    let mut rig = rig(move |_, order| {
        if known.load(Ordering::Relaxed) {
            vec![done(order.items.iter().map(|item| item.place))]
        } else {
            vec![Answer::Nobody("no worker listens on work.x")]
        }
    })
    .await;
    rig.press.runs = rig.press.runs.lease(Duration::from_millis(600));
    (rig, is_there)
}

/// That nobody is there says nothing of the objects, however long it lasts.
#[tokio::test]
async fn run_waits_for_who_is_to_do_it_and_says_so() {
    let (rig, is_there) = absent().await;
    let press = &rig.press;
    let coming = async {
        let run = until(press, |run| run.waiting.is_some()).await;
        assert_eq!((run.state, run.counts.pending()), (RunState::Running, 4));
        assert_eq!(run.waiting.as_deref(), Some("no worker listens on work.x"));
        while rig.asked.lock().expect("no panic").len() < 3 {
            tokio::task::yield_now().await;
        }
        is_there.store(true, Ordering::Relaxed);
    };
    let (run, ()) = tokio::join!(rig.extract(), coming);
    assert_eq!((run.state, counts(&run)), (RunState::Succeeded, [4, 4, 0, 0, 0]));
    assert_eq!(run.waiting, None);
    let sql = "SELECT attempts::bigint FROM gesta.run";
    assert_eq!(press.number(sql).await, 0, "to wait is no attempt");
}

/// It is in nobody's way meanwhile, and can be cancelled.
#[tokio::test]
async fn waiting_run_leaves_its_place_to_others_and_can_be_cancelled() {
    let (rig, _) = absent().await;
    let press = &rig.press;
    let order = |name, selection| Start::new(article(), name, selection).mode(Mode::Background);
    let waits = order("extract", press.selected(1..=4).await);
    let waits = press.start(waits).await.expect("queued").run;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Worker::new(&press.runs, WorkerOptions::default().slots(1));
    let working = tokio::spawn(worker.run(async { drop(stopped.await) }));
    until(press, |run| run.id == waits.id && run.waiting.is_some()).await;
    let goes = order("publish", press.selected(1..=2).await);
    let goes = press.start(goes).await.expect("queued").run;
    let goes = until(press, |run| run.id == goes.id && run.state.is_ended()).await;
    assert_eq!(goes.state, RunState::Succeeded);
    let cancelled = press.runs.cancel(&editor(), waits.id).await.expect("cancelled");
    assert_eq!((cancelled.state, cancelled.waiting), (RunState::Cancelled, None));
    stop.send(()).expect("it works");
    working.await.expect("it ends well");
    assert_eq!(press.info(waits.id).await.counts.pending(), 4);
}

/// What is pending is not asked for without end, where those who take it are gone each time.
#[tokio::test]
async fn run_whose_order_makes_everybody_vanish_fails_as_a_whole() {
    let mut rig = rig(|time, _| match time % 2 {
        1 => Vec::new(),
        _ => vec![Answer::Nobody("no worker listens on work.x")],
    })
    .await;
    rig.press.runs = rig.press.runs.lease(Duration::from_millis(40));
    let run = rig.extract().await;
    assert_eq!((run.state, run.counts.pending()), (RunState::Failed, 4));
    assert_eq!(run.error.as_deref(), Some("it was taken 10 times and did not get on"));
}

/// What was not reported is asked for again, and nothing else.
#[tokio::test]
async fn what_is_pending_is_asked_for_again() {
    let rig = rig(|time, order| match time {
        1 => vec![done([0, 2])],
        2 => Vec::new(),
        _ => vec![done(order.items.iter().map(|item| item.place))],
    })
    .await;
    let run = rig.extract().await;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 4));
    assert_eq!(rig.places(), [vec![0, 1, 2, 3], vec![1, 3], vec![1, 3]]);
    assert_eq!(rig.press.verbs("article:1").await, ["extract"]);
}

/// What was reported first stays, also within a report.
#[tokio::test]
async fn second_report_of_an_object_changes_nothing() {
    let late = || Fate::Failed("late".to_owned());
    let rig = rig(move |_, _| {
        vec![
            done([0]),
            Answer::Report(vec![(0, late()), (1, Fate::Done), (1, late())]),
            done([0, 1, 2, 3]),
        ]
    })
    .await;
    let run = rig.extract().await;
    assert_eq!((run.state, counts(&run)), (RunState::Succeeded, [4, 4, 0, 0, 0]));
    for object in 1..=4 {
        assert_eq!(rig.press.verbs(&format!("article:{object}")).await, ["extract"]);
    }
}

#[tokio::test]
async fn failure_of_the_other_side_is_what_pending_objects_failed_with() {
    let rig = rig(|_, _| vec![done([3]), Answer::Break("it answered 503")]).await;
    let run = rig.extract().await;
    assert_eq!((run.state, counts(&run)), (RunState::Partial, [4, 1, 0, 0, 3]));
    assert_eq!(rig.press.items(run.id).await[0].note.as_deref(), Some("it answered 503"));
    let retried = rig.press.runs.retry(&editor(), run.id).await;
    assert!(retried.is_err(), "its input had a secret");
}

#[tokio::test]
async fn report_about_an_object_that_is_none_is_refused() {
    let rig = rig(|_, _| vec![done([0]), done([1, 4])]).await;
    let run = rig.extract().await;
    assert_eq!(counts(&run), [4, 1, 0, 0, 3]);
    let note = rig.press.items(run.id).await[1].note.clone().expect("why");
    assert_eq!(note, "the order has no object at the place 4");
}

#[tokio::test]
async fn silence_ends_as_a_failure() {
    let rig = rig(|_, _| Vec::new()).await;
    let run = rig.extract().await;
    assert_eq!((run.state, counts(&run)), (RunState::Failed, [4, 0, 0, 0, 4]));
    assert_eq!(rig.places().len(), 8);
    let note = rig.press.items(run.id).await[0].note.clone().expect("why");
    assert_eq!(note, "it was asked for 8 times, and nothing was reported");
}

/// Whoever reports to a run that was cancelled is told so, and nothing of it is stored.
#[tokio::test]
async fn report_to_a_cancelled_run_says_stop() {
    let engine: Arc<Mutex<Option<gesta::run::Runs>>> = Arc::default();
    let shared = Arc::clone(&engine);
    let rig =
        rig(move |_, _| vec![done([0]), Answer::Cancel(Arc::clone(&shared)), done([1])]).await;
    *engine.lock().expect("no panic") = Some(rig.press.runs.clone());
    let run = rig.extract().await;
    assert_eq!((run.state, counts(&run)), (RunState::Cancelled, [4, 1, 0, 0, 0]));
    assert_eq!(*rig.goes_on.lock().expect("no panic"), [true, false]);
    assert_eq!(rig.asked.lock().expect("no panic").len(), 1);
    assert!(rig.press.verbs("article:2").await.is_empty());
}

/// Somebody who waits for an answer that does not come learns of it from the heartbeat.
#[tokio::test]
async fn cancelled_run_does_not_wait_for_an_answer_that_does_not_come() {
    let rig = rig(|_, _| vec![done([0]), Answer::Hang]).await;
    let press = &rig.press;
    let cancelling = async {
        loop {
            let page = press.runs.list(&gesta::Tenant::default(), &RunQuery::default()).await;
            match page.expect("the runs").items.first() {
                Some(run) if run.counts.done == 1 => break run.id,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let cancelled =
        async { press.runs.cancel(&editor(), cancelling.await).await.expect("cancelled") };
    let (run, cancelled) = tokio::join!(rig.extract(), cancelled);
    assert_eq!(
        (run.id, run.state, counts(&run)),
        (cancelled.id, RunState::Cancelled, [4, 1, 0, 0, 0])
    );
}

/// Objects that are in no table of this database.
#[tokio::test]
async fn objects_without_a_table_are_known_by_their_ids() {
    let elsewhere = Elsewhere {
        asked: Arc::default(),
        script: Box::new(|_, order| vec![done(order.items.iter().map(|item| item.place))]),
        goes_on: Arc::default(),
    };
    let restart = Definition::remote("restart", "Restart {name}", Input::none(), elsewhere);
    let press = press_with(0, definitions().on("server", restart)).await;
    let server = ResourceType::new("server").expect("a type");
    let somebody = asker("user:1", gesta::definition::Rights::default());
    let which = gesta::run::Which::Ids(["b", "a/1", "b", "ü"].map(str::to_owned).to_vec());
    let made = press.runs.select(&somebody, &server, which, None).await.expect("selected");
    assert_eq!((made.total, made.dropped), (3, 0));
    let plan =
        press.runs.plan(&somebody, &server, "restart", made.id, json!({})).await.expect("a plan");
    assert_eq!((plan.tried.total, plan.sample.len()), (0, 0));
    let order = Start::new(server, "restart", made.id).token(plan.token);
    let run = press.runs.start(&somebody, order).await.expect("started").run;
    assert_eq!((run.state, run.counts.done), (RunState::Succeeded, 3));
    assert_eq!(press.verbs("server:a/1").await, ["restart"]);
    let bad = gesta::run::Which::Ids(vec!["x".repeat(3000)]);
    let server = ResourceType::new("server").expect("a type");
    let error = press.runs.select(&somebody, &server, bad, None).await.expect_err("no id");
    assert!(error.to_string().starts_with("an id is refused: resource id"), "{error}");
}
