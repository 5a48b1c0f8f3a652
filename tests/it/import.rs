//! Imports: what was in the input is in the log, once, whatever happens in between.

mod git;

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use deadpool_postgres::{Manager, Pool};
use gesta::import::{Git, Jsonl, Refusal};
use gesta::store::{
    ImportCounts, ImportEnd, ImportError, ImportObserver, ImportOptions, ImportProgress,
};
use gesta::{Store, Tenant};
use tokio_postgres::{Client, Config, NoTls};

use crate::support::proxy::{Cut, Proxy};
use crate::support::{TestDb, database};

/// Rows of more than two chunks.
const MANY: usize = 25_000;

fn store(config: Config) -> Store {
    Store::new(Pool::builder(Manager::new(config, NoTls)).max_size(2).build().expect("a pool"))
}

/// A store of the role that may COPY.
fn importer(db: &TestDb) -> Store {
    store(db.config("gesta_import"))
}

fn event(n: usize) -> String {
    format!(
        r#"{{"event_id":"e{n}","actor":{{"type":"user","id":"{}"}},"verb":"close","object":{{"type":"issue","id":"{n}"}},"target":null,"occurred_at":"2016-01-01T00:00:{:02}Z","data":{{"n":{n}}},"batch_id":"b{}"}}"#,
        n % 7,
        n % 60,
        n / 3,
    )
}

fn events(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|n| event(n) + "\n").collect()
}

fn lines(text: impl Into<Vec<u8>>) -> Jsonl<Cursor<Vec<u8>>> {
    Jsonl::new(Cursor::new(text.into()))
}

fn counts(appended: u64, duplicates: u64, conflicts: u64, refused: u64) -> ImportCounts {
    let read = appended + duplicates + conflicts + refused;
    ImportCounts { read, appended, duplicates, conflicts, refused }
}

async fn import(store: &Store, text: impl Into<Vec<u8>>) -> ImportCounts {
    let report = store.import(lines(text), ImportOptions::default(), &mut ()).await;
    report.expect("imported").counts
}

async fn value<T: for<'a> tokio_postgres::types::FromSql<'a>>(db: &Client, sql: &str) -> T {
    db.query_one(sql, &[]).await.expect(sql).get(0)
}

async fn rows(db: &Client) -> i64 {
    value(db, "SELECT count(*) FROM gesta.action").await
}

/// Keeps what it hears, and stops after some chunks.
#[derive(Default)]
struct Witness {
    refusals: Vec<Refusal>,
    chunks: usize,
    stop_after: Option<usize>,
    bytes: u64,
}

impl ImportObserver for Witness {
    fn refused(&mut self, refusal: &Refusal) {
        self.refusals.push(refusal.clone());
    }

    fn progress(&mut self, progress: &ImportProgress) -> ControlFlow<()> {
        self.chunks += 1;
        self.bytes = progress.bytes;
        if self.stop_after == Some(self.chunks) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

#[tokio::test]
async fn second_import_of_the_same_input_adds_nothing() {
    let db = database().await;
    let (store, admin) = (importer(&db), db.admin().await);
    let text = events(0..MANY);
    assert_eq!(import(&store, text.clone()).await, counts(MANY as u64, 0, 0, 0));
    let before: String = value(&admin, CONTENT).await;
    assert_eq!(import(&store, text).await, counts(0, MANY as u64, 0, 0));
    assert_eq!(value::<String>(&admin, CONTENT).await, before);
    assert_eq!(rows(&admin).await, 25_000);
}

/// A digest of everything that a writer gives.
const CONTENT: &str = "SELECT md5(string_agg(concat_ws('|', tenant, id, actor_type, actor_id, verb, object_type, object_id,
    target_type, target_id, occurred_at, run_id, source, outcome, description, changes, data, names, context,
    audience), '/' ORDER BY tenant, id)) FROM gesta.action";

#[tokio::test]
async fn role_under_row_security_stores_the_same_through_the_staging_table() {
    let (straight, staged) = (database().await, database().await);
    let text = events(0..2_000) + &event(7).replace("close", "open") + "\n" + &event(8) + "\n";
    assert_eq!(import(&importer(&straight), text.clone()).await, counts(2_000, 1, 1, 0));
    let app = store(staged.config("gesta_app"));
    assert_eq!(import(&app, text).await, counts(2_000, 1, 1, 0));
    let (straight, staged) = (straight.admin().await, staged.admin().await);
    assert_eq!(value::<String>(&straight, CONTENT).await, value::<String>(&staged, CONTENT).await);
}

