//! Hooks: what a change means is theirs to say, and nothing escapes all the same.

use gesta::session::{Selection, SessionError};
use gesta::store::Store;
use gesta::{Change, Emitter, Hook, Model, Registry, Resource, ResourceRef, StreamQuery, Verb};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::newsroom::{done, in_session, line, log, newsroom, value};
use crate::support::{check_log, page, public, resource};

/// The same table, with a hook: publishing is said as such, the desk is told, and what is public stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Story {
    id: i64,
    title: String,
    state: String,
}

fn story(id: i64, state: &str) -> Story {
    Story { id, title: format!("Story {id}"), state: state.to_owned() }
}

impl Resource for Story {
    fn resource(&self) -> ResourceRef {
        resource(&format!("story:{}", self.id))
    }
    fn name(&self) -> Option<String> {
        Some(self.title.clone())
    }
}

impl Model for Story {
    const TABLE: &'static str = "newsroom.article";
    const KEY: &'static str = "id";
}

impl Hook for Story {
    fn on_save(change: Change<'_, Self>, emit: &mut Emitter<'_>) {
        let desk = resource("desk:news").named("News desk");
        match change {
            Change::Deleted(story) if story.state == "published" => emit.refuse("it is public"),
            Change::Updated { before, after } if before.state != after.state => {
                emit.action("notify", &desk);
                let data = json!({ "channel": "web" });
                let publish = emit.draft("publish", after).target(&desk).data(data);
                emit.add(publish.description("as it stands"));
                emit.action("archive draft", after);
            }
            Change::Updated { before, after } if after.title == "quiet" => {
                let _ = before;
                emit.action("notify", &desk);
            }
            Change::Updated { before, after } => emit.diff("edit", before, after),
            other => emit.record(other),
        }
    }
}

#[tokio::test]
async fn hook_says_what_a_change_means_and_the_diff_is_kept_once() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save(&story(1, "draft")).await).await;
    let saved = done(&store, async |session| session.save(&story(1, "published")).await).await;
    assert_eq!(saved.actions, 3);
    let changes = json!({ "state": ["draft", "published"], "edits": [0, 1] });
    let wanted = [
        line("save", "notify", "desk:news", &json!(null)),
        line("save", "publish", "story:1", &changes),
        line("save", "archive draft", "story:1", &json!(null)),
    ];
    assert_eq!(log(&db).await[1..], wanted);
    let actions = page(&public(&store), StreamQuery::object(&story(1, "").resource())).await;
    let publish = &actions[1];
    assert_eq!(publish.target.as_ref().and_then(|t| t.name.clone()).as_deref(), Some("News desk"));
    assert_eq!(publish.description.as_deref(), Some("as it stands"));
    assert_eq!(publish.data.as_ref().map(gesta::Json::value), Some(json!({ "channel": "web" })));
    let times: i64 =
        value(&db, "SELECT count(DISTINCT occurred_at) FROM gesta.action WHERE verb <> 'create'")
            .await;
    assert_eq!(times, 1, "all of them happened when the row changed");
    check_log(&db).await;
}

#[tokio::test]
async fn row_that_the_hook_says_nothing_about_is_recorded_all_the_same() {
    let (db, store) = newsroom().await;
    done(&store, async |session| session.save(&story(1, "draft")).await).await;
    let quiet = Story { title: "quiet".to_owned(), ..story(1, "draft") };
    done(&store, async |session| session.save(&quiet).await).await;
    let changes =
        json!({ "title": ["Story 1", "quiet"], "slug": ["story 1", "quiet"], "edits": [0, 1] });
    let wanted = [
        line("save", "notify", "desk:news", &json!(null)),
        line("save", "update", "story:1", &changes),
    ];
    assert_eq!(log(&db).await[1..], wanted);
    let loud = Story { title: "loud".to_owned(), ..quiet };
    done(&store, async |session| session.save(&loud).await).await;
    let changes = json!({ "title": ["quiet", "loud"], "slug": ["quiet", "loud"], "edits": [1, 2] });
    assert_eq!(log(&db).await[3..], [line("save", "edit", "story:1", &changes)]);
    check_log(&db).await;
}

#[tokio::test]
async fn refusal_of_one_row_rolls_everything_back() {
    let (db, store) = newsroom().await;
    let stories = [story(1, "draft"), story(2, "published"), story(3, "draft")];
    done(&store, async |session| session.save_all(&stories).await).await;
    let mut client = store.client().await.expect("a connection");
    let ctx = super::newsroom::alice();
    let mut session = gesta::Session::begin(&store, &mut client, &ctx).await.expect("begun");
    session.save(&story(4, "draft")).await.expect("saved");
    let error = session.delete::<Story>(Selection::all()).await.expect_err("refused");
    assert_eq!(error.to_string(), "the change of `story:2` is refused: it is public");
    let error = session.save(&story(5, "draft")).await.expect_err("unusable");
    assert!(matches!(error, SessionError::Unusable));
    let error = session.commit().await.expect_err("unusable");
    assert_eq!(
        error.to_string(),
        "the session cannot go on after a failure: drop it, and begin another one"
    );
    drop(client);
    let rows: i64 = value(&db, "SELECT count(*) FROM newsroom.article").await;
    assert_eq!((rows, log(&db).await.len()), (3, 3));
    check_log(&db).await;
}

#[tokio::test]
async fn strict_registry_holds_for_what_hooks_emit() {
    let (db, _) = newsroom().await;
    let registry = Registry::builder()
        .resource("user", "person", "people")
        .resource("story", "story", "stories")
        .verb(Verb::new("story", "create"))
        .strict()
        .build()
        .expect("a registry");
    let store = Store::with_registry(db.store().await.pool().clone(), registry);
    done(&store, async |session| session.save(&story(1, "draft")).await).await;
    let quiet = Story { title: "loud".to_owned(), ..story(1, "draft") };
    let error = in_session(&store, async |session| session.save(&quiet).await).await;
    assert_eq!(
        error.expect_err("not registered").to_string(),
        "the action `edit` of `story:1` cannot be recorded: `verb`: `edit` is not registered for `story`; known are \
         `create`"
    );
    let titles: Vec<String> = value(&db, "SELECT array_agg(title) FROM newsroom.article").await;
    assert_eq!(titles, ["Story 1"]);
    check_log(&db).await;
}

/// A model whose id is not its key: nobody would find its actions again.
#[derive(Serialize, Deserialize)]
struct Astray {
    id: i64,
    title: String,
}

impl Resource for Astray {
    fn resource(&self) -> ResourceRef {
        resource("story:astray")
    }
}
impl Model for Astray {
    const TABLE: &'static str = "newsroom.article";
    const KEY: &'static str = "id";
}
impl Hook for Astray {}

#[tokio::test]
async fn id_of_a_model_must_be_its_key() {
    let (_db, store) = newsroom().await;
    let astray = Astray { id: 1, title: "x".to_owned() };
    let error = in_session(&store, async |session| session.save(&astray).await).await;
    assert_eq!(
        error.map(drop).expect_err("refused").to_string(),
        "model of `newsroom.article`: `Resource::resource` gives another id than the column `id` of its row has"
    );
}
