//! Rows that others than the library insert: what no reader would understand is refused, and what was stored before it was
//! refused is named, or read without the part that says nothing.

use gesta::error::chain;
use gesta::store::{Migration, migrate, migrate_with, migration_sql};
use gesta::{Action, ActionId, Audience, Context, Position, ResourceType, StreamQuery, Tenant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::log::drain;
use crate::support::{
    TestDb, bare_database, check_log, database, page, public, resource, set_audience,
};

/// A row as SQL, where `t` is when it happened.
const ROW: [(&str, &str); 11] = [
    ("tenant", "current_setting('gesta.tenant')"),
    ("id", "gesta.id_floor(t)"),
    ("actor_type", "'user'"),
    ("actor_id", "'1'"),
    ("verb", "'close'"),
    ("object_type", "NULL"),
    ("target_type", "NULL"),
    ("occurred_at", "t"),
    ("source", "'emit'"),
    ("names", "NULL"),
    ("audience", "'{public}'"),
];

/// Columns with other values.
type Change = &'static [(&'static str, &'static str)];

/// The row with other values in some columns.
fn insert(time: &str, others: Change) -> String {
    let mut row: Vec<_> = ROW.to_vec();
    for other in others {
        row.retain(|(column, _)| *column != other.0);
        row.push(*other);
    }
    let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    format!(
        "INSERT INTO gesta.action ({}) SELECT {} FROM (SELECT '{time}'::timestamptz AS t) AS m",
        columns.join(", "),
        values.join(", ")
    )
}

/// What no reader would understand, by the constraint that refuses it.
const REFUSED: [(&str, Change); 17] = [
    ("action_tenant_characters", &[("tenant", "set_config('gesta.tenant', E'a\\tb\\n', true)")]),
    ("action_tenant_characters", &[("tenant", "set_config('gesta.tenant', E'a\\u0085', true)")]),
    ("action_actor_type_characters", &[("actor_type", "'bad type!'")]),
    ("action_actor_type_characters", &[("actor_type", "E'user\\n'")]),
    ("action_object_type_characters", &[("object_type", "'é'"), ("object_id", "'1'")]),
    ("action_target_type_characters", &[("target_type", "'a/b'"), ("target_id", "'1'")]),
    ("action_names_shape", &[("names", r#"'{"actor": 5}'"#)]),
    ("action_names_shape", &[("names", r#"'{"object": ["a"]}'"#)]),
    ("action_names_shape", &[("names", r#"'{"actor": "a", "target": {}}'"#)]),
    ("action_names_shape", &[("names", "'[1]'")]),
    ("action_names_shape", &[("names", "'null'")]),
    ("action_names_shape", &[("names", "'\"Alice\"'")]),
    ("action_audience_shape", &[("audience", "'{NULL}'")]),
    ("action_audience_shape", &[("audience", "'{public,NULL}'")]),
    ("action_audience_shape", &[("audience", "'{{a},{b}}'")]),
    ("action_time_is_of_id", &[("id", "gesta.id_floor(t + interval '1 millisecond')")]),
    ("action_time_is_of_id", &[("occurred_at", "t - interval '1 microsecond'")]),
];

/// What readers do understand.
const TAKEN: [Change; 7] = [
    &[("names", r#"'{"actor": "Alice", "object": null, "more": 5}'"#)],
    &[("names", "'{}'")],
    &[("audience", "'{}'")],
    &[("audience", "'[5:6]={a,b}'")],
    &[("actor_type", "'aws.IAM_User-7'"), ("object_type", "'x'"), ("object_id", "E'a\\nb'")],
    &[("occurred_at", "t + interval '999 microseconds'")],
    &[("verb", "E'any\\ttext'"), ("description", "E'\\u0001'"), ("changes", "'[1]'")],
];

/// An application's connection, in the tenant `default`.
async fn app(db: &TestDb) -> Client {
    let client = db.connect("gesta_app").await;
    client.batch_execute("SET gesta.tenant = 'default'").await.expect("set");
    client
}

#[tokio::test]
async fn what_no_reader_would_understand_is_refused_in_each_partition() {
    let db = database().await;
    let client = app(&db).await;
    let made = "SELECT extract(year FROM now())::integer + 3, gesta.make_partitions(extract(year FROM now())::integer + 3)";
    let made = client.query_one(made, &[]).await.expect("a year more");
    assert_eq!(made.get::<_, i32>(1), 1);
    let new_year = format!("{}-06-01Z", made.get::<_, i32>(0));
    for time in ["1980-06-01Z", "2026-06-01Z", &new_year, "9000-06-01Z"] {
        for (constraint, change) in REFUSED {
            let sql = insert(time, change);
            let Err(error) = client.batch_execute(&sql).await else {
                panic!("{sql} is not refused")
            };
            let error = error.as_db_error().expect("by the database");
            assert_eq!(
                (error.code(), error.constraint()),
                (&SqlState::CHECK_VIOLATION, Some(constraint)),
                "{sql}"
            );
        }
    }
    let sql = "INSERT INTO gesta.visibility (tenant, action_id, audience, changed_by)
        SELECT 'default', gen_random_uuid(), a, gen_random_uuid() FROM (SELECT $1::text::text[] AS a) AS m";
    for audience in ["{NULL}", "{{a},{b}}"] {
        let error = client.execute(sql, &[&audience]).await.expect_err("refused");
        let error = error.as_db_error().expect("by the database");
        assert_eq!(error.constraint(), Some("visibility_audience_shape"));
    }
    check_log(&db).await;
}

#[tokio::test]
async fn what_readers_understand_is_taken() {
    let db = database().await;
    let client = app(&db).await;
    for (n, change) in TAKEN.into_iter().enumerate() {
        let sql = insert(&format!("2026-06-01T00:00:{n:02}Z"), change);
        assert!(client.batch_execute(&sql).await.is_ok(), "{sql}");
    }
    let read = drain(&db.log().await, &Position::start(), 100).await.0;
    assert_eq!(read.len(), TAKEN.len());
    assert_eq!(read[0].action.actor.name.as_deref(), Some("Alice"));
    assert_eq!(read[3].action.audience, Audience::labels(["a", "b"]));
}

/// One by one, in the middle of a text.
#[tokio::test]
async fn characters_are_those_that_the_types_take() {
    let db = database().await;
    let admin = db.admin().await;
    let chars =
        (1..0x300).filter_map(char::from_u32).chain(['\u{2028}', '\u{202e}', '\u{feff}', '👍']);
    let texts: Vec<_> = chars.map(|c| format!("a{c}b")).collect();
    let is_type = |text: &String| ResourceType::new(text).is_ok();
    let is_tenant = |text: &String| Tenant::new(text).is_ok();
    for (column, is_taken) in [
        ("tenant", &is_tenant as &dyn Fn(&String) -> bool),
        ("actor_type", &is_type),
        ("object_type", &is_type),
        ("target_type", &is_type),
    ] {
        let check = "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
            WHERE conrelid = 'gesta.action'::regclass AND conname = format('action_%s_characters', $1::text)";
        let check: String = admin.query_one(check, &[&column]).await.expect("a constraint").get(0);
        let sql = format!(
            "SELECT {check} FROM unnest($1::text[]) WITH ORDINALITY AS a ({column}, n) ORDER BY n"
        );
        let rows = admin.query(&sql, &[&texts]).await.expect("checked");
        for (text, row) in texts.iter().zip(rows) {
            assert_eq!(row.get::<_, bool>(0), is_taken(text), "{column} {text:?}");
        }
    }
}

/// A database of before, with rows that nobody would be allowed to insert any more.
async fn stored_before(changes: &[Change]) -> TestDb {
    let db = bare_database().await;
    let mut admin = db.admin().await;
    let known: Vec<_> = (1..)
        .zip(migration_sql())
        .map(|(version, (name, sql))| Migration { version, name, sql })
        .collect();
    migrate_with(&mut admin, &known[..11]).await.expect("migrated");
    admin.batch_execute("SET gesta.tenant = 'default'").await.expect("set");
    for (n, change) in changes.iter().enumerate() {
        let sql = insert(&format!("2026-06-01T00:00:{n:02}Z"), change);
        admin.batch_execute(&sql).await.expect("stored");
    }
    assert!(migrate(&mut admin).await.expect("migrated").contains(&"0012_row"));
    db
}

#[tokio::test]
async fn names_and_audiences_of_before_that_say_nothing_hide_nothing() {
    let db = stored_before(&[
        &[("names", r#"'{"actor": 5}'"#)],
        &[("names", "'[1]'"), ("audience", "'{public,NULL}'")],
        &[("audience", "'{{public},{b}}'")],
        &[("names", r#"'{"actor": "Alice"}'"#)],
    ])
    .await;
    let log = db.log().await;
    let actions = |entries: Vec<gesta::log::Entry>| -> Vec<Action> {
        entries.into_iter().map(|entry| entry.action).collect()
    };
    let (read, end) = drain(&log, &Position::start(), 3).await;
    let read = actions(read);
    let names: Vec<_> = read.iter().map(|action| action.actor.name.as_deref()).collect();
    assert_eq!(names, [None, None, None, Some("Alice")]);
    let (public_, auditors) = (Audience::public(), Audience::auditors());
    let audiences: Vec<_> = read.iter().map(|action| &action.audience).collect();
    assert_eq!(audiences, [&public_, &auditors, &auditors, &public_]);
    let store = db.store().await;
    assert_eq!(page(&public(&store), StreamQuery::tenant()).await.len(), 4);

    // Who may see it can be said anew, and is said of what follows.
    let ctx = Context::new(&resource("user:moderator"));
    let told = set_audience(&store, &ctx, read[1].id, &Audience::labels(["staff"])).await;
    let told_of = actions(drain(&log, &end, 3).await.0);
    assert_eq!(told_of[0].id, told);
    let changes = told_of[0].changes.as_ref().expect("changes").value();
    assert_eq!(changes, serde_json::json!({ "audience": [[], ["staff"]] }));
    let sql = "ALTER TABLE gesta.visibility DROP CONSTRAINT visibility_audience_shape;
        UPDATE gesta.visibility SET audience = '{staff,NULL}'";
    db.admin().await.batch_execute(sql).await.expect("changed");
    let read = actions(drain(&log, &Position::start(), 3).await.0);
    assert_eq!(read[1].audience, auditors);
}

#[tokio::test]
async fn action_of_before_that_cannot_be_understood_is_named() {
    let db = stored_before(&[
        &[("actor_type", "'bad type!'")],
        &[("tenant", "set_config('gesta.tenant', E'a\\tb', false)")],
    ])
    .await;
    let store = db.store().await;
    let ids = "SELECT id FROM gesta.action ORDER BY seq";
    let ids: Vec<_> = db.admin().await.query(ids, &[]).await.expect("ids");
    let id = |n: usize| ActionId::try_from(ids[n].get::<_, uuid::Uuid>(0)).expect("an id");
    let wanted = |n: usize, tenant: &str| format!("action {} of tenant `{tenant}`: ", id(n));

    let log = db.log().await;
    let error = chain(&log.read(&Position::start(), 9).await.expect_err("the first one"));
    assert!(error.contains(&wanted(0, "default")) && error.contains("`bad type!`"), "{error}");
    let error = public(&store).action(id(0)).await.expect_err("the same");
    assert!(chain(&error).contains(&wanted(0, "default")), "{error}");
    let sql = "ALTER TABLE gesta.action DISABLE TRIGGER USER; DELETE FROM gesta.action WHERE tenant = 'default'";
    db.admin().await.batch_execute(sql).await.expect("deleted, for this test");
    let error = chain(&log.read(&Position::start(), 9).await.expect_err("the second one"));
    assert!(error.contains(&wanted(1, "a\\tb")), "{error}");
}
