//! What is done to roles and members, and how the log tells of it.

use gesta::role::{
    ABOUT_LEN_MAX, Giver, MEMBERS_MAX, NAME_LEN_MAX, PERMISSIONS_MAX, ROLES_MAX, RoleError, Roles,
    Written,
};
use gesta::{Audience, Context, Resource as _, Tenant};
use serde_json::json;

use super::{add, log, name, operator, put, rights, role, told};
use crate::support::{check_log, database, resource};

#[tokio::test]
async fn every_change_is_one_action_with_who_why_and_what_was_before() {
    let db = database().await;
    let store = db.store().await;
    let roles = Roles::new(&store);
    let by = operator();
    let editor = role("editor", &["page.view", "article.*"]).about("The news desk");
    let (made, written) = put(&roles, &by, &editor).await;
    assert_eq!(
        (made.permissions, written),
        (vec!["article.*".into(), "page.view".into()], Written::New)
    );
    let more = role("editor", &["page.view"]);
    let (changed, written) = put(&roles, &by, &more).await;
    assert_eq!((changed.about.as_deref(), written), (Some("The news desk"), Written::Changed));
    assert!(changed.changed >= made.changed && !changed.is_built_in());
    let bob = resource("user:bob").named("Bob");
    let (_, written) = roles.add_member(&by, &name("editor"), &bob).await.expect("added");
    assert_eq!(written, Written::New);
    roles.remove_member(&by, &name("editor"), &bob).await.expect("dropped");
    assert_eq!(add(&roles, &by, "administrator", "user:ann").await, Written::New);
    assert_eq!(roles.remove(&by, &name("editor")).await.expect("removed"), 0);
    let wanted = [
        "user:root role.create role:editor",
        "user:root role.change role:editor",
        "user:root role.add user:bob role:editor",
        "user:root role.drop user:bob role:editor",
        "user:root role.add user:ann role:administrator",
        "user:root role.remove role:editor",
    ];
    assert_eq!(told(&db).await, wanted);
    let all = log(&store, &Tenant::default()).await;
    for action in &all {
        assert!(action.audience == Audience::auditors(), "{action:?}");
        let context = action.context.as_ref().expect("a context").value();
        assert_eq!(context["reason"], "OPS-1");
    }
    let changes: Vec<_> =
        all.iter().map(|it| it.changes.as_ref().map(gesta::Json::value)).collect();
    let both = ["article.*", "page.view"];
    let made = json!({"about": [null, "The news desk"], "permissions": [null, both]});
    let changed = json!({"permissions": [both, ["page.view"]]});
    let removed = json!({"about": ["The news desk", null], "permissions": [["page.view"], null]});
    assert_eq!(changes, [Some(made), Some(changed), None, None, None, Some(removed)]);
    assert_eq!(all[2].object, Some(bob.to_named()));
    check_log(&db).await;
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    let editor = role("editor", &["article.*", "article.*"]).about("");
    let (made, _) = put(&roles, &by, &editor).await;
    assert_eq!((made.permissions.len(), &made.about), (1, &None));
    assert_eq!(put(&roles, &by, &editor).await, (made, Written::Same));
    assert_eq!(add(&roles, &by, "editor", "user:bob").await, Written::New);
    assert_eq!(add(&roles, &by, "editor", "user:bob").await, Written::Same);
    let (editor, ann) = (name("editor"), resource("user:ann"));
    let refused = roles.remove_member(&by, &editor, &ann).await.expect_err("no member");
    assert_eq!(refused.to_string(), "`user:ann` is no member of the role `editor`");
    let nobody = name("nobody");
    let missing = [
        roles.remove(&by, &nobody).await.expect_err("no role"),
        roles.add_member(&by, &nobody, &ann).await.expect_err("no role"),
        roles.remove_member(&by, &nobody, &ann).await.expect_err("no role"),
        roles.role(&Tenant::default(), &nobody).await.expect_err("no role"),
        roles.members(&Tenant::default(), &nobody, None, 1).await.expect_err("no role"),
    ];
    for error in missing {
        assert_eq!(error.to_string(), "there is no role `nobody` here");
    }
    assert_eq!(told(&db).await.len(), 2);
}

