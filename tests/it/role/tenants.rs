//! No tenant sees or changes another one's roles, by whatever way.

use gesta::role::{Giver, NewRole, RoleError, Roles};
use gesta::{Context, Tenant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{add, log, name, operator, put, rights_in, role, tenant};
use crate::support::{TestDb, database, resource};

fn of(name: &str) -> Giver {
    Giver::operator(&Context::new(&resource("user:root")).tenant(tenant(name)))
}

#[tokio::test]
async fn roles_of_tenants_are_apart() {
    let db = database().await;
    // Not even where row security binds nobody.
    for store in [db.store().await, db.unbound_store().await] {
        let roles = Roles::new(&store);
        for it in ["one", "other"] {
            let editor: NewRole = role("editor", &[&format!("{it}.x")]);
            put(&roles, &of(it), &editor).await;
            add(&roles, &of(it), "editor", "user:bob").await;
        }
        add(&roles, &of("one"), "administrator", "user:ann").await;
        let (bob, ann) = (resource("user:bob"), resource("user:ann"));
        let rights = async |it: &str, who| rights_in(&roles, &tenant(it), who, &["editor"]).await;
        assert_eq!(rights("one", &bob).await, ["one.x"]);
        assert_eq!(rights("other", &bob).await, ["other.x"]);
        assert_eq!(
            (rights("one", &ann).await, rights("other", &ann).await),
            (vec!["*".into()], vec!["other.x".into()])
        );
        assert!(rights("third", &bob).await.is_empty());
        // Somebody's rights are of the tenant that they change.
        let ann = Context::new(&ann).tenant(tenant("other"));
        let refused = roles.put(&Giver::member(&ann, &[]), &role("new", &["a.b"])).await;
        assert!(matches!(refused, Err(RoleError::Exceeds { .. })), "{refused:?}");
        let members = roles.members(&tenant("other"), &name("administrator"), None, 10).await;
        assert!(members.expect("a page").is_empty());
        assert_eq!(roles.remove(&of("one"), &name("editor")).await.expect("removed"), 1);
        assert_eq!(rights("other", &bob).await, ["other.x"]);
        let missing = roles.remove_member(&of("third"), &name("editor"), &bob).await;
        assert!(matches!(missing, Err(RoleError::NotFound { .. })), "{missing:?}");
        roles.remove(&of("other"), &name("editor")).await.expect("removed");
        roles
            .remove_member(&of("one"), &name("administrator"), &resource("user:ann"))
            .await
            .expect("dropped");
    }
    let store = db.store().await;
    let counts =
        [log(&store, &tenant("one")).await.len(), log(&store, &tenant("other")).await.len()];
    // Each time: create, add, drop, remove; in the first one also the administrator's add and drop.
    assert_eq!(counts, [12, 8]);
    assert!(log(&store, &Tenant::default()).await.is_empty());
}

/// An application's connection with a tenant set.
async fn session(db: &TestDb, role: &str, tenant: &str) -> Client {
    let client = db.connect(role).await;
    let set = "SELECT set_config('gesta.tenant', $1, false)";
    client.query_one(set, &[&tenant]).await.expect("set");
    client
}

#[tokio::test]
async fn session_sees_and_changes_the_roles_of_its_tenant_only() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    for it in ["one", "other"] {
        put(&roles, &of(it), &role("editor", &["a.b"])).await;
        add(&roles, &of(it), "editor", "user:bob").await;
    }
    for table in ["role", "role_member"] {
        let count = format!("SELECT count(*) FROM gesta.{table}");
        for (role, set, seen) in [
            ("gesta_app", "one", 1_i64),
            ("gesta_user", "other", 1),
            ("gesta_app", "", 0),
            ("gesta_auditor", "one", 2),
        ] {
            let client = session(&db, role, set).await;
            let row = client.query_one(&count, &[]).await.expect("a count");
            assert_eq!(row.get::<_, i64>(0), seen, "{table} for {role} in {set}");
        }
        let app = session(&db, "gesta_app", "one").await;
        let others = format!("DELETE FROM gesta.{table} WHERE tenant = 'other'");
        assert_eq!(app.execute(&others, &[]).await.expect("no row"), 0);
    }
    let app = session(&db, "gesta_app", "one").await;
    for sql in [
        "INSERT INTO gesta.role (tenant, name, permissions, changed_by) VALUES ('other', 'x', '{*}', 'a:b')",
        "INSERT INTO gesta.role_member (tenant, role, member_type, member_id, added_by)
         VALUES ('other', 'administrator', 'user', 'mal', 'a:b')",
        "UPDATE gesta.role SET tenant = 'other'",
        "UPDATE gesta.role SET name = 'x'",
        "UPDATE gesta.role_member SET role = 'administrator'",
        "TRUNCATE gesta.role",
    ] {
        let error = app.batch_execute(sql).await.expect_err(sql);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
    }
    let auditor = session(&db, "gesta_auditor", "one").await;
    let error = auditor.batch_execute("DELETE FROM gesta.role").await.expect_err("reads only");
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
}

#[tokio::test]
async fn operator_s_context_says_which_tenant() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    put(&roles, &operator(), &role("editor", &["a.b"])).await;
    assert_eq!(roles.list(&Tenant::default()).await.expect("a list").len(), 2);
    assert_eq!(roles.list(&tenant("other")).await.expect("a list").len(), 1);
}
