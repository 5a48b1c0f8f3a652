//! What somebody may, and that nobody gives more.

use std::sync::atomic::Ordering;

use gesta::role::{Giver, RIGHTS_WITHIN, Roles, Written};
use gesta::{Context, Tenant};

use super::{add, exceeds, member, name, operator, put, rights, rights_in, role, told};
use crate::support::{database, resource};

#[tokio::test]
async fn somebody_has_what_all_their_roles_and_groups_have() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    put(&roles, &by, &role("editor", &["article.*", "page.view"])).await;
    put(&roles, &by, &role("viewer", &["page.view", "user.view"])).await;
    put(&roles, &by, &role("nothing", &[])).await;
    for it in ["editor", "viewer", "nothing"] {
        add(&roles, &by, it, "user:bob").await;
    }
    assert_eq!(rights(&roles, "user:bob").await, ["article.*", "page.view", "user.view"]);
    for other in ["user:BOB", "service:bob", "user:bo", "user:ann"] {
        assert!(rights(&roles, other).await.is_empty(), "{other}");
    }
    let (tenant, ann) = (Tenant::default(), resource("user:ann"));
    let in_groups = async |groups: &[&str]| rights_in(&roles, &tenant, &ann, groups).await;
    assert_eq!(in_groups(&["viewer", "other", "viewer"]).await, ["page.view", "user.view"]);
    assert_eq!(in_groups(&["editor", "viewer"]).await, ["article.*", "page.view", "user.view"]);
    assert_eq!(in_groups(&["administrator"]).await, ["*"]);
    let hostile = ["Editor", "\0", "", "editor,viewer", "' OR true --", "{editor}", "edi%"];
    assert!(in_groups(&hostile).await.is_empty());
    assert!(in_groups(&[]).await.is_empty(), "groups are of one request");
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    let by = operator();
    put(&roles, &by, &role("desk", &["article.*", "page.view"])).await;
    put(&roles, &by, &role("boss", &["article.*", "page.*"])).await;
    add(&roles, &by, "desk", "user:mia").await;
    let before = told(&db).await;
    let mia = member("user:mia");
    for (given, lacking) in [
        (role("new", &["article.publish", "page.publish"]), "page.publish"),
        (role("new", &["*"]), "*"),
        (role("desk", &["article.*", "page.*"]), "page.*"),
        (role("boss", &["article.*", "page.*", "user.view"]), "user.view"),
        (role("boss", &["*"]), "*"),
    ] {
        let error = roles.put(&mia, &given).await.expect_err("more than hers");
        assert_eq!(exceeds(&error), Some(lacking), "{error}");
    }
    for (to, lacking) in [("boss", "page.*"), ("administrator", "*")] {
        for who in ["user:mia", "user:bob"] {
            let error = roles.add_member(&mia, &name(to), &resource(who)).await;
            assert_eq!(exceeds(&error.expect_err("more than hers")), Some(lacking));
        }
    }
    assert_eq!(told(&db).await, before, "nothing was changed");
    // What she has she gives, and what the role allows already is no gift of hers.
    let written = |(_, written)| written;
    assert_eq!(
        written(put(&roles, &mia, &role("new", &["article.publish", "page.view"])).await),
        Written::New
    );
    assert_eq!(add(&roles, &mia, "new", "user:bob").await, Written::New);
    let same = role("boss", &["article.publish", "page.delete", "page.*"]);
    assert_eq!(written(put(&roles, &mia, &same).await), Written::Changed);
    // To take away gives nothing, not even to herself: she cannot give it back.
    put(&roles, &mia, &role("desk", &["page.view"])).await;
    let error = roles.put(&mia, &role("desk", &["article.*", "page.view"])).await;
    assert_eq!(exceeds(&error.expect_err("it is gone")), Some("article.*"));
    roles.remove_member(&mia, &name("desk"), &resource("user:mia")).await.expect("dropped");
    let error = roles.add_member(&mia, &name("desk"), &resource("user:mia")).await;
    assert_eq!(exceeds(&error.expect_err("she has nothing")), Some("page.view"));
}

#[tokio::test]
async fn groups_of_a_request_count_for_what_is_given() {
    let db = database().await;
    let roles = Roles::new(&db.store().await);
    put(&roles, &operator(), &role("desk", &["article.*"])).await;
    let mia = Context::new(&resource("user:mia"));
    let refused = roles.put(&Giver::member(&mia, &[]), &role("new", &["article.view"])).await;
    assert_eq!(exceeds(&refused.expect_err("nothing")), Some("article.view"));
    let in_desk = Giver::member(&mia, &["desk".to_owned()]);
    put(&roles, &in_desk, &role("new", &["article.view"])).await;
    let all = Giver::member(&mia, &["administrator".to_owned()]);
    add(&roles, &all, "administrator", "user:bob").await;
}

/// Where they were a member of it, they have no rights by it at this moment, whatever was cached.
#[tokio::test]
async fn giving_does_not_believe_what_was_read_a_moment_ago() {
    let db = database().await;
    let (here, there) = (Roles::new(&db.store().await), Roles::new(&db.store().await));
    add(&here, &operator(), "administrator", "user:mia").await;
    assert_eq!(rights(&there, "user:mia").await, ["*"]);
    here.remove_member(&operator(), &name("administrator"), &resource("user:mia"))
        .await
        .expect("dropped");
    let (mia, administrator) = (resource("user:mia"), name("administrator"));
    let again = there.add_member(&member("user:mia"), &administrator, &mia).await;
    assert_eq!(exceeds(&again.expect_err("dropped")), Some("*"));
}

#[tokio::test]
async fn change_is_seen_here_at_once_and_elsewhere_within_the_time() {
    let db = database().await;
    let ((store, _), (elsewhere, millis)) = (db.clocked_store().await, db.clocked_store().await);
    let (here, there) = (Roles::new(&store), Roles::new(&elsewhere));
    let by = operator();
    put(&here, &by, &role("desk", &["article.view"])).await;
    for roles in [&here, &there] {
        assert!(rights(roles, "user:bob").await.is_empty());
    }
    add(&here, &by, "desk", "user:bob").await;
    assert_eq!(rights(&here.clone(), "user:bob").await, ["article.view"]);
    put(&here, &by, &role("desk", &["article.*"])).await;
    assert_eq!(rights(&here, "user:bob").await, ["article.*"]);
    millis.store(RIGHTS_WITHIN.num_milliseconds() - 1, Ordering::SeqCst);
    assert!(rights(&there, "user:bob").await.is_empty(), "read a moment ago");
    millis.store(RIGHTS_WITHIN.num_milliseconds(), Ordering::SeqCst);
    assert_eq!(rights(&there, "user:bob").await, ["article.*"]);
    here.remove(&by, &name("desk")).await.expect("removed");
    assert!(rights(&here, "user:bob").await.is_empty());
}
