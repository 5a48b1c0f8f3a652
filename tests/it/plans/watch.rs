//! A database full of actions, and a store that shows the plans of what it runs.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool};
use gesta::{ActionId, QueryError, Reader, Store, Tenant};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};
use uuid::Uuid;

use crate::support::{TestDb, database};

/// 100,000 actions of seven years, of which the past partition holds 57 %: few actors, objects and targets have most of
/// them. Type `rare` ended years ago; `service` is rare and goes on.
const FILL: &str = "
SELECT setseed(0.5);
INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
    occurred_at, run_id, source, audience, data)
SELECT CASE WHEN n % 20 = 0 THEN 'small' ELSE 'default' END,
    overlay(gesta.id_floor(t)::text placing lpad(to_hex(n), 12, '0') from 25)::uuid,
    CASE WHEN n % 1000 = 1 THEN 'service' ELSE 'user' END, (1000 * random() ^ 4)::integer::text,
    CASE WHEN n % 500 = 0 THEN 'delete' WHEN n % 3 = 0 THEN 'comment' ELSE 'commit' END,
    CASE WHEN n % 10 = 0 THEN NULL WHEN n % 2000 = 7 AND n < 50000 THEN 'rare' WHEN n % 10 = 1 AND n < 50000 THEN 'former' WHEN n % 3 = 0 THEN 'issue' ELSE 'file' END,
    CASE WHEN n % 10 > 0 THEN (20000 * random() ^ 3)::integer::text END,
    CASE WHEN n % 4 > 0 THEN 'repo' END, CASE WHEN n % 4 > 0 THEN (30 * random() ^ 3)::integer::text END,
    t, CASE WHEN n % 2 = 0 THEN md5((n / 1000)::text)::uuid END, 'import',
    CASE WHEN n % 50 = 0 THEN '{staff}' ELSE '{public}' END::text[], jsonb_build_object('n', n)
FROM (
    SELECT n, date_trunc('milliseconds', date_trunc('year', now()) - interval '4 years' + n * (interval '7 years' / 100001)) AS t
    FROM generate_series(1, 100000) AS n
) AS x;
INSERT INTO gesta.follow (tenant, id, follower_type, follower_id, followed_type, followed_id, roles)
SELECT 'default', overlay(md5(n::text) placing '8' from 13 for 1)::uuid, 'user',
    CASE WHEN n <= 1000 THEN 'many' WHEN n <= 1010 THEN 'few' WHEN n = 1011 THEN 'silent' ELSE 'x' || n END,
    CASE WHEN n = 1011 THEN 'nothing' ELSE 'user' END, (n % 1000)::text,
    CASE WHEN n % 7 = 0 THEN '{actor,object,target}' ELSE '{actor}' END::text[]
FROM generate_series(1, 20000) AS n;
INSERT INTO gesta.follow (tenant, id, follower_type, follower_id, followed_type, followed_id, roles)
SELECT 'default', overlay(md5('quiet' || n) placing '8' from 13 for 1)::uuid, 'user', 'quiet', 'file', (15000 + n)::text, '{object}'
FROM generate_series(1, 1000) AS n;
INSERT INTO gesta.role (tenant, name, permissions, changed_by)
SELECT 'default', 'role' || n, array['article.w' || n], 'user:root' FROM generate_series(1, 1000) AS n;
INSERT INTO gesta.role_member (tenant, role, member_type, member_id, added_by)
SELECT 'default', CASE WHEN n % 2 = 0 THEN 'role1' ELSE 'role' || n % 1000 END, 'user', (n % 10007)::text, 'user:root'
FROM generate_series(1, 20000) AS n
ON CONFLICT DO NOTHING;
INSERT INTO gesta.visibility (tenant, action_id, audience, changed_by)
SELECT tenant, id, '{staff}', id FROM gesta.action WHERE random() < 0.02;
VACUUM ANALYZE";

/// From here on every session of the database tells its plans.
const WATCH: &str = "
ALTER DATABASE $ SET session_preload_libraries = 'auto_explain';
ALTER DATABASE $ SET auto_explain.log_min_duration = 0;
ALTER DATABASE $ SET auto_explain.log_analyze = on;
ALTER DATABASE $ SET auto_explain.log_buffers = on;
ALTER DATABASE $ SET auto_explain.log_timing = off;
ALTER DATABASE $ SET auto_explain.log_format = json;
ALTER DATABASE $ SET auto_explain.log_level = notice";

