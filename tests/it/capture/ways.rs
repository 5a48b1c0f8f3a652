//! Each way to write a row of a table that is both tracked and written by sessions: exactly the actions expected, none
//! missing, none twice, with the right actor and diff, in the right order.

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::Command;

use bytes::Bytes;
use futures_util::SinkExt;
use gesta::session::{Selection, SessionError};
use gesta::{Context, NewAction, ResourceRef, Session};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::tables::{Article, Author, TAGS, desk};
use crate::support::{TestDb, check_log, check_replay};

/// How a row is written.
enum Way {
    /// By a method of a session, as Alice.
    Session(Call),
    /// By a session's transaction, as Alice.
    OwnSql(&'static str),
    /// By a program that knows nothing of Gesta, as the role `gesta_app`.
    Sql(&'static str),
    /// By an operator at psql's prompt.
    Psql(&'static str),
    /// By COPY, with these lines.
    Copy(&'static str, &'static str),
}

/// What is called on the session.
enum Call {
    SaveNew,
    SaveChanged,
    SaveSame,
    SaveMany,
    Update,
    UpdateWithTrigger,
    Delete,
    DeleteWithCascade,
    Tags,
    SaveThenSqlThenSave,
    RollBack,
}

/// What is there before each of them.
const FIXTURE: &str = "
TRUNCATE desk.author, desk.article, desk.tag;
INSERT INTO desk.author VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO desk.article VALUES (1, 1, 'One'), (2, 1, 'Two'), (3, 2, 'Three');";

const LOG: &str = "
SELECT seq, id, run_id, jsonb_build_array(source, actor_type || ':' || actor_id, verb, object_type || ':' || object_id, changes)
FROM gesta.action WHERE seq > $1 ORDER BY seq";

const ALICE: &str = "user:1";
const ROLE: &str = "system:gesta_app";

fn article(id: i32, author: i32, title: &str, sides: [usize; 2]) -> Value {
    let row = [
        ("id", json!(id)),
        ("author", json!(author)),
        ("title", json!(title)),
        ("state", json!("draft")),
        ("views", json!(0)),
    ];
    whole(&row, sides)
}

fn author(id: i32, name: &str, sides: [usize; 2]) -> Value {
    whole(&[("id", json!(id)), ("name", json!(name)), ("published", json!(0))], sides)
}

/// A row that comes, where the values stand behind a null, or that goes.
const COMES: [usize; 2] = [1, 0];
const GOES: [usize; 2] = [0, 1];

fn whole(row: &[(&str, Value)], [value, null]: [usize; 2]) -> Value {
    let pair = |given: &Value| {
        let mut pair = [Value::Null, Value::Null];
        pair[value] = given.clone();
        pair[null] = Value::Null;
        json!(pair)
    };
    row.iter().map(|(name, given)| ((*name).to_owned(), pair(given))).collect()
}

/// A way, what it is called, and the actions that it leaves: source, actor, verb, object, changes.
type Row = (&'static str, Way, Vec<Value>);

fn table() -> Vec<Row> {
    [by_saves(), by_bulk(), by_sql()].into_iter().flatten().collect()
}

fn by_saves() -> Vec<Row> {
    let save =
        |verb: &str, object: &str, changes: Value| json!(["save", ALICE, verb, object, changes]);
    let fired = json!(["trigger", ALICE, "update", "article:1", {"title": ["Uno", "UNO"]}]);
    vec![
        (
            "a new row saved",
            Way::Session(Call::SaveNew),
            vec![save("create", "article:9", article(9, 2, "Nine", COMES))],
        ),
        (
            "a changed row saved",
            Way::Session(Call::SaveChanged),
            vec![save("update", "article:1", json!({"title": ["One", "Uno"]}))],
        ),
        ("the same row saved", Way::Session(Call::SaveSame), vec![]),
        (
            "members added and removed",
            Way::Session(Call::Tags),
            vec![
                save("update", "article:1", json!({"tags": [[], ["news", "sea"]]})),
                save("update", "article:1", json!({"tags": [["sea"], ["storm"]]})),
            ],
        ),
        (
            "a save, own SQL and a save again",
            Way::Session(Call::SaveThenSqlThenSave),
            vec![
                save("update", "article:1", json!({"title": ["One", "Uno"]})),
                fired,
                save("update", "article:1", json!({"title": ["UNO", "Eins"]})),
            ],
        ),
        ("a session rolled back", Way::Session(Call::RollBack), vec![]),
    ]
}

fn by_bulk() -> Vec<Row> {
    let bulk =
        |verb: &str, object: &str, changes: Value| json!(["bulk", ALICE, verb, object, changes]);
    let fired =
        |verb: &str, object: &str, changes: Value| json!(["trigger", ALICE, verb, object, changes]);
    let public = || json!({"state": ["draft", "public"]});
    vec![
        (
            "many rows saved",
            Way::Session(Call::SaveMany),
            vec![
                bulk("create", "article:9", article(9, 2, "Nine", COMES)),
                bulk("update", "article:2", json!({"title": ["Two", "Due"]})),
            ],
        ),
        (
            "a selection updated",
            Way::Session(Call::Update),
            vec![
                bulk("update", "article:1", json!({"title": ["One", "Same"]})),
                bulk("update", "article:3", json!({"title": ["Three", "Same"]})),
            ],
        ),
        (
            "a selection updated that a trigger counts elsewhere",
            Way::Session(Call::UpdateWithTrigger),
            vec![
                fired("update", "author:1", json!({"published": [0, 1]})),
                fired("update", "author:2", json!({"published": [0, 1]})),
                bulk("update", "article:1", public()),
                bulk("update", "article:3", public()),
            ],
        ),
        (
            "a selection deleted",
            Way::Session(Call::Delete),
            vec![
                bulk("delete", "article:1", article(1, 1, "One", GOES)),
                bulk("delete", "article:3", article(3, 2, "Three", GOES)),
            ],
        ),
        (
            "a selection deleted that cascades",
            Way::Session(Call::DeleteWithCascade),
            vec![
                fired("delete", "article:1", article(1, 1, "One", GOES)),
                fired("delete", "article:2", article(2, 1, "Two", GOES)),
                bulk("delete", "author:1", author(1, "Ann", GOES)),
            ],
        ),
    ]
}

fn by_sql() -> Vec<Row> {
    let alice =
        |verb: &str, object: &str, changes: Value| json!(["trigger", ALICE, verb, object, changes]);
    let role =
        |verb: &str, object: &str, changes: Value| json!(["trigger", ROLE, verb, object, changes]);
    let uno = || json!({"title": ["One", "Uno"]});
    let seen = |old: i32| json!({"views": [old, old + 1]});
    vec![
        ("own SQL in a session", Way::OwnSql("UPDATE desk.article SET title = 'Uno' WHERE id = 1"), vec![alice("update", "article:1", uno())]),
        ("own SQL in a session, by another table's trigger", Way::OwnSql("INSERT INTO desk.visit VALUES (1)"), vec![alice("update", "article:1", seen(0))]),
        ("own SQL in a session that cascades", Way::OwnSql("DELETE FROM desk.author WHERE id = 2"), vec![
            alice("delete", "author:2", author(2, "Bob", GOES)),
            alice("delete", "article:3", article(3, 2, "Three", GOES)),
        ]),
        ("INSERT", Way::Sql("INSERT INTO desk.article VALUES (9, 2, 'Nine')"), vec![role("create", "article:9", article(9, 2, "Nine", COMES))]),
        ("UPDATE", Way::Sql("UPDATE desk.article SET title = 'Uno' WHERE id < 2"), vec![role("update", "article:1", uno())]),
        ("UPDATE of nothing", Way::Sql("UPDATE desk.article SET title = title"), vec![]),
        ("DELETE", Way::Sql("DELETE FROM desk.article WHERE id = 3"), vec![role("delete", "article:3", article(3, 2, "Three", GOES))]),
        ("two statements on one row", Way::Sql("UPDATE desk.article SET title = 'Uno' WHERE id = 1; DELETE FROM desk.article WHERE id = 1"), vec![
            role("update", "article:1", uno()),
            role("delete", "article:1", article(1, 1, "Uno", GOES)),
        ]),
        ("psql", Way::Psql("UPDATE desk.article SET title = 'Uno' WHERE id = 1"), vec![role("update", "article:1", uno())]),
        ("psql that says who it is", Way::Psql("BEGIN; SELECT gesta.act_as('user', '1'); UPDATE desk.article SET title = 'Uno' WHERE id = 1; COMMIT"), vec![alice("update", "article:1", uno())]),
        ("COPY", Way::Copy("COPY desk.article (id, author, title) FROM STDIN", "8\t1\tEight\n9\t2\tNine\n"), vec![
            role("create", "article:8", article(8, 1, "Eight", COMES)),
            role("create", "article:9", article(9, 2, "Nine", COMES)),
        ]),
        ("ON CONFLICT DO UPDATE", Way::Sql("INSERT INTO desk.article VALUES (1, 1, 'Uno'), (9, 2, 'Nine'), (2, 1, 'Two')
             ON CONFLICT (id) DO UPDATE SET title = excluded.title"), vec![
            role("update", "article:1", uno()),
            role("create", "article:9", article(9, 2, "Nine", COMES)),
        ]),
        ("ON CONFLICT DO NOTHING", Way::Sql("INSERT INTO desk.article VALUES (1, 1, 'Uno') ON CONFLICT DO NOTHING"), vec![]),
        ("MERGE", Way::Sql("MERGE INTO desk.article AS a USING (VALUES (1), (9)) AS v (id) ON a.id = v.id
             WHEN MATCHED THEN UPDATE SET title = 'Uno' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 2, 'Nine')"), vec![
            role("update", "article:1", uno()),
            role("create", "article:9", article(9, 2, "Nine", COMES)),
        ]),
        ("a cascade", Way::Sql("DELETE FROM desk.author WHERE id = 1"), vec![
            role("delete", "author:1", author(1, "Ann", GOES)),
            role("delete", "article:1", article(1, 1, "One", GOES)),
            role("delete", "article:2", article(2, 1, "Two", GOES)),
        ]),
        ("TRUNCATE", Way::Sql("TRUNCATE desk.author CASCADE"), vec![
            role("delete", "author:1", author(1, "Ann", GOES)),
            role("delete", "author:2", author(2, "Bob", GOES)),
            role("delete", "article:1", article(1, 1, "One", GOES)),
            role("delete", "article:2", article(2, 1, "Two", GOES)),
            role("delete", "article:3", article(3, 2, "Three", GOES)),
        ]),
        ("another table's trigger", Way::Sql("INSERT INTO desk.visit VALUES (3), (3)"), vec![
            role("update", "article:3", seen(0)),
            role("update", "article:3", seen(1)),
        ]),
        ("a transaction rolled back", Way::Sql("BEGIN; TRUNCATE desk.author CASCADE; ROLLBACK"), vec![]),
    ]
}

async fn call(session: &mut Session<'_>, call: &Call) -> Result<(), SessionError> {
    let ends = || Selection::ids([1, 3]);
    let one = Article::draft(1, 1, "One");
    match call {
        Call::SaveNew => {
            session.save(&Article::draft(9, 2, "Nine")).await?;
        }
        Call::SaveChanged | Call::RollBack => {
            session.save(&Article::draft(1, 1, "Uno")).await?;
        }
        Call::SaveSame => {
            session.save(&one).await?;
        }
        Call::SaveMany => {
            let two = Article::draft(2, 1, "Due");
            session.save_all(&[Article::draft(9, 2, "Nine"), one, two]).await?;
        }
        Call::Update => {
            session.update::<Article>(ends(), &json!({"title": "Same"})).await?;
        }
        Call::UpdateWithTrigger => {
            session.update::<Article>(ends(), &json!({"state": "public"})).await?;
        }
        Call::Delete => {
            session.delete::<Article>(ends()).await?;
        }
        Call::DeleteWithCascade => {
            session.delete::<Author>(Selection::ids([1])).await?;
        }
        Call::Tags => {
            session.add(&one, &TAGS, ["sea", "news"]).await?;
            session.set(&one, &TAGS, ["news", "storm"]).await?;
        }
        Call::SaveThenSqlThenSave => {
            session.save(&Article::draft(1, 1, "Uno")).await?;
            let sql = "UPDATE desk.article SET title = upper(title) WHERE id = 1";
            session.transaction().batch_execute(sql).await.expect(sql);
            session.save(&Article::draft(1, 1, "Eins")).await?;
        }
    }
    Ok(())
}

/// With the psql of the server, where it has one, else that of the machine.
fn psql(db: &TestDb, sql: &str) {
    let own = db.program("psql");
    let program = if own.is_file() { own } else { "psql".into() };
    let url = db.url("gesta_app");
    let ended = Command::new(program).args(["-Xqv", "ON_ERROR_STOP=1", "-c", sql, &url]).output();
    let ended = ended.expect("psql runs");
    assert!(ended.status.success(), "{sql}: {}", String::from_utf8_lossy(&ended.stderr));
}

async fn write(db: &TestDb, app: &Client, way: &Way) {
    match way {
        Way::Sql(sql) => app.batch_execute(sql).await.expect(sql),
        Way::Psql(sql) => psql(db, sql),
        Way::Copy(sql, lines) => {
            let mut sink = pin!(app.copy_in(*sql).await.expect(sql));
            sink.send(Bytes::from_static(lines.as_bytes())).await.expect("sent");
            sink.finish().await.expect("copied");
        }
        Way::Session(_) | Way::OwnSql(_) => {
            let store = db.store().await;
            let mut client = store.client().await.expect("a connection");
            let alice = Context::new(&ResourceRef::new("user", "1").expect("a user"));
            let mut session = Session::begin(&store, &mut client, &alice).await.expect("begun");
            match way {
                Way::OwnSql(sql) => session.transaction().batch_execute(sql).await.expect(sql),
                Way::Session(method) => match call(&mut session, method).await {
                    Ok(()) if matches!(method, Call::RollBack) => {
                        return session.rollback().await.expect("rolled back");
                    }
                    Ok(()) => {}
                    Err(error) => panic!("{}", gesta::error::chain(&error)),
                },
                _ => {}
            }
            session.commit().await.expect("committed");
        }
    }
}

#[tokio::test]
async fn each_way_to_write_leaves_exactly_its_actions() {
    let db = desk().await;
    let (admin, app) = (db.admin().await, db.connect("gesta_app").await);
    for (name, way, wanted) in table() {
        admin.batch_execute(FIXTURE).await.expect("the fixture");
        let last =
            admin.query_one("SELECT max(seq) FROM gesta.action", &[]).await.expect("a place");
        write(&db, &app, &way).await;
        let rows = admin.query(LOG, &[&last.get::<_, i64>(0)]).await.expect("the log");
        let found: Vec<Value> = rows.iter().map(|row| row.get(3)).collect();
        assert_eq!(found, wanted, "{name}");
        // One object's actions stand in its stream as they were stored.
        let mut streams: BTreeMap<&str, Vec<uuid::Uuid>> = BTreeMap::new();
        for (row, action) in rows.iter().zip(&found) {
            streams.entry(action[3].as_str().expect("an object")).or_default().push(row.get(1));
        }
        assert!(streams.values().all(|ids| ids.is_sorted()), "{name}: {streams:?}");
        // What one operation of a session changed is one run.
        let runs = rows.iter().zip(&found).filter(|(_, action)| action[0] == "bulk");
        let runs: Vec<Option<uuid::Uuid>> = runs.map(|(row, _)| row.get(2)).collect();
        assert!(runs.iter().all(|run| run.is_some() && *run == runs[0]), "{name}: {runs:?}");
        check_replay(&db, "article", "desk.article").await;
        check_replay(&db, "author", "desk.author").await;
    }
    check_log(&db).await;
}

/// A handler of a web server is moved between threads, and a session within it.
#[tokio::test]
async fn sessions_can_be_used_in_tasks() {
    let db = desk().await;
    let store = db.store().await;
    let task = tokio::spawn(async move {
        let mut client = store.client().await.expect("a connection");
        let ctx = Context::new(&ResourceRef::new("user", "1").expect("a user"));
        let mut session = Session::begin(&store, &mut client, &ctx).await?;
        let (ann, article) =
            (Author { id: 1, name: "Ann".to_owned() }, Article::draft(1, 1, "One"));
        session.save(&ann).await?;
        session.save_all(std::slice::from_ref(&article)).await?;
        session.update::<Article>(Selection::all(), &json!({"title": "Uno"})).await?;
        session.add(&article, &TAGS, ["sea"]).await?;
        session.remove(&article, &TAGS, ["sea"]).await?;
        session.set(&article, &TAGS, ["sky"]).await?;
        session.emit(NewAction::new("wave", &ctx)).await?;
        let found = session.find::<Article>(1).await?;
        session.delete::<Article>(Selection::ids([1])).await?;
        session.commit().await?;
        Ok::<_, SessionError>(found)
    });
    let found = task.await.expect("the task ends").expect("all of it succeeds");
    assert_eq!(found.map(|article| article.title).as_deref(), Some("Uno"));
    check_replay(&db, "article", "desk.article").await;
    check_log(&db).await;
}
