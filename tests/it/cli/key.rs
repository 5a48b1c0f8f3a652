//! Keys by command: what it prints, what it changes, how it ends.

use gesta::access::{Keys, REVOKED_WITHIN, Scope, Sight};
use gesta::{ResourceRef, Tenant};

use super::program::Gesta;
use crate::support::{check_log, database};

#[tokio::test]
async fn key_is_made_listed_and_revoked() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    gesta.run(&["key", "ls", "--fail-empty"]).expect_code(3, &["key ls"]);
    let create = ["key", "create", "--name", "ann", "--scope", "events:read", "-s", "events:write"];
    let whom = ["--actor", "user:ann", "--acting", "--label", "staff", "--expires", "90d"];
    let by = ["--rate", "600", "--by", "user:root", "--reason", "new"];
    let made = gesta.run(&[&create[..], &whom, &by].concat()).expect_code(0, &create);
    let key = made.stdout.trim_end();
    assert_eq!(key.len(), 62);
    assert!(!made.stderr.contains(key), "{}", made.stderr);
    assert!(made.stderr.contains("the only time that the key is shown"), "{}", made.stderr);
    let store = db.store().await;
    let who = Keys::new(&store).authenticate(key).await.expect("known");
    assert_eq!(who.who.resource, "user:ann".parse::<ResourceRef>().expect("valid"));
    assert_eq!((who.tenant, who.is_actor), (Some(Tenant::default()), true));
    assert_eq!(who.scopes, [Scope::EventsRead, Scope::EventsWrite]);
    assert_eq!(who.sight, Sight::Labels(vec!["staff".into()]));
    let listed = gesta.lines(&["key", "ls"]);
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&one["state"], &one["created_by"]), (&"valid".into(), &"user:root".into()));
    assert_eq!((&one["rate_per_minute"], &one["actor"]), (&600.into(), &"user:ann".into()));
    let id = one["id"].as_str().expect("an id");
    assert!(key.contains(id));
    let wide = Gesta::on(&db).env("COLUMNS", "150");
    let table = wide.ok(&["key", "ls", "-o", "table"]);
    let row = format!("{id}  default  ann   until ");
    assert!(table.contains(&row) && !table.contains(&key[19..]), "{table}");
    gesta.ok(&["key", "revoke", id, "--by", "user:root", "--reason", "left"]);
    let again = gesta.run(&["key", "revoke", id]).expect_code(3, &["key revoke"]);
    assert!(again.stderr.contains("there is no key"), "{}", again.stderr);
    assert!(Keys::new(&store).authenticate(key).await.is_err());
    assert!(gesta.lines(&["key", "ls", "--valid"]).is_empty());
    assert_eq!(gesta.lines(&["key", "ls"])[0]["state"], "revoked");
    let told = gesta.lines(&["object", &format!("key:{id}")]);
    assert_eq!((&told[0]["verb"], &told[1]["verb"]), (&"revoke".into(), &"create".into()));
    assert_eq!(
        (&told[0]["context"]["reason"], &told[1]["actor"]["id"]),
        (&"left".into(), &"root".into())
    );
    // As its help says.
    assert_eq!(REVOKED_WITHIN.num_seconds(), 5);
    check_log(&db).await;
}

#[tokio::test]
async fn key_for_all_tenants_stands_apart() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let create = ["key", "create", "--name", "relay", "--scope", "events:read", "--auditor"];
    gesta.ok(&[&create[..], &["--all-tenants"]].concat());
    gesta.ok(&[&create[..], &["--tenant", "shop"]].concat());
    assert!(gesta.lines(&["key", "ls"]).is_empty());
    let all = gesta.lines(&["key", "ls", "--all-tenants"]);
    let tenants: Vec<_> = all.iter().map(|key| key["tenant"].clone()).collect();
    assert_eq!(tenants, [serde_json::json!("shop"), serde_json::Value::Null]);
    assert!(all.iter().all(|key| key["labels"].is_null() && key["actor"] == "service:relay"));
    let id = all[1]["id"].as_str().expect("an id");
    gesta.run(&["key", "revoke", id]).expect_code(3, &["key revoke"]);
    gesta.ok(&["key", "revoke", id, "--all-tenants"]);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_with_what_can() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let create = ["key", "create", "--name", "x"];
    for (more, wanted) in [
        (&["--scope", "events:all"][..], "events:read"),
        (&[], "--scope"),
        (&["--scope", "events:read", "--expires", "soon"], "is no length; give one such as 90d"),
        (&["--scope", "events:read", "--expires", "0d"], "is no length"),
        (&["--scope", "events:read", "--rate", "0"], "--rate"),
        (&["--scope", "events:read", "--label", "a", "--auditor"], "cannot be used with"),
        (
            &["--scope", "events:read", "--name", "a\nb", "--actor", "a:b"],
            "cannot be used multiple",
        ),
    ] {
        let ended = gesta.run(&[&create[..], more].concat()).expect_code(2, more);
        assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
    }
    let odd = ["key", "create", "--name", "a\nb", "--scope", "events:read"];
    let ended = gesta.run(&odd).expect_code(2, &odd);
    assert!(ended.stderr.contains("the key's name is refused"), "{}", ended.stderr);
}