/// The database of all tests of this process; the last one of them drops it.
async fn shared() -> Arc<TestDb> {
    static SHARED: tokio::sync::Mutex<Weak<TestDb>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(db) = shared.upgrade() {
        return db;
    }
    let db = Arc::new(filled().await);
    *shared = Arc::downgrade(&db);
    db
}

async fn filled() -> TestDb {
    let db = database().await;
    let admin = db.admin().await;
    // VACUUM has to stand alone.
    for sql in FILL.split_inclusive(';') {
        admin.batch_execute(sql).await.expect(sql);
    }
    admin.batch_execute(&WATCH.replace('$', db.name())).await.expect("auto_explain is there");
    db
}

/// A store of `gesta_app` on one connection, which shows its plans.
pub(super) struct Watched {
    db: Arc<TestDb>,
    store: Store,
    plans: Plans,
}

pub(super) async fn watched() -> Watched {
    watch(shared().await)
}

/// A database of the test's own, for one that writes.
pub(super) async fn watched_alone() -> Watched {
    watch(Arc::new(filled().await))
}

fn watch(db: Arc<TestDb>) -> Watched {
    let plans = Plans::default();
    let (config, options) = (db.config("gesta_app"), ManagerConfig::default());
    let manager = Manager::from_connect(config, plans.clone(), options);
    let pool = Pool::builder(manager).max_size(1).build().expect("a pool");
    Watched { db, store: Store::new(pool), plans }
}

impl Watched {
    /// A connection that is not watched, as a superuser.
    pub(super) async fn admin(&self) -> Client {
        self.db.admin().await
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(&self.store, Tenant::default())
    }

    /// Visible actions of all times.
    pub(super) async fn some_ids(&self, len: usize) -> Vec<ActionId> {
        const SOME: &str = "
            SELECT a.id FROM gesta.action AS a
            WHERE a.tenant = 'default' AND a.audience = '{public}'
                AND NOT EXISTS (SELECT FROM gesta.visibility AS v WHERE v.action_id = a.id)
            ORDER BY md5(a.id::text) LIMIT $1";
        let len = i64::try_from(len).expect("few");
        let rows = self.db.admin().await.query(SOME, &[&len]).await.expect("ids");
        rows.iter().map(|row| row.get::<_, Uuid>(0).try_into().expect("a UUIDv7")).collect()
    }

    /// What a call reads, and the plan of its last statement.
    pub(super) async fn plan<T>(
        &self,
        call: impl Future<Output = Result<T, QueryError>>,
    ) -> (T, Plan) {
        let (read, mut plans) = self.plans(call).await;
        match read {
            Ok(read) => (read, plans.pop().expect("a plan: is auto_explain installed?")),
            Err(error) => panic!("{}", gesta::error::chain(&error)),
        }
    }

    /// What a call does, and the plans of its statements.
    pub(super) async fn plans<T>(&self, call: impl Future<Output = T>) -> (T, Vec<Plan>) {
        self.plans.take();
        let done = call.await;
        (done, self.plans.take())
    }
}

/// Opens connections and keeps what `auto_explain` says on them.
#[derive(Clone, Default)]
struct Plans(Arc<Mutex<Vec<Plan>>>);

impl Plans {
    fn take(&self) -> Vec<Plan> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, message: &str) {
        let Some((_, json)) = message.split_once("plan:\n") else { return };
        let value: Value = serde_json::from_str(json).expect("auto_explain writes JSON");
        let text = value["Query Text"].as_str().unwrap_or_default();
        let ours =
            ["-- stream::", "-- search::", "-- store::", "-- log::tick::", "-- role::", "-- run::"];
        if ours.iter().any(|prefix| text.starts_with(prefix)) && !text.contains("::scope\n") {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Plan(value));
        }
    }
}

impl Connect for Plans {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(NoTls).await?;
            let plans = self.clone();
            let task = tokio::spawn(async move {
                while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                    if let AsyncMessage::Notice(notice) = message {
                        plans.keep(notice.message());
                    }
                }
            });
            Ok((client, task))
        })
    }
}

/// How a statement was executed.
pub(super) struct Plan(Value);

impl Plan {
    /// The statement.
    pub(super) fn text(&self) -> &str {
        self.0["Query Text"].as_str().unwrap_or_default()
    }

