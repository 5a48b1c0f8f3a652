//! A database full of actions, and a store that shows the plans of what it runs.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool};
use gesta::{Reader, Store, Tenant};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};

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
    CASE WHEN n % 10 = 0 THEN NULL WHEN n % 2000 = 7 AND n < 50000 THEN 'rare' WHEN n % 3 = 0 THEN 'issue' ELSE 'file' END,
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
INSERT INTO gesta.visibility (tenant, action_id, audience, changed_by)
SELECT tenant, id, '{staff}', id FROM gesta.action WHERE random() < 0.001;
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

/// A filled database, and a store of `gesta_app` on it that shows its plans.
pub(super) struct Filled {
    _db: TestDb,
    store: Store,
    plans: Plans,
    /// One statement at a time, or its plan would be taken for another's.
    one: tokio::sync::Mutex<()>,
}

/// The database of all tests of this process; the last one of them drops it.
pub(super) async fn filled() -> Arc<Filled> {
    static SHARED: tokio::sync::Mutex<Weak<Filled>> = tokio::sync::Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(filled) = shared.upgrade() {
        return filled;
    }
    let filled = Arc::new(fill().await);
    *shared = Arc::downgrade(&filled);
    filled
}

async fn fill() -> Filled {
    let db = database().await;
    let admin = db.admin().await;
    // VACUUM has to stand alone.
    for sql in FILL.split_inclusive(';') {
        admin.batch_execute(sql).await.expect(sql);
    }
    admin.batch_execute(&WATCH.replace('$', db.name())).await.expect("auto_explain is there");
    let plans = Plans::default();
    let manager =
        Manager::from_connect(db.config("gesta_app"), plans.clone(), ManagerConfig::default());
    let pool = Pool::builder(manager).max_size(1).build().expect("a pool");
    Filled { _db: db, store: Store::new(pool), plans, one: tokio::sync::Mutex::new(()) }
}

impl Filled {
    pub(super) fn reader(&self) -> Reader {
        Reader::new(&self.store, Tenant::default())
    }

    /// What a call reads, and the plan of its last statement.
    pub(super) async fn plan<T>(
        &self,
        call: impl Future<Output = Result<T, gesta::QueryError>>,
    ) -> (T, Plan) {
        let _one = self.one.lock().await;
        self.plans.take();
        let read = match call.await {
            Ok(read) => read,
            Err(error) => panic!("{}", gesta::error::chain(&error)),
        };
        let plan = self.plans.take().pop().expect("a plan: is auto_explain installed?");
        (read, plan)
    }
}

/// Opens connections and keeps what auto_explain says on them.
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
        if text.starts_with("-- stream::") && !text.starts_with("-- stream::reader::scope") {
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
    /// Pages of 8 KiB that were looked at, in memory or on disk.
    pub(super) fn buffers(&self) -> u64 {
        let count = |what: &str| self.0["Plan"][what].as_u64().unwrap_or_default();
        count("Shared Hit Blocks") + count("Shared Read Blocks")
    }

    pub(super) fn text(&self) -> String {
        fn walk(node: &Value, depth: usize, text: &mut String) {
            use std::fmt::Write;
            let s = |k: &str| node[k].as_str().unwrap_or_default().to_owned();
            let n = |k: &str| node[k].as_f64().unwrap_or_default();
            writeln!(
                text,
                "{}{} {} {} {} {} rows={} loops={} buf={} removed={} est={}",
                "  ".repeat(depth),
                s("Subplan Name"),
                s("Node Type"),
                s("Relation Name"),
                s("Index Name"),
                s("Scan Direction"),
                n("Actual Rows"),
                n("Actual Loops"),
                n("Shared Hit Blocks") + n("Shared Read Blocks"),
                n("Rows Removed by Filter"),
                n("Plan Rows")
            )
            .expect("s");
            for child in node["Plans"].as_array().into_iter().flatten() {
                walk(child, depth + 1, text);
            }
        }
        let mut t = String::new();
        walk(&self.0["Plan"], 0, &mut t);
        t
    }
}
