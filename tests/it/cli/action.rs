//! What is run by command: lists, plans, runs, and how it ends. The program is this one, with actions of its own.

use gesta::role::{Giver, NewRole, RoleName, Roles};
use gesta::run::{Runs, Worker, WorkerOptions};
use gesta::{Context, Reader, StreamQuery, Tenant};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::program::Gesta;
use crate::server::runs::{catalog, fill};
use crate::support::{TestDb, database, page, resource};

/// The program, called by the tests below: `gesta` with the actions of these tests.
#[test]
#[ignore = "run by other tests, as the program"]
fn program() {
    let args = std::env::var_os("GESTA_TEST_ARGS").expect("arguments");
    let args = args.into_string().expect("UTF-8");
    let args: Vec<String> = serde_json::from_str(&args).expect("a JSON array");
    println!("\n{}", super::program::BEGIN);
    let code = gesta::cli::main_with(catalog(), args);
    eprintln!("\n{}{code:?}", super::program::END);
    std::process::exit(0);
}

async fn newsroom() -> (TestDb, Gesta) {
    let db = database().await;
    fill(&db).await;
    let gesta = Gesta::on(&db).with_actions();
    (db, gesta)
}

async fn states(db: &TestDb, ids: &[i64]) -> Vec<String> {
    let sql = "SELECT state FROM newsroom.article WHERE id = ANY ($1) ORDER BY id";
    let rows = db.admin().await.query(sql, &[&ids]).await.expect("the articles");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_can_be_run_is_listed_and_explained() {
    let (_db, gesta) = newsroom().await;
    let all = gesta.lines(&["action", "ls"]);
    let names: Vec<_> = all.iter().map(|it| it["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["publish", "withdraw", "kill", "later", "publish"]);
    assert_eq!((&all[0]["type"], &all[4]["type"]), (&json!("article"), &json!("issue")));
    assert_eq!(gesta.lines(&["action", "ls", "issue"]).len(), 1);
    let table = gesta.ok(&["action", "ls", "article", "-o", "table"]);
    assert!(table.starts_with("Type") && table.contains("Publish articles"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    gesta.run(&["action", "ls", "nothing"]).expect_code(3, &["ls"]);

    let shown = gesta.ok(&["action", "show", "article", "publish", "-o", "table"]);
    for part in
        ["Publish articles", "Readers see them", "article.publish", "notify", "--input notify=true"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = gesta.lines(&["action", "show", "article", "publish"]);
    assert_eq!(json[0]["undo"], "withdraw");
    gesta.run(&["action", "show", "article", "nothing"]).expect_code(3, &["show"]);
}

#[tokio::test]
async fn run_ends_with_what_became_of_each_and_a_code_for_scripts() {
    let (db, gesta) = newsroom().await;
    let publish = ["action", "run", "article", "publish"];
    let why = ["--reason", "OPS-7", "--yes"];
    let good = gesta.run(&[&publish[..], &["--ids", "1,2,99"], &why].concat());
    let good = good.expect_code(0, &publish);
    assert!(good.stderr.contains("1 id is not there"), "{}", good.stderr);
    let run = super::program::json_lines(&good.stdout).remove(0);
    assert_eq!((&run["state"], &run["counts"]["done"]), (&json!("succeeded"), &json!(2)));
    assert_eq!(run["reason"], "OPS-7");
    assert_eq!(states(&db, &[1, 2]).await, ["published", "published"]);

    let some = ["--ids", "3,21,22,23", "--input", "notify=true", "-o", "table"];
    let some = gesta.run(&[&publish[..], &some, &why].concat()).expect_code(5, &publish);
    assert!(some.stdout.contains("1 done, 1 skipped, 1 denied, 1 failed"), "{}", some.stdout);
    for part in
        ["article:23 failed: it is broken", "article:22 denied: it is locked", "3 subscribers"]
    {
        assert!(some.stderr.contains(part), "{part}: {}", some.stderr);
    }
    let reader = Reader::new(&db.store().await, Tenant::default()).auditor();
    let of = StreamQuery::object(&resource("article:1"));
    let told = page(&reader, of).await;
    assert_eq!(told[0].context.as_ref().expect("a context").value()["reason"], "OPS-7");
}

#[tokio::test]
async fn nothing_runs_unasked() {
    let (db, gesta) = newsroom().await;
    let run = ["action", "run", "article", "withdraw", "--filter", "state=published"];
    let refused = gesta.run(&[&run[..], &["--reason", "x"]].concat()).expect_code(2, &run);
    assert!(
        refused.stderr.contains("--yes") && refused.stderr.contains("--plan"),
        "{}",
        refused.stderr
    );
    gesta.run(&run).expect_code(2, &run);
    let plan = gesta.lines(&[&run[..], &["--plan"]].concat());
    assert_eq!((&plan[0]["selection"]["total"], &plan[0]["tried"]["done"]), (&json!(1), &json!(1)));
    let table = gesta.ok(&[&run[..], &["--plan", "-o", "table"]].concat());
    assert!(table.contains("nothing was changed") && table.contains("Article 21"), "{table}");
    assert_eq!(states(&db, &[21]).await, ["published"]);
    gesta.run(&[&run[..], &["--reason", "x", "--yes"]].concat()).expect_code(0, &run);
    assert_eq!(states(&db, &[21]).await, ["draft"]);
}

#[tokio::test]
async fn what_cannot_be_run_says_why_by_its_code() {
    let (db, gesta) = newsroom().await;
    let run = ["action", "run", "article", "publish", "--reason", "x", "--yes"];
    for (more, code, wanted) in [
        (&["--ids", "99"][..], 3, "no objects are selected"),
        (&["--filter", "nothing=1"], 2, "nothing"),
        (&["--filter", "nothing"], 2, "is no COLUMN=VALUE"),
        (&["--query", "actr:x"], 2, "did you mean"),
        (&["--ids", "1", "--input", "notfy=true"], 2, "notfy"),
        (&[], 2, "nothing says which objects"),
        (&["--ids", "1", "--query", "x"], 2, "cannot be used with"),
    ] {
        let ended = gesta.run(&[&run[..], more].concat()).expect_code(code, more);
        assert!(ended.stderr.contains(wanted), "{more:?}: {}", ended.stderr);
    }
    let by = |who| ["--ids", "1", "--actor", who];
    let denied = gesta.run(&[&run[..], &by("user:eve")].concat()).expect_code(4, &run);
    assert!(denied.stderr.contains("user:eve may not run `publish`"), "{}", denied.stderr);
    let told = gesta.lines(&["log", "actor:user:eve outcome:denied"]);
    assert_eq!((told.len(), &told[0]["verb"]), (1, &json!("run.refuse")));
    let roles = Roles::new(&db.unbound_store().await);
    let giver = Giver::operator(&Context::new(&resource("user:operator")));
    let name = || RoleName::new("editor").expect("a name");
    let role = NewRole::new(name()).permissions(["article.publish".parse().expect("one")]);
    roles.put(&giver, &role).await.expect("a role");
    roles.add_member(&giver, &name(), &resource("user:ed")).await.expect("a member");
    let run = gesta.lines(&[&run[..], &by("user:ed")].concat());
    assert_eq!(
        (&run[0]["actor"]["id"], &run[0]["permission"]),
        (&json!("ed"), &json!("article.publish"))
    );
}

#[tokio::test]
async fn runs_are_listed_shown_cancelled_and_retried() {
    let (db, gesta) = newsroom().await;
    gesta.run(&["run", "ls", "--fail-empty"]).expect_code(3, &["run ls"]);
    let publish = ["action", "run", "article", "publish", "--reason", "OPS-8", "--yes"];
    let some = gesta.run(&[&publish[..], &["--ids", "1,23"]].concat()).expect_code(5, &publish);
    let run = super::program::json_lines(&some.stdout).remove(0);
    let id = run["id"].as_str().expect("an id");
    let left = gesta.lines(&[&publish[..], &["--ids", "2", "--detach"]].concat());
    let queued = left[0]["id"].as_str().expect("an id");
    assert_eq!(left[0]["state"], "queued");

    let listed = gesta.lines(&["run", "ls"]);
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&json!(queued), &json!(id)));
    assert_eq!(gesta.lines(&["run", "ls", "--state", "partial"]).len(), 1);
    assert_eq!(gesta.lines(&["run", "ls", "--object", "article:23"]).len(), 1);
    let older = gesta.lines(&["run", "ls", "--before", queued]);
    assert_eq!(older[0]["id"], id);
    let table = gesta.ok(&["run", "ls", "-o", "table"]);
    assert!(table.contains("article.publish") && table.contains("1/2"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    let shown = gesta.ok(&["run", "show", id, "-o", "table"]);
    for part in ["1 done, 1 failed", "OPS-8", "publish of article"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let failed = gesta.lines(&["run", "items", id, "--outcome", "failed"]);
    assert_eq!((failed.len(), &failed[0]["note"]), (1, &json!("it is broken")));
    assert_eq!(gesta.lines(&["run", "items", id, "-n", "all"]).len(), 2);
    assert_eq!(gesta.lines(&["run", "items", id, "-n", "1", "--after", "0"])[0]["place"], 1);
    let csv = gesta.ok(&["run", "items", id, "-o", "csv"]);
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let header = csv.headers().expect("a header").iter().collect::<Vec<_>>().join(",");
    assert_eq!(header, "place,object_type,object_id,object_name,outcome,note,settled_at");
    let record = csv.records().next().expect("a row").expect("a record");
    let form = &gesta.lines(&["run", "items", id])[0];
    assert_eq!([&record[0], &record[1]], ["0", "article"]);
    for (at, name) in [(2, "id"), (3, "name")] {
        assert_eq!(form["object"][name].as_str().unwrap_or_default(), &record[at], "{name}");
    }

    let cancelled = gesta.lines(&["run", "cancel", queued]);
    assert_eq!(cancelled[0]["state"], "cancelled");
    gesta.run(&["run", "cancel", queued]).expect_code(1, &["run cancel"]);
    let mend = "UPDATE newsroom.article SET state = 'draft' WHERE id = 23";
    db.admin().await.batch_execute(mend).await.expect("mended");
    let retried = gesta.lines(&["run", "retry", id]);
    assert_eq!((&retried[0]["state"], &retried[0]["retry_of"]), (&json!("succeeded"), &json!(id)));
    gesta.run(&["run", "watch", id]).expect_code(5, &["run watch"]);
    let unknown = uuid::Uuid::from_u128(7).to_string();
    gesta.run(&["run", "show", &unknown]).expect_code(3, &["run show"]);
    gesta.run(&["run", "show", "x"]).expect_code(2, &["run show"]);
}

/// Here the worker is this test, as it is a server elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_that_is_left_to_a_worker_is_watched_until_it_ends() {
    let (db, gesta) = newsroom().await;
    let runs = Runs::new(&db.store().await, catalog());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Worker::new(&runs, WorkerOptions::default().slots(1));
    let working = tokio::spawn(worker.run(async { drop(stopped.await) }));
    let run = ["action", "run", "article", "publish", "--ids", "1,23", "--reason", "x", "--yes"];
    let ended = gesta.run(&[&run[..], &["--wait"]].concat()).expect_code(5, &run);
    let told = super::program::json_lines(&ended.stdout).remove(0);
    assert_eq!((&told["state"], &told["is_background"]), (&json!("partial"), &json!(true)));
    assert_eq!(states(&db, &[1]).await, ["published"]);
    drop(stop);
    working.await.expect("no panic");
}

/// It is interrupted where it has its own row locked, which a cancellation needs.
#[tokio::test]
async fn interrupted_run_is_cancelled() {
    let (db, gesta) = newsroom().await;
    let admin = db.admin().await;
    let slow = "CREATE FUNCTION newsroom.slow() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(2); RETURN NULL; END $$;
        CREATE TRIGGER slow AFTER UPDATE ON gesta.run FOR EACH ROW WHEN (new.done > old.done)
            EXECUTE FUNCTION newsroom.slow()";
    admin.batch_execute(slow).await.expect("a slow database");
    let run = ["action", "run", "article", "publish", "--ids", "1", "--reason", "x", "--yes"];
    let child = gesta.spawn(&run);
    let sleeps = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'PgSleep')";
    while !admin.query_one(sleeps, &[]).await.expect("who waits").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGINT).expect("it can be interrupted");
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("cancelled; what was done stays"), "{stderr}");
    assert_eq!(gesta.lines(&["run", "ls"])[0]["state"], "cancelled");
    assert_eq!(states(&db, &[1]).await, ["draft"], "what was under way is undone");
}

#[tokio::test]
async fn same_key_is_the_same_run() {
    let (_db, gesta) = newsroom().await;
    let run = ["action", "run", "article", "publish", "--reason", "x", "--yes", "--ids", "1"];
    let keyed = [&run[..], &["--idempotency-key", "k-1"]].concat();
    let first = gesta.lines(&keyed);
    let again = gesta.run(&keyed).expect_code(0, &keyed);
    assert!(again.stdout.contains(first[0]["id"].as_str().expect("an id")), "{}", again.stdout);
    assert!(again.stderr.contains("was sent before"), "{}", again.stderr);
}
