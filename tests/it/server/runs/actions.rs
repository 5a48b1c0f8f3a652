//! What is offered, to whom.

use serde_json::json;

use super::Newsroom;
use crate::server::rig::{ADMIN, EDITOR, READER};

#[tokio::test]
async fn everybody_sees_what_they_may_run_and_nothing_else() {
    let room = Newsroom::open().await;
    let types = room.read(EDITOR, "/resources").await.json();
    let kinds: Vec<_> =
        types["items"].as_array().expect("types").iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["article", "issue"]);
    assert_eq!(types["items"][0]["plural"], "articles");
    let names = async |key: &str, path: &str| -> Vec<String> {
        let list = room.read(key, path).await.json();
        let items = list["items"].as_array().expect("actions").clone();
        items.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
    };
    let path = "/resources/article/actions";
    assert_eq!(names(EDITOR, path).await, ["publish", "withdraw", "later"]);
    assert_eq!(
        names(EDITOR, &format!("{path}?place=list")).await,
        ["publish", "withdraw", "later"]
    );
    assert_eq!(names(EDITOR, &format!("{path}?place=object")).await, ["publish", "later"]);
    room.permit("service:admin", &["*"]).await;
    assert_eq!(names(ADMIN, path).await, ["publish", "withdraw", "kill", "later"]);
    room.read(READER, path).await.problem(403, "missing-scope");
    room.get("/api/v1/resources").await.problem(401, "unauthenticated");
    let slip = room.read(EDITOR, &format!("{path}?palce=list")).await;
    assert_eq!(slip.problem(400, "invalid-parameter")["errors"][0]["suggestion"], "place");
    room.read(EDITOR, &format!("{path}?place=page")).await.problem(400, "invalid-parameter");
    room.read(EDITOR, "/resources/nothing/actions").await.problem(404, "not-found");
}

#[tokio::test]
async fn action_documents_itself() {
    let room = Newsroom::open().await;
    let action = room.read(EDITOR, "/resources/article/actions/publish").await.json();
    assert_eq!(
        (&action["label"], &action["plural"]),
        (&json!("Publish article"), &json!("Publish articles"))
    );
    assert_eq!(action["about"], "Readers see them from then on.");
    assert_eq!(action["permissions"], json!(["article.publish"]));
    assert_eq!((&action["risk"], &action["undo"]), (&json!("none"), &json!("withdraw")));
    assert_eq!(action["places"], json!(["list", "object"]));
    let validator = jsonschema::validator_for(&action["input"]).expect("a schema");
    for example in action["examples"].as_array().expect("examples") {
        assert!(validator.is_valid(example), "{example}");
    }
    assert!(!validator.is_valid(&json!({"notfy": true})));
    assert_eq!(action["input"]["properties"]["secret"]["writeOnly"], true);
}
