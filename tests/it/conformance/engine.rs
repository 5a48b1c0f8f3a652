//! Start-up, registry, custom streams, and how many queries a page takes.

use chrono::{DateTime, Utc};
use gesta::registry::RegistryError;
use gesta::store::{AppendError, migrate, migration_status};
use gesta::{
    Action, Context, NewAction, Reader, Registry, Resource, ResourceType, Store, StreamQuery, Verb,
};

use super::fixture::{F1, registry, t0};
use crate::support::{append, append_all, check_log, database, page, public, resource};

/// Case 37: starting twice leaves one schema.
#[tokio::test]
async fn second_start_changes_nothing() {
    let db = database().await;
    let mut admin = db.admin().await;
    assert_eq!(migrate(&mut admin).await.expect("migrated"), [""; 0]);
    let status = migration_status(&mut admin).await.expect("the status");
    assert!(!status.applied.is_empty() && status.pending.is_empty());
    let columns = "SELECT count(*) FROM information_schema.columns
        WHERE table_schema = 'gesta' AND table_name = 'action' AND column_name = 'data'";
    assert_eq!(admin.query_one(columns, &[]).await.expect("counted").get::<_, i64>(0), 1);
    check_log(&db).await;
}

/// How often each statement has run on the store's only connection; those that set the tenant are not counted.
async fn executions(store: &Store) -> i64 {
    let sql =
        "SELECT coalesce(sum(generic_plans + custom_plans), 0)::bigint FROM pg_prepared_statements
        WHERE NOT starts_with(statement, '-- stream::reader::scope')
            AND statement NOT LIKE '%pg_prepared_statements%'";
    let client = store.client().await.expect("a connection");
    client.query_one(sql, &[]).await.expect("counted").get(0)
}

/// One page, and that it took one query.
async fn page_of_one_query(reader: &Reader, query: StreamQuery) -> Vec<Action> {
    let before = executions(reader.store()).await;
    let actions = page(reader, query).await;
    assert_eq!(executions(reader.store()).await - before, 1);
    actions
}

/// Case 59: who and what took part comes with the page, whatever is read of it.
#[tokio::test]
async fn page_with_all_its_names_takes_one_query() {
    let db = database().await;
    let store = db.store_at(t0(), registry()).await;
    let named = |text: &str| resource(text).named(text.to_uppercase());
    let user = Context::new(&named("user:1"));
    let mut actions: Vec<_> = ["user:2", "user:3", "user:4"]
        .map(|other| NewAction::new("followed", &user).target(&named(other)))
        .into();
    actions.push(NewAction::new("joined", &user).target(&named("group:1")));
    let _ = append_all(&store, actions).await;
    let read = page_of_one_query(&public(&store), StreamQuery::actor(&resource("user:1"))).await;
    let names: Vec<_> =
        read.iter().map(|action| action.target.as_ref().and_then(Resource::name)).collect();
    assert_eq!(names, ["GROUP:1", "USER:4", "USER:3", "USER:2"].map(|name| Some(name.to_owned())));
    assert!(read.iter().all(|action| action.actor.name.as_deref() == Some("USER:1")));
    check_log(&db).await;
}

/// Cases 69 and 70.
#[tokio::test]
async fn type_stream_of_ten_or_five_takes_one_query() {
    let db = database().await;
    let store = db.store_at(t0(), Registry::default()).await;
    let zombie = Context::new(&resource("user:zombie").named("Zombie"));
    let kill = |n: i32| {
        let human = resource(&format!("user:{n}")).named(format!("Human {n}"));
        NewAction::new("killed", &zombie).target(&human)
    };
    let _ = append_all(&store, (0..10).map(kill).collect()).await;
    let reader = public(&store);
    let query = || StreamQuery::of_type("user".parse().expect("a type"));
    for (query, len) in [(query(), 10), (query().limit(5), 5)] {
        let read = page_of_one_query(&reader, query).await;
        let texts: Vec<_> = read.iter().map(|action| store.registry().sentence(action)).collect();
        let expected: Vec<_> =
            (0..10).rev().take(len).map(|n| format!("Zombie killed Human {n}")).collect();
        assert_eq!(texts, expected);
    }
    check_log(&db).await;
}

