//! The first key of a database.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use gesta::access::{KeyError, Keys, Scope, Sight};
use gesta::role::{Rights, RoleName, Roles};
use gesta::{Reader, StreamQuery, Tenant};
use tokio::sync::Barrier;

use super::{admin, made, reading};
use crate::support::{check_log, database, page, resource};

/// Servers that start at the same moment.
const AT_ONCE: usize = 6;

#[tokio::test]
async fn servers_that_start_at_once_make_one_key() {
    let db = database().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (keys, file) = (Keys::new(&db.store().await), file.clone());
        let barrier = Arc::clone(&barrier);
        starts.spawn(async move {
            barrier.wait().await;
            keys.bootstrap(&file).await.expect("started")
        });
    }
    let made: Vec<_> = starts.join_all().await.into_iter().flatten().collect();
    let [(info, credential)] = made.as_slice() else { panic!("{made:?}") };
    let text = std::fs::read_to_string(&file).expect("the file");
    assert_eq!(text, format!("{}\n", credential.reveal()));
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1);
    let keys = Keys::new(&db.store().await);
    let who = keys.authenticate(text.trim_end()).await.expect("known");
    assert_eq!((who.tenant, who.sight), (Some(Tenant::default()), Sight::Everything));
    assert_eq!(who.scopes, Scope::ALL);
    let reader = Reader::new(&db.store_as("gesta_auditor").await, Tenant::default()).auditor();
    let told = page(&reader, StreamQuery::object(&resource(&format!("key:{}", info.id)))).await;
    assert_eq!(told[0].actor.resource, resource("system:gesta"));
    let roles = Roles::new(&db.store().await);
    let rights = roles.rights(&Tenant::default(), &who.who.resource, &[]).await.expect("rights");
    assert_eq!(rights, Rights::all(), "whoever begins can run actions");
    let administrator = page(&reader, StreamQuery::target(&resource("role:administrator"))).await;
    let told: Vec<_> = administrator.iter().map(|action| action.verb.as_str()).collect();
    assert_eq!(told, ["role.add"]);
    check_log(&db).await;
}

#[tokio::test]
async fn nothing_is_made_where_there_was_ever_a_key() {
    let db = database().await;
    let store = db.store().await;
    let file = tempfile::tempdir().expect("a folder").path().join("key");
    let tenant = Tenant::new("shop").expect("a tenant");
    let (info, _) = made(&store, reading().tenant(tenant.clone())).await;
    let keys = Keys::new(&store);
    assert!(keys.bootstrap(&file).await.expect("started").is_none());
    let system =
        Roles::new(&store).rights(&Tenant::default(), &resource("system:gesta"), &[]).await;
    assert_eq!(system.expect("rights"), Rights::default());
    keys.revoke(Some(&tenant), &info.id, &admin()).await.expect("revoked");
    assert!(keys.bootstrap(&file).await.expect("started").is_none());
    assert!(!file.exists());
}

#[tokio::test]
async fn key_that_cannot_be_written_down_is_not_made() {
    let db = database().await;
    let keys = Keys::new(&db.store().await);
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("missing/key");
    let error = keys.bootstrap(&nowhere).await.expect_err("no folder");
    let administrator = RoleName::administrator();
    let members =
        Roles::new(&db.store().await).members(&Tenant::default(), &administrator, None, 1).await;
    assert!(members.expect("a page").is_empty(), "neither a member");
    assert!(matches!(error, KeyError::File { .. }), "{error:?}");
    let file = folder.path().join("key");
    std::fs::write(&file, "of a database that is gone").expect("a file");
    assert!(keys.bootstrap(&file).await.expect("started").is_some());
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(keys.authenticate(text.trim_end()).await.is_ok());
}
