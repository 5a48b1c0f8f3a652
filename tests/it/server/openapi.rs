//! The document of the API: written down, about every path and no other, and true of its own examples.
//!
//! `schema/openapi.json` is what the server answers. After a change write it anew and look at the diff:
//! `BLESS=1 cargo test --test it document_is_the_one_that_is_written_down`

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::Method;
use gesta::server::{Kind, Settings};
use serde_json::{Value, json};

use super::rig::{ADMIN, Rig};
use super::runs::catalog;
use crate::support::{TestDb, database};

/// Keys of a path that are operations.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// A server, and its database, which is gone when it is dropped.
async fn rig() -> (TestDb, Rig) {
    let db = database().await;
    let settings = Settings { catalog: catalog(), ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    (db, rig)
}

async fn document(rig: &Rig) -> Value {
    rig.get("/openapi.json").await.json()
}

/// Path, method and operation of each.
fn operations(document: &Value) -> impl Iterator<Item = (&String, &'static str, &Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.flat_map(|(path, item)| {
        METHODS.into_iter().filter_map(move |method| Some((path, method, item.get(method)?)))
    })
}

/// What a reference leads to.
fn target<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value.get("$ref") else { return value };
    let pointer = reference.as_str().expect("a text").trim_start_matches('#');
    document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"))
}

/// A path that leads to the operation: what stands for a parameter is an example of it.
fn concrete(path: &str) -> String {
    let known = [
        ("{slug}", "internal"),
        ("actions/{name}", "actions/publish"),
        ("{format}", "json"),
        ("type}", "issue"),
        ("{follower_issue", "issue"),
        ("{issue", "issue"),
    ];
    let path = known.iter().fold(path.to_owned(), |path, (name, word)| path.replace(name, word));
    let part = |part: &str| match part.strip_prefix('{').and_then(|it| it.split_once('}')) {
        Some((_, verb)) => format!("70{verb}"),
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn document_is_the_one_that_is_written_down() {
    let (_db, rig) = rig().await;
    let now = rig.get("/openapi.json").await.text().to_owned() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/openapi.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &now).expect("schema/openapi.json is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = written.lines().zip(now.lines()).find(|(a, b)| a != b);
    assert!(
        written == now,
        "schema/openapi.json is not what the server answers; the first difference: {differs:#?}\n\
         write it anew with: BLESS=1 cargo test --test it document_is_the_one_that_is_written_down"
    );
}

#[tokio::test]
async fn document_names_the_base_path() {
    let db = database().await;
    let settings = Settings { base_path: "/audit".parse().expect("a path"), ..Settings::default() };
    let rig = Rig::start_with(&db, settings).await;
    let document = rig.get("/audit/openapi.json").await.json();
    assert_eq!(document["servers"], json!([{"url": "/audit"}]));
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
}

/// The server says which methods a path has where it is asked for another one.
#[tokio::test]
async fn each_path_of_the_document_has_the_methods_that_it_says() {
    let (_db, rig) = rig().await;
    let document = document(&rig).await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let answer = rig.send(Method::TRACE, &concrete(path), &[], "").await;
        answer.problem(405, "method-not-allowed");
        let mut allowed: BTreeSet<_> =
            answer.header("allow").split(',').map(str::to_lowercase).collect();
        allowed.remove("head");
        let told: BTreeSet<_> =
            METHODS.into_iter().filter(|it| item.get(it).is_some()).map(str::to_owned).collect();
        assert_eq!(allowed, told, "{path}");
    }
}

/// `Routes` takes a path only together with its description, so nothing may go around it.
#[test]
fn routes_are_added_in_one_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let mut folders = vec![folder.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a text");
            // What tests add is no part of the API.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let ways = [".route(", ".route_service(", ".nest_service(", ".merge("];
            if ways.iter().any(|way| text.contains(way)) {
                found.push(path.file_name().expect("a name").to_owned());
            }
        }
    }
    assert_eq!(found, ["routes.rs"]);
}

#[tokio::test]
async fn every_operation_says_all_that_there_is_to_know() {
    let (_db, rig) = rig().await;
    let document = document(&rig).await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{place}");
        assert!(ids.insert(operation["operationId"].as_str().expect("an id")), "{place}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let parameters: Vec<_> = parameters.iter().map(|it| target(&document, it)).collect();
        for parameter in &parameters {
            assert!(
                parameter["description"].is_string() && parameter["schema"].is_object(),
                "{place}"
            );
        }
        let in_path = parameters.iter().filter(|it| it["in"] == "path").count();
        assert_eq!(in_path, path.matches('{').count(), "{place}");
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let response = target(&document, response);
            assert!(response["headers"]["X-Request-Id"].is_object(), "{place} {status}");
            let problem = &response["content"]["application/problem+json"];
            assert_eq!(status.starts_with(['4', '5']), problem.is_object(), "{place} {status}");
        }
        let is_secured = operation["security"].is_array();
        assert_eq!(is_secured, operation["responses"]["401"].is_object(), "{place}");
        assert!(is_secured || !path.starts_with("/api/"), "{place}");
    }
    let examples = document["components"]["examples"].as_object().expect("examples");
    for kind in Kind::ALL {
        assert!(examples.contains_key(kind.slug()), "{}", kind.slug());
    }
}

/// Every content of the document, wherever it stands: what has a schema and examples.
fn contents<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Value)>) {
    if let Some(map) = value.as_object() {
        if map.contains_key("schema") && map.contains_key("examples") {
            found.push((place.to_owned(), value));
        }
        for (name, value) in map {
            contents(value, &format!("{place}/{name}"), found);
        }
    }
}

#[tokio::test]
async fn examples_are_of_their_schemas() {
    let (_db, rig) = rig().await;
    let document = document(&rig).await;
    let mut all = Vec::new();
    contents(&document, "", &mut all);
    assert!(all.len() > 50, "{}", all.len());
    for (place, content) in all {
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema);
        let validator = validator.expect("a schema whose references lead somewhere");
        for (name, example) in content["examples"].as_object().expect("examples") {
            let value = &target(&document, example)["value"];
            let error = validator.iter_errors(value).next().map(|error| error.to_string());
            assert_eq!(error, None, "{place} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn examples_of_bodies_are_accepted() {
    let (_db, rig) = rig().await;
    let document = document(&rig).await;
    let key = rig.bearer(ADMIN);
    let mut sent = 0;
    for (path, method, operation) in operations(&document) {
        let contents = operation["requestBody"]["content"].as_object();
        for (media, content) in contents.into_iter().flatten() {
            for (name, example) in content["examples"].as_object().into_iter().flatten() {
                let value = &example["value"];
                let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let headers = [
                    ("authorization", key.as_str()),
                    ("x-gesta-tenant", "default"),
                    ("content-type", media),
                ];
                let method = method.to_uppercase().parse().expect("a method");
                let answer = rig.send(method, &concrete(path), &headers, body).await;
                assert!(answer.status.is_success(), "{path} {media} {name}: {answer:?}");
                let told = &operation["responses"][answer.status.as_str()];
                assert!(told.is_object(), "{path} {media} {name}: {}", answer.status);
                sent += 1;
            }
        }
    }
    assert!(sent >= 9, "{sent}");
}
