//! What does a run cost? One over 100,000 objects beside the bare statement, and beside the same statement in a session, whose
//! actions are recorded; what it costs to start one, however many objects it has; and what a worker adds to each object.
//!
//! `cargo bench --bench run`, or `… -- "start"` for some of the lines. The server is private and durable, unless
//! `GESTA_BENCH_URL` names one.
#![expect(clippy::expect_used, reason = "a bench ends at the first failure")]

mod support;

use std::time::Instant;

use gesta::definition::{
    Asker, Catalog, Definition, Fault, Mode, Operation, Piece, Rights, TypeSpec,
};
use gesta::run::{Filter, RunState, Runs, Start, Which, Worker, WorkerOptions};
use gesta::session::Selection;
use gesta::{Context, Hook, Model, Resource, ResourceRef, ResourceType, Session, Store, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::{Bench, median, wanted};
use tokio_postgres::Client;
use uuid::Uuid;

/// How often each figure is taken; the kinds take turns.
const ROUNDS: usize = 3;
/// Objects of a large run.
const LARGE: i64 = 100_000;
/// Objects of a run of which one costs nothing.
const SMALL: i64 = 1;

#[derive(Serialize, Deserialize)]
struct Article {
    id: i64,
    title: String,
    state: String,
}

impl Resource for Article {
    fn resource(&self) -> ResourceRef {
        ResourceRef::new("article", self.id.to_string()).expect("a number is an id")
    }
    fn name(&self) -> Option<String> {
        Some(self.title.clone())
    }
}

impl Model for Article {
    const TABLE: &'static str = "app.article";
    const KEY: &'static str = "id";
}

impl Hook for Article {}

/// One statement a piece, with an action a row.
struct Captured;

impl Operation for Captured {
    type Input = ();

    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        let patch = json!({ "state": "public" });
        piece.session().update::<Article>(Selection::ids(ids), &patch).await?;
        Ok(())
    }
}

/// One statement a piece, of which nothing is recorded.
struct Bare;

const BARE: &str = "UPDATE app.article SET state = 'public' WHERE id = ANY ($1::text[]::bigint[])";

impl Operation for Bare {
    type Input = ();

    async fn run(&self, piece: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        let ids: Vec<_> = piece.open_ids().into_iter().map(str::to_owned).collect();
        let updated = piece.session().transaction().execute(BARE, &[&ids]).await;
        updated.map(drop).map_err(|error| Fault::caused("failed to update", error))
    }
}

/// Nothing: what is left is the run's own.
struct Nothing;

impl Operation for Nothing {
    type Input = ();

    async fn run(&self, _: &mut Piece<'_, '_>, (): &()) -> Result<(), Fault> {
        Ok(())
    }
}

struct Rig {
    admin: Client,
    store: Store,
    runs: Runs,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let bench = Bench::start().await;
        let rig = rig(&bench).await;
        println!("{:<44} {:>12} {:>12}", "", "ms", "µs an object");
        if wanted("large") {
            large(&rig).await;
        }
        if wanted("start") {
            start(&rig).await;
        }
        if wanted("worker") {
            worker(&rig).await;
        }
        bench.end().await;
    });
}

async fn rig(bench: &Bench) -> Rig {
    let admin = bench.admin().await;
    let tables = format!(
        "CREATE SCHEMA app; CREATE TABLE app.article (id bigint PRIMARY KEY, title text NOT NULL, state text NOT NULL);
        INSERT INTO app.article SELECT n, 'article ' || n, 'draft' FROM generate_series(1, {LARGE}) AS n;
        GRANT USAGE ON SCHEMA app TO gesta_app; GRANT ALL ON ALL TABLES IN SCHEMA app TO gesta_app;"
    );
    admin.batch_execute(&tables).await.expect("the tables");
    let store = bench.store("gesta_app", 4);
    let catalog = Catalog::builder()
        .resource(TypeSpec::model::<Article>("article", "article", "articles").name_column("title"))
        .on("article", Definition::new("captured", "Captured", Captured))
        .on("article", Definition::new("bare", "Bare", Bare))
        .on("article", Definition::new("nothing", "Nothing", Nothing))
        .build()
        .expect("a catalog");
    let runs = Runs::new(&store, catalog);
    Rig { admin, store, runs }
}