#[tokio::test]
async fn members_go_with_their_role_and_each_of_them_is_told() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    for it in ["editor", "writer"] {
        put(&roles, &by, &role(it, &[&format!("{it}.x")])).await;
    }
    let admin = db.admin().await;
    let fill = "INSERT INTO gesta.role_member (tenant, role, member_type, member_id, added_by)
        SELECT 'default', 'editor', 'user', n::text, 'user:root' FROM generate_series(1, 2500) AS n";
    admin.batch_execute(fill).await.expect("members");
    assert_eq!(rights(&roles, "user:7").await, ["editor.x"]);
    add(&roles, &by, "writer", "user:7").await;
    assert_eq!(roles.remove(&by, &name("editor")).await.expect("removed"), 2500);
    assert_eq!(rights(&roles, "user:7").await, ["writer.x"]);
    let count =
        "SELECT count(*), count(DISTINCT object_id), count(DISTINCT target_id) FROM gesta.action
        WHERE verb = 'role.drop' AND audience = '{}' AND context ->> 'reason' = 'OPS-1'";
    let row = admin.query_one(count, &[]).await.expect("a count");
    assert_eq!((row.get(0), row.get(1), row.get(2)), (2500_i64, 2500_i64, 1_i64));
    // A new role of the same name begins without members.
    put(&roles, &by, &role("editor", &["editor.x"])).await;
    assert_eq!(rights(&roles, "user:7").await, ["writer.x"]);
    check_log(&db).await;
}

#[tokio::test]
async fn administrator_is_there_in_every_tenant_and_stays_as_it_is() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    for error in [
        roles.put(&by, &role("administrator", &["a.b"])).await.expect_err("built in"),
        roles.remove(&by, &name("administrator")).await.expect_err("built in"),
    ] {
        assert!(matches!(error, RoleError::BuiltIn), "{error:?}");
    }
    let listed = roles.list(&Tenant::default()).await.expect("a list");
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_built_in() && listed[0].permissions == ["*"]);
    assert_eq!(
        roles.role(&Tenant::default(), &name("administrator")).await.expect("it"),
        listed[0]
    );
    add(&roles, &by, "administrator", "user:ann").await;
    assert_eq!(rights(&roles, "user:ann").await, ["*"]);
    roles.remove_member(&by, &name("administrator"), &resource("user:ann")).await.expect("dropped");
    assert!(rights(&roles, "user:ann").await.is_empty());
    let row = "INSERT INTO gesta.role (tenant, name, permissions, changed_by) VALUES ('default', 'administrator', '{}', 'a:b')";
    db.admin().await.batch_execute(row).await.expect_err("no row may take its name");
}