#[tokio::test]
async fn imported_action_is_what_the_library_would_have_appended() {
    let db = database().await;
    import(&importer(&db), event(3)).await;
    let admin = db.admin().await;
    let sql = "SELECT concat_ws('|', actor_type, actor_id, verb, object_id, target_id, occurred_at AT TIME ZONE 'UTC',
                   source, outcome, data, context, audience) FROM gesta.action";
    assert_eq!(
        value::<String>(&admin, sql).await,
        "user|3|close|3|2016-01-01 00:00:03|import|ok|{\"n\": 3}|{\"batch_id\": \"b1\", \"source_id\": \"e3\"}|{public}"
    );
    import(&importer(&db), events(0..9)).await;
    let runs = "SELECT count(*) FROM (SELECT run_id FROM gesta.action GROUP BY run_id HAVING count(*) = 3) AS run";
    assert_eq!(value::<i64>(&admin, runs).await, 3);
}

#[tokio::test]
async fn repeated_events_of_one_chunk_are_told_apart_line_by_line() {
    let db = database().await;
    let mut text = events(0..10);
    for _ in 0..118 {
        text += &(event(3) + "\n");
    }
    text += &(event(4).replace("close", "open") + "\n" + &event(11) + "\n");
    let mut witness = Witness::default();
    let store = importer(&db);
    let report = store.import(lines(text), ImportOptions::default(), &mut witness).await;
    assert_eq!(report.expect("imported").counts, counts(11, 118, 1, 0));
    let [refusal] = &witness.refusals[..] else { panic!("{:?}", witness.refusals) };
    assert_eq!((refusal.line, refusal.problem.field.as_deref()), (129, Some("id")));
    assert!(refusal.to_string().starts_with("line 129: another action has the id 0151fa"));
    let sql = "SELECT verb FROM gesta.action WHERE object_id = '4'";
    assert_eq!(value::<String>(&db.admin().await, sql).await, "close", "the first one stays");
}

#[tokio::test]
async fn bad_lines_are_told_and_the_others_are_stored() {
    let db = database().await;
    let text =
        [&event(1), "nonsense", "", &event(2).replace("close", "a\\nb"), &event(3)].join("\r\n");
    let mut witness = Witness::default();
    let store = importer(&db);
    let report = store.import(lines(text.clone()), ImportOptions::default(), &mut witness).await;
    assert_eq!(report.expect("imported").counts, counts(2, 0, 0, 2));
    assert_eq!(witness.bytes, text.len() as u64);
    let told: Vec<_> = witness.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 2: the line is not JSON at byte 2: expected ident",
            "line 4: `verb`: `a\\nb` is refused; give 1 to 255 bytes without control characters",
        ]
    );
    assert_eq!(&*witness.refusals[0].raw, "nonsense");
}

#[tokio::test]
async fn row_that_only_the_database_refuses_is_found_and_told() {
    let db = database().await;
    let admin = db.admin().await;
    let rules =
        "ALTER TABLE gesta.action ADD CONSTRAINT no_closing_of_41 CHECK (object_id <> '41');
        CREATE FUNCTION no_sixes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'no sixes' USING ERRCODE = '23514', COLUMN = 'data';
        END $$;
        CREATE TRIGGER no_sixes BEFORE INSERT ON gesta.action
        FOR EACH ROW WHEN (NEW.data->>'n' = '66') EXECUTE FUNCTION no_sixes()";
    admin.batch_execute(rules).await.expect("an operator's own rules");
    let mut witness = Witness::default();
    let store = importer(&db);
    let report = store.import(lines(events(0..500)), ImportOptions::default(), &mut witness).await;
    assert_eq!(report.expect("imported").counts, counts(498, 0, 0, 2));
    let told = witness.refusals[0].to_string();
    assert!(told.starts_with("line 42: ") && told.contains("no_closing_of_41"), "{told}");
    let told = witness.refusals[1].to_string();
    assert!(told.starts_with("line 67: `data`: ") && told.ends_with("no sixes"), "{told}");
}

