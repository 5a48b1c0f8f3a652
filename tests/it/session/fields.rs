//! Columns that are not recorded as they are.

use gesta::hook::Rule;
use gesta::session::SaveOutcome;
use gesta::{Hook, Model, Resource, ResourceRef};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::newsroom::{Person, article, done, in_session, line, log, newsroom, person, value};
use crate::support::check_log;

#[tokio::test]
async fn masked_hashed_and_excluded_columns_are_told_as_their_rules_say() {
    let (db, store) = newsroom().await;
    let ann = Person {
        email: Some("ann@example.org".to_owned()),
        password: Some("first".to_owned()),
        avatar: Some("a.png".to_owned()),
        ..person("Ann")
    };
    let ann = done(&store, async |session| session.save(&ann).await).await.row;
    assert_eq!(ann.password.as_deref(), Some("first"), "the application's own model is whole");
    let hash: String =
        value(&db, "SELECT 'sha256:' || encode(sha256(convert_to((to_jsonb(p) -> 'email')::text, 'UTF8')), 'hex') FROM newsroom.person AS p").await;
    let created = json!({
        "id": [null, 1], "name": [null, "Ann"], "email": [null, hash], "password": [null, "***"], "version": [null, 1],
    });
    assert_eq!(log(&db).await, [line("save", "create", "person:1", &created)]);
    let changed = Person { password: Some("second".to_owned()), email: None, ..ann };
    let changed = done(&store, async |session| session.save(&changed).await).await.row;
    let updated = json!({ "password": ["***", "***"], "email": [hash, null], "version": [1, 2] });
    assert_eq!(log(&db).await[1], line("save", "update", "person:1", &updated));
    let forgotten = Person { password: None, ..changed };
    done(&store, async |session| session.save(&forgotten).await).await;
    assert_eq!(
        log(&db).await[2][4]["password"],
        json!(["***", null]),
        "that there is none is told"
    );
    check_log(&db).await;
}

/// A person whose version is nobody's concern either.
#[derive(Serialize, Deserialize)]
struct Face {
    id: i64,
    name: String,
    avatar: Option<String>,
}

impl Resource for Face {
    fn resource(&self) -> ResourceRef {
        crate::support::resource(&format!("face:{}", self.id))
    }
}
impl Model for Face {
    const TABLE: &'static str = "newsroom.person";
    const KEY: &'static str = "id";
    const RULES: &'static [Rule] = &[Rule::Exclude("avatar")];
}
impl Hook for Face {
    fn on_save(change: gesta::Change<'_, Self>, emit: &mut gesta::Emitter<'_>) {
        if let gesta::Change::Updated { .. } = change {
            emit.refuse("it was asked about an update");
        }
    }
}

#[tokio::test]
async fn change_of_excluded_columns_only_is_done_and_not_told() {
    let (db, store) = newsroom().await;
    let face =
        |avatar: &str| Face { id: 1, name: "Ann".to_owned(), avatar: Some(avatar.to_owned()) };
    done(&store, async |session| session.save(&face("a.png")).await).await;
    let saved = done(&store, async |session| session.save(&face("b.png")).await).await;
    assert_eq!((saved.outcome, saved.actions), (SaveOutcome::Updated, 0));
    let avatar: String = value(&db, "SELECT avatar FROM newsroom.person").await;
    assert_eq!((avatar.as_str(), log(&db).await.len()), ("b.png", 1));
    check_log(&db).await;
}

macro_rules! misnamed {
    ($name:ident, $key:literal, $rule:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $name {
            id: i64,
        }
        impl Resource for $name {
            fn resource(&self) -> ResourceRef {
                article(self.id, "").resource()
            }
        }
        impl Model for $name {
            const TABLE: &'static str = "newsroom.article";
            const KEY: &'static str = $key;
            const RULES: &'static [Rule] = &[$rule];
        }
        impl Hook for $name {}
    };
}
misnamed!(Slip, "id", Rule::Mask("pasword"));
misnamed!(Keyless, "uuid", Rule::Mask("title"));
misnamed!(Hidden, "id", Rule::Hash("id"));

#[tokio::test]
async fn model_that_names_no_column_is_refused_before_a_secret_is_told() {
    let (_db, store) = newsroom().await;
    let error = in_session(&store, async |session| session.save(&Slip { id: 1 }).await);
    assert_eq!(
        error.await.map(drop).expect_err("refused").to_string(),
        "model of `newsroom.article`: `RULES` names `pasword`, which is no column of the table"
    );
    let error = in_session(&store, async |session| session.save(&Keyless { id: 1 }).await);
    let error = error.await.map(drop).expect_err("refused").to_string();
    assert!(error.contains("`KEY` names `uuid`, which is no column"), "{error}");
    let error = in_session(&store, async |session| session.save(&Hidden { id: 1 }).await);
    let error = error.await.map(drop).expect_err("refused").to_string();
    assert!(error.contains("`RULES` names the key"), "{error}");
}

#[tokio::test]
async fn action_without_room_for_a_diff_says_what_to_do() {
    let (db, store) = newsroom().await;
    let long = article(1, &"x".repeat(70_000));
    let error = in_session(&store, async |session| session.save(&long).await).await;
    let error = error.expect_err("too large").to_string();
    assert!(
        error.starts_with(
            "the action `create` of `article:1` cannot be recorded: `changes`, `data`"
        ),
        "{error}"
    );
    assert!(
        error.ends_with("give large columns a rule that excludes, masks or hashes them"),
        "{error}"
    );
    assert_eq!(log(&db).await.len(), 0);
    check_log(&db).await;
}
