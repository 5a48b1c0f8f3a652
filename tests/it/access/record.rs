//! Who read the log, and who was refused, stands in the log.

use std::time::{Duration, Instant};

use gesta::access::{
    AccessError, DENIED_PER_MINUTE, Denial, Identity, Keys, READ_WINDOW, Read, Recorder, Refusal,
    Scope, WINDOW,
};
use gesta::{Action, Context, Outcome, Reader, Source, Store, StreamQuery, Tenant};
use serde_json::json;

use super::{made, reading, who};
use crate::support::{TestDb, check_log, database, page, public, resource};

async fn caller(store: &Store) -> Identity {
    let (_, credential) = made(store, reading()).await;
    who(&Keys::new(store), &credential).await
}

fn seen() -> Context {
    Context::anonymous().ip("192.0.2.1".parse().expect("an address")).request_id("r-1")
}

/// What the recorder wrote, the newest first.
async fn recorded(db: &TestDb) -> Vec<Action> {
    let reader = Reader::new(&db.store_as("gesta_auditor").await, Tenant::default()).auditor();
    let mut all = page(&reader, StreamQuery::tenant().limit(1_000)).await;
    all.retain(|action| action.source == Source::Api);
    all
}

fn data(action: &Action) -> serde_json::Value {
    action.data.as_ref().expect("data").value()
}

#[tokio::test]
async fn pages_of_one_query_are_one_action_that_auditors_see() {
    let db = database().await;
    let store = db.store().await;
    let (recorder, ann) = (Recorder::new(store.writer()), caller(&store).await);
    let bob = caller(&store).await;
    let (start, tenant) = (Instant::now(), Tenant::default());
    let issue = resource("issue:70");
    let stream = Read::of(&issue, "object:issue:70").count(50);
    let almost = start + READ_WINDOW.saturating_sub(Duration::from_nanos(1));
    for now in [start, start, almost] {
        recorder.read(&ann, &seen(), &tenant, &stream, now).await;
    }
    recorder.finish().await;
    let all = recorded(&db).await;
    let [action] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((action.verb.as_str(), action.outcome), ("read", Outcome::Ok));
    assert_eq!(action.actor.resource, resource("service:shop"));
    assert_eq!(action.object.as_ref().map(|object| &object.resource), Some(&issue));
    let gesta::access::Via::Key(id) = &ann.via else { panic!("{ann:?}") };
    let wanted = json!({
        "query": "object:issue:70", "format": "json", "count": 50, "via": format!("key:{id}"),
    });
    assert_eq!(data(action), wanted);
    let context = action.context.as_ref().expect("a context").value();
    assert_eq!(context, json!({ "ip": "192.0.2.1", "request_id": "r-1" }));
    assert_eq!(page(&public(&store), StreamQuery::object(&issue)).await, []);
    // Another query, object, form, credential or time is another read.
    let search = Read::search(&tenant, "object:issue:70").expect("a search");
    for read in [Read::of(&issue, "verb:close"), search, stream.clone().format("csv")] {
        recorder.read(&ann, &seen(), &tenant, &read, start).await;
    }
    recorder.read(&bob, &seen(), &tenant, &stream, start).await;
    recorder.read(&ann, &seen(), &tenant, &stream, start + READ_WINDOW).await;
    recorder.finish().await;
    assert_eq!(recorded(&db).await.len(), 6);
    assert_eq!((recorder.lost(), recorder.left_out()), (0, 0));
    check_log(&db).await;
}

