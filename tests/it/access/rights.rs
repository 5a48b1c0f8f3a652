//! What sessions of the database may do with keys, and makers of keys with theirs.

use gesta::access::{Identity, KeyError, Keys, NewKey, Scope};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{admin, made, reading, tenant, who};
use crate::support::{TestDb, database, resource};

/// An application's connection with a tenant set.
async fn session(db: &TestDb, role: &str, tenant: &str) -> Client {
    let client = db.connect(role).await;
    let set = "SELECT set_config('gesta.tenant', $1, false)";
    client.query_one(set, &[&tenant]).await.expect("set");
    client
}

async fn ids(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT id FROM gesta.key ORDER BY id", &[]).await.expect("keys");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Two keys of two tenants and one of all, by their ids.
async fn three_keys(db: &TestDb) -> [String; 3] {
    let (store, unbound) = (db.store().await, db.unbound_store().await);
    let (one, _) = made(&store, reading().tenant(tenant("one"))).await;
    let (other, _) = made(&store, reading().tenant(tenant("other"))).await;
    let (all, _) = made(&unbound, reading().all_tenants()).await;
    [one.id, other.id, all.id]
}

#[tokio::test]
async fn session_sees_the_keys_of_its_tenant_and_no_hash() {
    let db = database().await;
    let [one, other, _] = three_keys(&db).await;
    for role in ["gesta_app", "gesta_user"] {
        for (set, seen) in
            [("one", vec![one.clone()]), ("other", vec![other.clone()]), ("", vec![])]
        {
            assert_eq!(ids(&session(&db, role, set).await).await, seen, "{role}, {set}");
        }
    }
    assert_eq!(ids(&db.connect("gesta_auditor").await).await.len(), 3);
    for role in ["gesta_app", "gesta_user", "gesta_import", "gesta_auditor", "gesta_relay"] {
        let client = session(&db, role, "one").await;
        for sql in [
            "SELECT hash FROM gesta.key",
            "SELECT k FROM gesta.key AS k",
            "SELECT id FROM gesta.key WHERE hash = sha256('x')",
            "COPY gesta.key TO STDOUT",
            "DELETE FROM gesta.key",
            "TRUNCATE gesta.key",
            "UPDATE gesta.key SET last_used_at = now()",
            "UPDATE gesta.key SET tenant = 'one'",
            "UPDATE gesta.key SET scopes = '{keys:manage}'",
            "UPDATE gesta.key SET hash = sha256('x')",
            "UPDATE gesta.key SET expires_at = NULL",
        ] {
            let error = client.batch_execute(sql).await.expect_err(sql);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {sql}");
        }
    }
    let nobody = db.connect("gesta_auditor").await;
    let error = nobody.query("SELECT gesta.open_key('x', 'x')", &[]).await.expect_err("refused");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[tokio::test]
async fn session_changes_no_key_but_to_revoke_its_own_now_and_once() {
    let db = database().await;
    let [one, other, all] = three_keys(&db).await;
    let client = session(&db, "gesta_app", "one").await;
    let revoke = "UPDATE gesta.key SET revoked_at = statement_timestamp() WHERE id = $1";
    for id in [&other, &all] {
        assert_eq!(client.execute(revoke, &[id]).await.expect("no row"), 0);
    }
    for moment in ["now() + interval '1 day'", "'infinity'", "NULL"] {
        let later = format!("UPDATE gesta.key SET revoked_at = {moment}");
        let error = client.batch_execute(&later).await.expect_err(moment);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{moment}");
    }
    assert_eq!(client.execute(revoke, &[&one]).await.expect("revoked"), 1);
    for again in [revoke, "UPDATE gesta.key SET revoked_at = NULL WHERE id = $1"] {
        assert_eq!(client.execute(again, &[&one]).await.expect("no row"), 0);
    }
    let insert = |tenant: &str, more: &str, value: &str| {
        format!(
            "INSERT INTO gesta.key (id, tenant, name, hash, scopes, actor_type, actor_id, is_actor, created_by{more})
            VALUES ('aaaaaaaaaaaa', {tenant}, 'x', sha256('x'), '{{x}}', 'a', 'b', false, 'a:b'{value})"
        )
    };
    for (tenant, more, value) in [
        ("'other'", "", ""),
        ("NULL", "", ""),
        ("'one'", ", last_used_at", ", now()"),
        ("'one'", ", created_at", ", now()"),
        ("'one'", ", revoked_at", ", NULL"),
    ] {
        let error = client.batch_execute(&insert(tenant, more, value)).await.expect_err("refused");
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{tenant} {more}");
    }
}

/// Without the hash, the functions tell and do nothing: not of one's own key, nor of another's, nor of none.
#[tokio::test]
async fn functions_are_closed_to_who_does_not_know_the_secret() {
    let db = database().await;
    let [one, other, all] = three_keys(&db).await;
    let client = session(&db, "gesta_app", "one").await;
    let open = "SELECT tenant FROM gesta.open_key($1, $2)";
    let zeros: &[u8] = &[0; 32];
    for id in [&one, &other, &all, &"000000000000".to_owned()] {
        for hash in [Some(zeros), Some(&[]), None] {
            assert!(client.query(open, &[id, &hash]).await.expect("an answer").is_empty());
            let touch = "SELECT gesta.touch_key($1, $2)";
            client.query(touch, &[id, &hash]).await.expect("an answer");
        }
    }
    let used = "SELECT count(*) FROM gesta.key WHERE last_used_at IS NOT NULL";
    let used: i64 = db.admin().await.query_one(used, &[]).await.expect("a count").get(0);
    assert_eq!(used, 0);
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let db = database().await;
    let store = db.store().await;
    let keys = Keys::new(&store);
    let maker = reading().scopes([Scope::KeysManage, Scope::EventsRead]).labels(["public", "a"]);
    let (_, maker) = made(&store, maker).await;
    let maker = who(&keys, &maker).await;
    let refusal = async |maker: &Identity, key: NewKey| {
        keys.create_as(maker, key, &admin()).await.expect_err("refused")
    };
    let (without, more) =
        (Identity { scopes: vec![Scope::EventsRead], ..maker.clone() }, reading());
    assert!(matches!(refusal(&without, more).await, KeyError::Scope(Scope::KeysManage)));
    let more = reading().scopes([Scope::EventsRead, Scope::EventsExport]);
    assert!(matches!(refusal(&maker, more).await, KeyError::Scope(Scope::EventsExport)));
    assert!(matches!(refusal(&maker, reading().auditor()).await, KeyError::Sight));
    assert!(matches!(refusal(&maker, reading().labels(["a", "b"])).await, KeyError::Sight));
    let other = reading().tenant(tenant("other"));
    assert!(matches!(refusal(&maker, other).await, KeyError::Tenant));
    assert!(matches!(refusal(&maker, reading().all_tenants()).await, KeyError::Tenant));
    assert!(keys.create_as(&maker, reading().labels(["a"]), &admin()).await.is_ok());
}

#[tokio::test]
async fn hostile_fields_are_refused_or_stored_as_they_are() {
    let db = database().await;
    let store = db.store().await;
    let keys = Keys::new(&store);
    let service = resource("service:shop");
    let refused = async |key: NewKey| {
        let error = keys.create(key, &admin()).await.expect_err("refused").to_string();
        assert!(error.starts_with("the key's ") && error.len() < 400, "{error}");
    };
    let long = "x".repeat(256);
    for name in ["", "a\nb", "\0", &long] {
        refused(NewKey::new(name, &service).scopes([Scope::EventsRead])).await;
    }
    refused(NewKey::new("x", &service)).await;
    refused(reading().labels(vec!["x"; 33])).await;
    refused(reading().labels(["\0"])).await;
    refused(NewKey::new("x", &service.clone().named("\0")).scopes([Scope::EventsRead])).await;
    let name = "'; DROP TABLE gesta.key; --";
    let (info, _) = made(&store, NewKey::new(name, &service).scopes([Scope::EventsRead])).await;
    assert_eq!(info.name, name);
}