#[tokio::test]
async fn number_that_the_database_cannot_hold_is_told_with_its_field() {
    let db = database().await;
    let text = [event(1), event(2).replace(r#""n":2"#, r#""n":1e-99999"#), event(3)].join("\n");
    let mut witness = Witness::default();
    let store = importer(&db);
    let report = store.import(lines(text), ImportOptions::default(), &mut witness).await;
    assert_eq!(report.expect("imported").counts, counts(2, 0, 0, 1));
    let refusal = &witness.refusals[0];
    assert_eq!((refusal.line, refusal.problem.field.as_deref()), (2, Some("data")), "{refusal}");
}

#[tokio::test]
async fn lines_of_another_tenant_are_refused() {
    let db = database().await;
    let own = |tenant: &str, n: u8| {
        format!(
            r#"{{"id":"00000000-03e8-7000-8000-0000000000{n:02}","tenant":"{tenant}","actor":{{"type":"user","id":"1"}},"verb":"x"}}"#
        )
    };
    let text = [own("acme", 1), own("other", 2)].join("\n");
    let options = ImportOptions::default().tenant(Tenant::new("acme").expect("valid"));
    let mut witness = Witness::default();
    let report = importer(&db).import(lines(text), options, &mut witness).await.expect("imported");
    assert_eq!(report.counts, counts(1, 0, 0, 1));
    let told = witness.refusals[0].to_string();
    assert!(told.starts_with("line 2: `tenant`: the line is of `other`, but"), "{told}");
    assert_eq!(value::<String>(&db.admin().await, "SELECT tenant FROM gesta.action").await, "acme");
}

#[tokio::test]
async fn stopped_import_keeps_whole_chunks_and_is_resumed() {
    let db = database().await;
    let (store, admin) = (importer(&db), db.admin().await);
    let text = events(0..MANY);
    let mut witness = Witness { stop_after: Some(1), ..Witness::default() };
    let input = lines(text.clone());
    let report =
        store.import(input, ImportOptions::default(), &mut witness).await.expect("stopped");
    assert_eq!(report.end, ImportEnd::Stopped);
    let stored = report.counts.appended;
    assert_eq!(rows(&admin).await, i64::try_from(stored).expect("small"));
    assert!(stored > 0 && stored < MANY as u64);
    assert_eq!(import(&store, text).await, counts(MANY as u64 - stored, stored, 0, 0));
}

#[tokio::test]
async fn import_whose_future_is_dropped_leaves_whole_chunks() {
    let db = database().await;
    let (store, admin) = (importer(&db), db.admin().await);
    let text = events(0..MANY);
    let input = lines(text.clone());
    {
        let mut nothing = ();
        let import = store.import(input, ImportOptions::default(), &mut nothing);
        tokio::pin!(import);
        // As soon as a chunk is there, which is while the next one is on its way.
        loop {
            tokio::select! {
                biased;
                report = &mut import => panic!("too fast: {report:?}"),
                () = tokio::task::yield_now() => {}
            }
            if rows(&admin).await > 0 {
                break;
            }
        }
    }
    let counts = import(&store, text).await;
    assert_eq!(counts.appended + counts.duplicates, MANY as u64);
    assert!(counts.duplicates >= 10_000);
    assert_eq!(rows(&admin).await, 25_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_importers_of_the_same_events_store_each_once() {
    let db = database().await;
    let forward = events(0..MANY);
    // The other one goes backwards, and says something else about every hundredth event.
    let backward: String = (0..MANY)
        .rev()
        .map(|n| match n % 100 {
            0 => event(n).replace("close", "open") + "\n",
            _ => event(n) + "\n",
        })
        .collect();
    let (one, two) = (importer(&db), store(db.config("gesta_app")));
    let (one, two) = tokio::join!(
        tokio::spawn(async move { import(&one, forward).await }),
        tokio::spawn(async move { import(&two, backward).await }),
    );
    let (one, two) = (one.expect("imported"), two.expect("imported"));
    assert_eq!(one.appended + two.appended, MANY as u64);
    assert_eq!(one.conflicts + two.conflicts, 250);
    assert_eq!((one.read, two.read), (MANY as u64, MANY as u64));
    assert_eq!(rows(&db.admin().await).await, 25_000);
}

#[tokio::test]
async fn connection_that_breaks_inside_a_chunk_loses_and_doubles_nothing() {
    let db = database().await;
    let proxy = Proxy::start(&db.config("gesta_import"), Cut::At(b"\"n\":15000}"));
    let store = store(proxy.config());
    assert_eq!(import(&store, events(0..MANY)).await, counts(MANY as u64, 0, 0, 0));
    assert_eq!(proxy.cuts(), 1);
    assert_eq!(rows(&db.admin().await).await, 25_000);
}

#[tokio::test]
async fn chunk_whose_commit_is_not_answered_counts_as_appended() {
    for role in ["gesta_import", "gesta_app"] {
        let db = database().await;
        let proxy = Proxy::start(&db.config(role), Cut::After(b"COMMIT\0"));
        let store = store(proxy.config());
        assert_eq!(import(&store, events(0..100)).await, counts(100, 0, 0, 0), "{role}");
        assert_eq!(proxy.cuts(), 1);
        assert_eq!(rows(&db.admin().await).await, 100);
    }
}

/// Where the child of the next test imports to. Set for that child only.
const CHILD_URL: &str = "GESTA_TEST_IMPORT_INTO";

/// An input that never ends: after its lines it waits for more.
struct Endless(Cursor<Vec<u8>>);

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => loop {
                std::thread::park();
            },
            len => Ok(len),
        }
    }
}

#[tokio::test]
#[ignore = "the process that import_that_was_killed_is_resumed_without_duplicates starts and kills"]
async fn child_that_is_killed_while_it_imports() {
    #[expect(clippy::disallowed_methods, reason = "this process is configured by its parent")]
    let Ok(url) = std::env::var(CHILD_URL) else { return };
    let input = Jsonl::new(Endless(Cursor::new(events(0..MANY).into_bytes())));
    let store = store(url.parse().expect("a URL"));
    let _ = store.import(input, ImportOptions::default(), &mut ()).await;
}

#[tokio::test]
async fn import_that_was_killed_is_resumed_without_duplicates() {
    let db = database().await;
    let admin = db.admin().await;
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "import::child_that_is_killed_while_it_imports", "--ignored"])
        .env(CHILD_URL, db.url("gesta_import"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a child");
    while rows(&admin).await == 0 {
        assert!(child.try_wait().expect("a child").is_none(), "the child ended by itself");
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("killed");
    // The server may still be at the statement that the child left behind.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'gesta_import'";
    while value::<i64>(&admin, others).await > 0 {}
    let stored = u64::try_from(rows(&admin).await).expect("positive");
    assert!(stored > 0 && stored < MANY as u64, "{stored}");
    let counted = import(&importer(&db), events(0..MANY)).await;
    assert_eq!(counted, counts(MANY as u64 - stored, stored, 0, 0));
    assert_eq!(rows(&admin).await, 25_000);
}

/// A disk that fails.
struct Broken;

impl std::io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is gone"))
    }
}