/// A stream of an application's own: what somebody did up to a moment.
fn testfoo(user: &impl Resource, until: Option<DateTime<Utc>>) -> StreamQuery {
    let query = StreamQuery::actor(user).verbs(["was created"]);
    until.into_iter().fold(query, StreamQuery::until)
}

/// A stream of an application's own: a verb, in the role asked for.
fn testbar(
    stream: fn(&gesta::ResourceRef) -> StreamQuery,
    user: &impl Resource,
    verb: &str,
) -> StreamQuery {
    stream(&user.resource()).verbs([verb])
}

/// Cases 71, 72 and, without its feed, 74.
#[tokio::test]
async fn application_composes_streams_of_its_own() {
    let f1 = F1::new().await;
    let user = resource("user:test").named("test");
    let made = f1.send(&user, "was created", None, None).await;
    let read = page(&f1.reader, testfoo(&user, None)).await;
    assert_eq!(read, [made]);
    assert_eq!(f1.text(&read[0]), "test was created 26y ago");
    assert_eq!(f1.stream(testfoo(&user, Some(DateTime::UNIX_EPOCH))).await, "");
    assert_eq!(f1.stream(testbar(StreamQuery::actor, &user, "was created")).await, "new");
    assert_eq!(f1.stream(testbar(StreamQuery::object, &user, "was created")).await, "");
    check_log(&f1.db).await;
}

/// Case 73: what is not registered is refused where the application asked for that.
#[tokio::test]
async fn strict_registry_refuses_what_it_does_not_know() {
    const CREATE: Verb = Verb::new("player", "create");
    let db = database().await;
    let user = Context::new(&resource("user:1"));
    let create = || NewAction::new(CREATE, &user).object(&resource("player:1"));
    let users = || Registry::builder().resource("user", "user", "users").strict();
    let players = || StreamQuery::of_type("player".parse().expect("a type"));

    let strict = db.store_at(t0(), users().build().expect("a registry")).await;
    let mut client = strict.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    let error = strict.append(&tx, create()).await.expect_err("not registered");
    assert!(matches!(&error, AppendError::Invalid { .. }));
    let told = "resource type `player` is not registered; known are `user`";
    assert!(error.to_string().ends_with(told), "{error}");
    tx.rollback().await.expect("rolled back");

    let wider = users().resource("player", "player", "players").verb(CREATE);
    let wider = db.store_at(t0(), wider.build().expect("a registry")).await;
    assert_eq!(page(&public(&wider), players()).await, []);
    append(&wider, create()).await;
    assert_eq!(page(&public(&wider), players()).await.len(), 1);
    // What can have no records cannot be registered or asked for.
    assert!(matches!(users().resource("", "", "").build(), Err(RegistryError::Type(_))));
    assert!(ResourceType::new("").is_err());
    check_log(&db).await;
}

/// What a module deep in an application registers.
mod nested {
    pub(super) mod models {
        use gesta::{Verb, registry::RegistryBuilder};

        const OPEN: Verb = Verb::new("nested-model", "open");

        pub(in super::super) fn register(builder: RegistryBuilder) -> RegistryBuilder {
            builder.resource("nested-model", "nested model", "nested models").verb(OPEN)
        }
    }
}

/// Case 79.
#[test]
fn nested_module_registers_its_types() {
    let registry = nested::models::register(Registry::builder()).build().expect("a registry");
    let types: Vec<_> = registry.types().map(|definition| definition.kind.as_str()).collect();
    assert_eq!(types, ["nested-model"]);
    assert!(registry.verb("nested-model", "open").is_some());
}

/// Case 80.
#[test]
fn verb_of_a_type_that_is_not_there_is_refused() {
    const OPEN: Verb = Verb::new("ghost", "open");
    let error = Registry::builder().verb(OPEN).build().expect_err("no such type");
    assert!(matches!(error, RegistryError::DanglingVerb { .. }));
    assert!(error.to_string().contains("`ghost`, which is not registered"), "{error}");
}