/// A run over all rows beside the statement that does the same.
async fn large(rig: &Rig) {
    let mut figures: [Vec<f64>; 6] = Default::default();
    for _ in 0..ROUNDS {
        rig.reset().await;
        let sql = "UPDATE app.article SET state = 'public'";
        figures[0].push(timed(rig.admin.batch_execute(sql)).await);
        rig.reset().await;
        figures[1].push(timed(rig.session()).await);
        rig.reset().await;
        figures[2].push(timed(rig.select(LARGE)).await);
        for (name, times) in ["nothing", "bare", "captured"].into_iter().zip(&mut figures[3..]) {
            rig.reset().await;
            let selection = rig.select(LARGE).await;
            times.push(timed(rig.run(name, selection, Mode::Foreground)).await);
        }
    }
    let names = [
        "large: the bare statement",
        "large: the same in a session, with actions",
        "large: selecting the rows",
        "large: a run that does nothing",
        "large: a run of the bare statement",
        "large: a run with actions",
    ];
    for (name, times) in names.into_iter().zip(figures) {
        print(name, median(times), LARGE);
    }
}

/// What somebody waits for before anything is done: of one object, and of all.
async fn start(rig: &Rig) {
    for objects in [SMALL, LARGE] {
        let (mut queued, mut planned) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS * 3 {
            let selection = rig.select(objects).await;
            queued.push(timed(rig.run("nothing", selection, Mode::Background)).await);
            let (asker, kind) = (asker(), article());
            let plan = Box::pin(rig.runs.plan(&asker, &kind, "captured", selection, json!({})));
            planned.push(timed(async { drop(plan.await.expect("a plan")) }).await);
        }
        print(&format!("start: queueing a run of {objects}"), median(queued), 1);
        print(&format!("start: planning a run of {objects}"), median(planned), 1);
    }
    rig.admin
        .batch_execute(
            "UPDATE gesta.run SET state = 'cancelled', ended_at = now() WHERE ended_at IS NULL",
        )
        .await
        .expect("none is queued");
}

/// A worker with a run of all objects, from the moment it is queued.
async fn worker(rig: &Rig) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Worker::new(&rig.runs, WorkerOptions::default().slots(1));
    let working = tokio::spawn(worker.run(async move { drop(stopped.await) }));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        rig.reset().await;
        let selection = rig.select(LARGE).await;
        times.push(
            timed(async {
                let run = rig.run("nothing", selection, Mode::Background).await;
                while !rig.is_over(run).await {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            })
            .await,
        );
    }
    print("worker: a run that does nothing", median(times), LARGE);
    stop.send(()).expect("it works");
    working.await.expect("it ends well");
}

impl Rig {
    async fn reset(&self) {
        let sql = "UPDATE app.article SET state = 'draft'; CHECKPOINT";
        for sql in sql.split("; ") {
            self.admin.batch_execute(sql).await.expect(sql);
        }
    }

    async fn session(&self) {
        let mut client = self.store.client().await.expect("a connection");
        let context = asker().context;
        let mut session =
            Session::begin(&self.store, &mut client, &context).await.expect("a session");
        let patch = json!({ "state": "public" });
        Box::pin(session.update::<Article>(Selection::all(), &patch)).await.expect("updated");
        session.commit().await.expect("committed");
    }

    async fn select(&self, objects: i64) -> Uuid {
        let which = if objects == LARGE {
            Which::Rows(Filter::all())
        } else {
            Which::Ids((1..=objects).map(|id| id.to_string()).collect())
        };
        self.runs.select(&asker(), &article(), which, None).await.expect("selected").id
    }

    async fn run(&self, name: &str, selection: Uuid, mode: Mode) -> Uuid {
        let order = Start::new(article(), name, selection).mode(mode);
        let run = self.runs.start(&asker(), order).await.expect("started").run;
        assert!(mode == Mode::Background || run.state == RunState::Succeeded, "{run:?}");
        run.id
    }

    async fn is_over(&self, run: Uuid) -> bool {
        let run = self.runs.run(&Tenant::default(), run).await.expect("the run");
        run.state.is_ended()
    }
}

fn asker() -> Asker {
    let alice = ResourceRef::new("user", "42").expect("a user").named("Alice");
    Asker { context: Context::new(&alice).reason("end of the quarter"), rights: Rights::all() }
}

fn article() -> ResourceType {
    ResourceType::new("article").expect("a type")
}

/// Seconds that something takes.
async fn timed<T>(what: impl Future<Output = T>) -> f64 {
    let began = Instant::now();
    what.await;
    began.elapsed().as_secs_f64()
}

fn print(name: &str, seconds: f64, objects: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand")]
    let each = seconds * 1e6 / objects as f64;
    println!("{name:<44} {:>12.2} {each:>12.2}", seconds * 1e3);
}
