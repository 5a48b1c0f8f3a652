//! Secrets reach neither the log, nor an error in any form, nor a line of the program's own log.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use gesta::session::{Selection, SessionError};
use serde_json::json;

use super::newsroom::{Article, Person, article, done, in_session, newsroom, person, value};
use crate::support::check_log;

const SECRET: &str = "hunter2-9f31c0";

/// Every form in which an error may end in a log.
fn forms(error: &SessionError) -> String {
    let first = format!("{error} {error:?} {error:#?} {}", gesta::error::chain(error));
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(first, |text, error| format!("{text} {error} {error:?}"))
}

fn with_secret(name: &str) -> Person {
    let secret = Some(SECRET.to_owned());
    Person { email: secret.clone(), password: secret, ..person(name) }
}

/// What may be wrong with a row, and what the error says of it.
#[tokio::test]
async fn errors_of_the_database_name_constraints_and_hold_no_value() {
    let (db, store) = newsroom().await;
    let constraints = "ALTER TABLE newsroom.person
            ADD CONSTRAINT no_x CHECK (name <> 'x'), ALTER COLUMN name TYPE varchar(20);
        ALTER TABLE newsroom.article ADD COLUMN kind integer";
    db.admin().await.batch_execute(constraints).await.expect("constraints");
    done(&store, async |session| session.save(&with_secret("Ann")).await).await;
    let unique =
        in_session(&store, async |session| session.save(&with_secret("Bob")).await.map(drop));
    let check = in_session(&store, async |session| {
        session.save(&Person { email: None, ..with_secret("x") }).await.map(drop)
    });
    let null = in_session(&store, async |session| {
        session.update::<Person>(Selection::all(), &json!({ "name": null })).await.map(drop)
    });
    let kind = in_session(&store, async |session| {
        session.update::<Article>(Selection::all(), &json!({ "kind": SECRET })).await.map(drop)
    });
    let id = in_session(&store, async |session| {
        session.delete::<Article>(Selection::ids([SECRET])).await.map(drop)
    });
    let long = in_session(&store, async |session| {
        let name = format!("{SECRET}{SECRET}");
        session.update::<Person>(Selection::all(), &json!({ "name": name })).await.map(drop)
    });
    for (failed, wanted) in [
        (unique.await, "duplicate key value violates unique constraint \"person_email_key\""),
        (check.await, "new row for relation \"person\" violates check constraint \"no_x\""),
        (
            null.await,
            "null value in column \"name\" of relation \"person\" violates not-null constraint",
        ),
        (kind.await, "a value cannot be read as its type (SQLSTATE 22P02); the value is not shown"),
        (id.await, "a value cannot be read as its type (SQLSTATE 22P02); the value is not shown"),
        (long.await, "a text is too long for its column (SQLSTATE 22001); the value is not shown"),
    ] {
        let error = failed.expect_err(wanted);
        let text = forms(&error);
        assert!(!text.contains(SECRET), "{text}");
        assert!(gesta::error::chain(&error).ends_with(wanted), "{text}");
    }
}

/// The caller's own statement is the caller's, but what is printed through `chain` keeps values back as well.
#[tokio::test]
async fn chain_of_an_own_statement_holds_no_value() {
    let (_db, store) = newsroom().await;
    done(&store, async |session| session.save(&with_secret("Ann")).await).await;
    let client = store.client().await.expect("a connection");
    let twice = "INSERT INTO newsroom.person (name, email) VALUES ('Bob', $1)";
    let error = client.execute(twice, &[&SECRET]).await.expect_err("twice");
    let text = gesta::error::chain(&error);
    assert_eq!(text, "duplicate key value violates unique constraint \"person_email_key\"");
    let number = format!("SELECT '{SECRET}'::text::integer");
    let error = client.batch_execute(&number).await.expect_err("no number");
    assert!(!gesta::error::chain(&error).contains(SECRET));
}

/// Looks out for the secret in whatever any crate logs, at the finest level.
struct Watch;

static WATCHING: AtomicBool = AtomicBool::new(false);
static STATEMENTS: AtomicBool = AtomicBool::new(false);
static SEEN: AtomicBool = AtomicBool::new(false);

impl log::Log for Watch {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        WATCHING.load(Ordering::SeqCst)
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = record.args().to_string();
            STATEMENTS.fetch_or(text.contains("with parameters"), Ordering::SeqCst);
            SEEN.fetch_or(text.contains(SECRET), Ordering::SeqCst);
        }
    }
    fn flush(&self) {}
}

#[tokio::test]
async fn masked_secret_is_nowhere_in_the_log_of_actions_and_of_the_program() {
    let (db, store) = newsroom().await;
    log::set_logger(&Watch).expect("the only logger");
    log::set_max_level(log::LevelFilter::Trace);
    WATCHING.store(true, Ordering::SeqCst);
    done(&store, async |session| {
        let saved = session.save(&with_secret("Ann")).await?.row;
        session.save_all(&[Person { password: None, ..saved }]).await?;
        let whose = Selection::matching("email = $1", &[&SECRET]);
        session.update::<Person>(whose, &json!({ "password": SECRET })).await?;
        session.save(&article(1, "One")).await?;
        session.delete::<Person>(Selection::matching("password = $1", &[&SECRET])).await
    })
    .await;
    WATCHING.store(false, Ordering::SeqCst);
    log::set_max_level(log::LevelFilter::Off);
    assert!(STATEMENTS.load(Ordering::SeqCst), "statements were logged with their parameters");
    assert!(!SEEN.load(Ordering::SeqCst), "the secret was logged");
    let found: i64 = value(
        &db,
        &format!("SELECT count(*) FROM gesta.action AS a WHERE a::text LIKE '%{SECRET}%'"),
    )
    .await;
    let all: i64 =
        value(&db, "SELECT count(*) FROM gesta.action WHERE object_type = 'person'").await;
    assert_eq!((found, all), (0, 4));
    check_log(&db).await;
}
