//! The second lock: row security keeps tenants apart where a query forgets to.

use gesta::{Audience, Context, Reader, StreamQuery};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, GenericClient};

use super::{action, follow_all, tenant};
use crate::support::{TestDb, append, check_log, database, page, resource, set_audience};

const TABLES: [&str; 3] = ["gesta.action", "gesta.follow", "gesta.visibility"];

/// Which tenants' rows a query without a WHERE returns.
async fn tenants(client: &impl GenericClient, table: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT tenant FROM {table} ORDER BY 1");
    let rows = client.query(&sql, &[]).await.expect(table);
    rows.iter().map(|row| row.get(0)).collect()
}

/// Rows of two tenants in every table.
async fn two_tenants() -> TestDb {
    let db = database().await;
    let store = db.store().await;
    for name in ["one", "other"] {
        follow_all(&store, &tenant(name)).await;
        let id = append(&store, action(&tenant(name))).await;
        let ctx = Context::new(&resource("moderator:1")).tenant(tenant(name));
        set_audience(&store, &ctx, id, &Audience::labels(["staff"])).await;
    }
    db
}

/// A connection of the app role, or of another member of it, with the tenant set.
async fn connect(db: &TestDb, role: &str, tenant: &str) -> Client {
    let client = db.connect(role).await;
    let sql = "SELECT set_config('gesta.tenant', $1, false)";
    client.query_one(sql, &[&tenant]).await.expect("set");
    client
}

#[tokio::test]
async fn query_without_a_where_sees_the_tenant_that_is_set_and_no_other() {
    let db = two_tenants().await;
    for role in ["gesta_app", "gesta_user"] {
        let unset = db.connect(role).await;
        for table in TABLES {
            assert_eq!(tenants(&unset, table).await, [""; 0], "{table}, no tenant set");
        }
        for (set, seen) in [
            ("one", ["one"].as_slice()),
            ("other", &["other"]),
            ("", &[]),
            ("nobody", &[]),
            ("ONE", &[]),
            ("%", &[]),
            ("one' OR true --", &[]),
        ] {
            let client = connect(&db, role, set).await;
            for table in TABLES {
                assert_eq!(tenants(&client, table).await, seen, "{table} as {role}, `{set}` set");
            }
        }
    }
}

#[tokio::test]
async fn partitions_cannot_be_read_around_their_parent() {
    let db = two_tenants().await;
    let partitions = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'gesta.action'::regclass";
    let partitions = db.admin().await.query(partitions, &[]).await.expect("partitions");
    assert!(partitions.len() >= 4);
    let client = connect(&db, "gesta_app", "one").await;
    for partition in partitions {
        let sql = format!("SELECT tenant FROM {}", partition.get::<_, &str>(0));
        let error = client.query(&sql, &[]).await.expect_err("refused");
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    }
}

/// Each of these would put a row into the other tenant, or take one out of it.
const INTRUSIONS: [&str; 5] = [
    "INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, occurred_at, source)
     VALUES ('other', '019b0000-0000-7000-8000-000000000001', 'user', '1', 'close', now(), 'emit')",
    "INSERT INTO gesta.follow (tenant, id, follower_type, follower_id, followed_type, followed_id)
     VALUES ('other', '019b0000-0000-8000-8000-000000000001', 'user', '1', 'user', '2')",
    "INSERT INTO gesta.visibility (tenant, action_id, audience, changed_by)
     VALUES ('other', '019b0000-0000-7000-8000-000000000001', '{}', '019b0000-0000-7000-8000-000000000001')",
    "UPDATE gesta.follow SET tenant = 'other'",
    "UPDATE gesta.visibility SET tenant = 'other'",
];

/// Each of these is allowed, and reaches only the tenant's own rows.
const CHANGES: [(&str, u64); 4] = [
    ("UPDATE gesta.follow SET muted = true WHERE tenant = 'other'", 0),
    ("UPDATE gesta.visibility SET audience = '{public}' WHERE tenant = 'other'", 0),
    ("DELETE FROM gesta.follow WHERE tenant = 'other'", 0),
    ("DELETE FROM gesta.follow", 106),
];

#[tokio::test]
async fn writing_into_another_tenant_is_refused() {
    let db = two_tenants().await;
    let admin = db.admin().await;
    for role in ["gesta_app", "gesta_user"] {
        let client = connect(&db, role, "one").await;
        for sql in INTRUSIONS {
            let error = client.execute(sql, &[]).await.expect_err(sql);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
            let unset = db.connect(role).await;
            let refused = unset.execute(sql, &[]).await;
            assert!(!matches!(refused, Ok(1..)), "{sql}, no tenant set");
        }
    }
    let mut client = connect(&db, "gesta_app", "one").await;
    let tx = client.transaction().await.expect("a transaction");
    for (sql, reached) in CHANGES {
        assert_eq!(tx.execute(sql, &[]).await.expect(sql), reached, "{sql}");
    }
    tx.commit().await.expect("committed");
    assert_eq!(tenants(&admin, "gesta.follow").await, ["other"]);
    check_log(&db).await;
}

#[tokio::test]
async fn auditor_role_reads_all_tenants_and_writes_nothing() {
    let db = two_tenants().await;
    let client = connect(&db, "gesta_auditor", "one").await;
    for table in TABLES {
        assert_eq!(tenants(&client, table).await, ["one", "other"], "{table}");
    }
    let own = INTRUSIONS.map(|sql| sql.replace("'other'", "'one'"));
    for sql in own.iter().map(String::as_str).chain(["DELETE FROM gesta.follow"]) {
        let error = client.execute(sql, &[]).await.expect_err(sql);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
    }
    check_log(&db).await;
}

/// The tenant is set for one transaction: a connection that goes back to the pool belongs to nobody.
#[tokio::test]
async fn connection_forgets_its_tenant_when_the_transaction_ends() {
    let db = two_tenants().await;
    let store = db.store_at(crate::support::day(0), gesta::Registry::default()).await;
    let reader = Reader::new(&store, tenant("one")).auditor();
    assert!(!page(&reader, StreamQuery::tenant()).await.is_empty());
    let client = store.client().await.expect("the only connection");
    for table in TABLES {
        assert_eq!(tenants(&**client, table).await, [""; 0], "{table}, after a page");
    }
    drop(client);
    append(&store, action(&tenant("one"))).await;
    let mut client = store.client().await.expect("the only connection");
    for table in TABLES {
        assert_eq!(tenants(&**client, table).await, [""; 0], "{table}, after a commit");
    }
    let tx = client.transaction().await.expect("a transaction");
    let _ = store.append(&tx, action(&tenant("one"))).await.expect("appended");
    assert_eq!(tenants(&*tx, "gesta.action").await, ["one"]);
    tx.rollback().await.expect("rolled back");
    for table in TABLES {
        assert_eq!(tenants(&**client, table).await, [""; 0], "{table}, after a rollback");
    }
    check_log(&db).await;
}