#[tokio::test]
async fn members_are_listed_page_by_page() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    put(&roles, &by, &role("editor", &["a.b"])).await;
    let long = format!("user:{}", "é".repeat(1024));
    let all = ["service:z", "user:", "user:%", "user:1", "user:1:2", "user:a/b", &long];
    let all: Vec<_> = all.into_iter().filter(|who| !who.ends_with("user:")).collect();
    for who in all.iter().rev() {
        add(&roles, &by, "editor", who).await;
    }
    let (mut listed, mut last) = (Vec::new(), None);
    loop {
        let page = roles
            .members(&Tenant::default(), &name("editor"), last.as_ref(), 2)
            .await
            .expect("a page");
        let Some(end) = page.last() else { break };
        last = Some(end.member.clone());
        assert!(page.iter().all(|member| member.added_by == "user:root"));
        listed.extend(page.into_iter().map(|member| member.member.to_string()));
    }
    assert_eq!(listed, all);
    for limit in [0, MEMBERS_MAX + 1] {
        let refused = roles.members(&Tenant::default(), &name("editor"), None, limit).await;
        assert!(matches!(refused, Err(RoleError::Limit { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    let many: Vec<_> = (0..=PERMISSIONS_MAX).map(|n| format!("article.w{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let refused = roles.put(&by, &role("a", &many)).await.expect_err("too many");
    assert!(refused.to_string().starts_with("101 permissions are refused"), "{refused}");
    // The longest of all can be told, before and after.
    let longest = |letter: &str| -> Vec<String> {
        let long = |n| format!("{n:063}.{}{n:03}", letter.repeat(60));
        (0..PERMISSIONS_MAX).map(long).collect()
    };
    for letter in ["x", "y"] {
        let all = longest(letter);
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let about = letter.repeat(ABOUT_LEN_MAX);
        put(&roles, &by, &role(&"é".repeat(NAME_LEN_MAX / 2), &all).about(about)).await;
    }
    for about in ["x".repeat(ABOUT_LEN_MAX + 1), "a\nb".to_owned(), "\0".to_owned()] {
        let refused = roles.put(&by, &role("a", &["a.b"]).about(about)).await.expect_err("no text");
        assert!(refused.to_string().len() < 300, "{refused}");
    }
    let fill = "INSERT INTO gesta.role (tenant, name, permissions, changed_by)
        SELECT 'default', 'r' || n, '{}', 'a:b' FROM generate_series(2, $1::integer) AS n";
    let count = i32::try_from(ROLES_MAX).expect("small");
    db.admin().await.execute(fill, &[&count]).await.expect("roles");
    let refused = roles.put(&by, &role("one more", &["a.b"])).await.expect_err("too many");
    assert!(matches!(refused, RoleError::TooMany), "{refused:?}");
    put(&roles, &by, &role("r2", &["a.b"])).await;
    assert_eq!(roles.list(&Tenant::default()).await.expect("a list").len(), ROLES_MAX + 1);
}

#[tokio::test]
async fn hostile_names_are_stored_as_they_are() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    for text in
        ["'; DROP TABLE gesta.role; --", "{a}", "\"", "\\", "NULL", "$1", "../x", "%00", "日本"]
    {
        put(&roles, &by, &role(text, &["a.b"]).about(text)).await;
        let who = resource("user:x").kind;
        let who = gesta::ResourceRef::new(who.as_str(), format!("{text}\n{text}")).expect("an id");
        roles.add_member(&by, &name(text), &who).await.expect("added");
        let role = roles.role(&Tenant::default(), &name(text)).await.expect("the role");
        assert_eq!((role.name.as_str(), role.about.as_deref()), (text, Some(text)));
        let rights = roles.rights(&Tenant::default(), &who, &[]).await.expect("rights");
        assert!(rights.have("a.b"));
        assert_eq!(roles.remove(&by, &name(text)).await.expect("removed"), 1);
    }
    check_log(&db).await;
}

/// Keys of all columns together fit into an index, also where nothing in them can be packed.
#[tokio::test]
async fn longest_names_of_all_can_be_stored() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let noise = |len: usize| -> String {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + u8::try_from((seed >> 33) % 26).expect("small"))
        };
        (0..len).map(|_| next()).collect()
    };
    let tenant = Tenant::new(noise(63)).expect("a tenant");
    let by = Giver::operator(&Context::new(&resource("user:root")).tenant(tenant.clone()));
    let longest = noise(NAME_LEN_MAX);
    put(&roles, &by, &role(&longest, &["a.b"])).await;
    let who = gesta::ResourceRef::new(&noise(63), noise(2048)).expect("somebody");
    roles.add_member(&by, &name(&longest), &who).await.expect("added");
    assert!(roles.rights(&tenant, &who, &[]).await.expect("rights").have("a.b"));
    assert_eq!(roles.remove(&by, &name(&longest)).await.expect("removed"), 1);
}

/// A change whose action cannot be stored is none.
#[tokio::test]
async fn change_that_is_not_told_is_not_made() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let refuse = "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER no BEFORE INSERT ON gesta.action FOR EACH ROW EXECUTE FUNCTION public.no();";
    put(&roles, &operator(), &role("editor", &["a.b"])).await;
    add(&roles, &operator(), "editor", "user:bob").await;
    db.admin().await.batch_execute(refuse).await.expect("a trigger");
    let by = operator();
    let (editor, ann, bob) = (name("editor"), resource("user:ann"), resource("user:bob"));
    let errors = [
        roles.put(&by, &role("editor", &["*"])).await.expect_err("refused"),
        roles.put(&by, &role("new", &["*"])).await.expect_err("refused"),
        roles.add_member(&by, &editor, &ann).await.expect_err("refused"),
        roles.remove_member(&by, &editor, &bob).await.expect_err("refused"),
        roles.remove(&by, &editor).await.expect_err("refused"),
    ];
    assert!(errors.iter().all(|error| matches!(error, RoleError::Record(_))), "{errors:?}");
    let fresh = Roles::new(&db.store().await);
    assert_eq!(rights(&fresh, "user:bob").await, ["a.b"]);
    assert!(rights(&fresh, "user:ann").await.is_empty());
    assert_eq!(fresh.list(&Tenant::default()).await.expect("a list").len(), 2);
}