    /// Pages of 8 KiB that were looked at, in memory or on disk.
    pub(super) fn buffers(&self) -> u64 {
        let count = |what: &str| self.0["Plan"][what].as_u64().unwrap_or_default();
        count("Shared Hit Blocks") + count("Shared Read Blocks")
    }

    pub(super) fn assert_buffers(&self, name: &str, limit: u64) {
        let buffers = self.buffers();
        assert!(
            buffers <= limit,
            "{name} reads {buffers} buffers, at most {limit} are due\n{self}"
        );
    }

    /// The indexes of the log, or of the table where it is another one, without the partition's name.
    pub(super) fn indexes(&self) -> Vec<&str> {
        let names = self.nodes().into_iter().filter_map(|node| node["Index Name"].as_str());
        let names = names.filter(|name| !name.starts_with("visibility_"));
        let partition = |name: &str| PARTITIONS.iter().find(|p| name.starts_with(**p)).copied();
        let stripped = names.map(|name| match partition(name) {
            Some("action_y") => &name["action_y2000_".len()..],
            Some(partition) => &name[partition.len()..],
            None => name,
        });
        stripped.collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(super) fn sorts(&self) -> usize {
        let kinds = self.nodes().into_iter().filter_map(|node| node["Node Type"].as_str());
        kinds.filter(|kind| is_sort(kind)).count()
    }

    /// Rows that had to be sorted.
    pub(super) fn sorted_rows(&self) -> f64 {
        let nodes = self.nodes().into_iter();
        let sorts = nodes.filter(|node| node["Node Type"].as_str().is_some_and(is_sort));
        sorts.filter_map(|sort| sort["Plans"].as_array()).flatten().map(rows).sum()
    }

    /// Tables that were read from end to end, though they are not nearly empty.
    pub(super) fn scanned(&self) -> Vec<String> {
        let scans = self.nodes().into_iter().filter(|node| node["Node Type"] == "Seq Scan");
        let large = scans.filter(|node| rows(node) > 10.0);
        large.map(|node| node["Relation Name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Tables that are read from end to end where it comes to that, however empty they are.
    pub(super) fn scans(&self) -> Vec<&str> {
        let scans = self.nodes().into_iter().filter(|node| node["Node Type"] == "Seq Scan");
        scans.filter_map(|node| node["Relation Name"].as_str()).collect()
    }

    /// Whether a partition was looked into at all.
    pub(super) fn has_begun(&self, relation: &str) -> bool {
        let begun = |node: &&Value| node["Actual Loops"].as_f64().unwrap_or_default() > 0.0;
        self.nodes().iter().filter(|node| node["Relation Name"] == relation).any(begun)
    }

    /// Rows that were read of a partition.
    pub(super) fn rows_of(&self, relation: &str) -> f64 {
        let nodes = self.nodes().into_iter().filter(|node| node["Relation Name"] == relation);
        nodes.map(rows).sum()
    }

    fn nodes(&self) -> Vec<&Value> {
        let mut nodes = vec![&self.0["Plan"]];
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            nodes.extend(node["Plans"].as_array().into_iter().flatten());
            at += 1;
        }
        nodes
    }
}

/// What the names of partitions and of their indexes begin with.
const PARTITIONS: [&str; 3] = ["action_past_", "action_future_", "action_y"];

fn is_sort(kind: &str) -> bool {
    kind.ends_with("Sort")
}

/// Rows that a scan looked at.
fn rows(node: &Value) -> f64 {
    let count = |what: &str| node[what].as_f64().unwrap_or_default();
    (count("Actual Rows") + count("Rows Removed by Filter")) * count("Actual Loops")
}

/// For the message of a test that fails: one line a node.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn walk(node: &Value, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let text = |what: &str| node[what].as_str().unwrap_or_default();
            let buffers = |what: &str| node[what].as_u64().unwrap_or_default();
            writeln!(
                f,
                "{:indent$}{} {} {} ({} of {} rows, {} times, {} buffers)",
                "",
                text("Node Type"),
                text("Relation Name"),
                text("Index Name"),
                node["Actual Rows"],
                node["Plan Rows"],
                node["Actual Loops"],
                buffers("Shared Hit Blocks") + buffers("Shared Read Blocks"),
                indent = depth * 2,
            )?;
            let mut children = node["Plans"].as_array().into_iter().flatten();
            children.try_for_each(|child| walk(child, depth + 1, f))
        }
        walk(&self.0["Plan"], 0, f)
    }
}