#[tokio::test]
async fn input_that_breaks_off_is_an_error_and_what_came_before_is_stored() {
    use std::io::Read as _;
    let db = database().await;
    let store = importer(&db);
    let input = Jsonl::new(Cursor::new(events(0..100).into_bytes()).chain(Broken));
    let error = store.import(input, ImportOptions::default(), &mut ()).await;
    let told = gesta::error::chain(&error.expect_err("it cannot be read on"));
    assert_eq!(told, "failed to read the input after line 100: the disk is gone");
    assert_eq!(rows(&db.admin().await).await, 100);
    let mut packed = events(0..100).into_bytes();
    packed.splice(0..0, [0x1f, 0x8b]);
    let error = store.import(lines(packed), ImportOptions::default(), &mut ()).await;
    assert!(matches!(error, Err(ImportError::Read(_))), "{error:?}");
    let missing = Git::new("/nonexistent/folder");
    let error = store.import(missing, ImportOptions::default(), &mut ()).await;
    let error = error.expect_err("no such folder").to_string();
    assert!(
        error.starts_with("failed to read the git history of `/nonexistent/folder`: "),
        "{error}"
    );
}

#[tokio::test]
async fn files_of_real_events_load_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    // The second time costs as much as the first, so one file has to do for it.
    for (name, rows, times) in [
        ("git-sample-20k.jsonl.gz", 20_000, 2),
        ("github-events-2015-01-01-00.jsonl.gz", 7_702, 1),
        ("cloudtrail-2900.jsonl.gz", 2_900, 1),
    ] {
        let db = database().await;
        let store = importer(&db);
        for expected in [counts(rows, 0, 0, 0), counts(0, rows, 0, 0)].into_iter().take(times) {
            let file = std::fs::File::open(folder.join(name)).expect(name);
            let mut witness = Witness::default();
            let options = ImportOptions::default();
            let report = store.import(Jsonl::new(file), options, &mut witness).await;
            let first = witness.refusals.first();
            assert_eq!(report.expect(name).counts, expected, "{name}: {first:?}");
        }
    }
}