#[tokio::test]
async fn export_is_committed_before_it_begins_and_each_is_told() {
    let db = database().await;
    let store = db.store().await;
    let (recorder, ann) = (Recorder::new(store.writer()), caller(&store).await);
    let tenant = Tenant::default();
    let search = Read::search(&tenant, "verb:delete").expect("a search").format("csv");
    for told in 1..=2 {
        let receipt = recorder.export(&ann, &seen(), &tenant, &search).await.expect("stored");
        let all = recorded(&db).await;
        assert_eq!((all.len(), all[0].id), (told, receipt.id()));
        assert_eq!(all[0].verb, "export");
        let object = all[0].object.as_ref().map(|object| &object.resource);
        assert_eq!(object, Some(&resource("log:default")));
    }
    db.admin()
        .await
        .batch_execute("REVOKE INSERT ON gesta.action FROM gesta_app")
        .await
        .expect("ok");
    let columns = "REVOKE ALL ON gesta.action FROM gesta_app; REVOKE INSERT (id) ON gesta.action FROM gesta_app";
    db.admin().await.batch_execute(columns).await.expect("revoked");
    let refused = recorder.export(&ann, &seen(), &tenant, &search).await;
    assert!(refused.is_err(), "nothing may be sent");
    // A read that was not recorded is not remembered as if it was.
    recorder.read(&ann, &seen(), &tenant, &search, Instant::now()).await;
    recorder.finish().await;
    recorder.read(&ann, &seen(), &tenant, &search, Instant::now()).await;
    recorder.finish().await;
    assert_eq!(recorder.lost(), 2);
}

#[tokio::test]
async fn refusals_are_recorded_up_to_the_limit_and_the_rest_is_counted() {
    let db = database().await;
    let store = db.store().await;
    let (recorder, ann) = (Recorder::new(store.writer()), caller(&store).await);
    let (start, most) = (Instant::now(), u64::from(DENIED_PER_MINUTE.get()));
    let unknown = Denial::new("authenticate", Refusal::of(&AccessError::Unknown).expect("one"));
    for _ in 0..most + 1_000 {
        recorder.denied(None, &seen(), &unknown, start);
    }
    // Somebody who is known is not drowned by those who are not.
    let issue = resource("issue:70");
    let scope = Denial::new("export", Refusal::Scope(Scope::EventsExport)).object(&issue);
    recorder.denied(Some(&ann), &seen(), &scope, start);
    let tenant = Denial::new("read", Refusal::Tenant("other".into()));
    recorder.denied(Some(&ann), &seen(), &tenant, start);
    assert_eq!(recorder.left_out(), 1_000);
    recorder.denied(None, &seen(), &unknown, start + WINDOW);
    recorder.finish().await;
    let all = recorded(&db).await;
    assert!(all.iter().all(|action| action.outcome == Outcome::Denied));
    let by = |actor: &str| -> Vec<&Action> {
        let actor = resource(actor);
        all.iter().filter(|action| action.actor.resource == actor).collect()
    };
    let anonymous = by("anonymous:anonymous");
    assert_eq!(anonymous.len() as u64, most + 1);
    let told: Vec<_> =
        anonymous.iter().filter_map(|it| data(it).get("left_out").cloned()).collect();
    assert_eq!(told, [json!(1_000)]);
    assert!(
        anonymous
            .iter()
            .all(|it| it.context.as_ref().is_some_and(|c| c.get().contains("192.0.2.1")))
    );
    let known: Vec<_> = by("service:shop");
    let refused: Vec<_> = known.iter().map(|it| data(it)["refused"].clone()).collect();
    assert_eq!(refused.len(), 2);
    assert!(refused.contains(&json!("scope")) && refused.contains(&json!("tenant")));
    let export = known.iter().find(|it| it.verb == "export").expect("the export");
    assert_eq!(export.object.as_ref().map(|object| &object.resource), Some(&issue));
    check_log(&db).await;
}

#[tokio::test]
async fn what_was_left_out_at_the_end_is_told_by_a_last_action() {
    let db = database().await;
    let store = db.store().await;
    let recorder = Recorder::new(store.writer());
    let unknown = Denial::new("authenticate", Refusal::Key);
    let start = Instant::now();
    for _ in 0..u64::from(DENIED_PER_MINUTE.get()) + 7 {
        recorder.denied(None, &seen(), &unknown, start);
    }
    recorder.finish().await;
    let told: Vec<_> =
        recorded(&db).await.iter().filter_map(|it| data(it).get("left_out").cloned()).collect();
    assert_eq!(told, [json!(7)]);
}
