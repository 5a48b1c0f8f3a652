//! `GET /events/{id}/diff`: what an action changed, as pairs, as a JSON Patch (RFC 6902), or as lines for people.
//!
//! A patch takes the object's fields from what they were to what they became: null means that a field is not there, so
//! one that was null is added and one that becomes null is removed. A value that the log masks is a text like any other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Scope;
use crate::action::{Action, ActionId};
use crate::error::{quote, visible};
use crate::json::Json;
use crate::server::openapi::text::{action_id, word};
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::path::ActionPath;
use crate::server::read::Reading;
use crate::server::status::OK;
use crate::server::{JsonReply, Kind, Pairs, Parameters, Problem, Query};

const PATCH: HeaderValue = HeaderValue::from_static("application/json-patch+json");
const LINES: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// In which form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Fields,
    Patch,
    Unified,
}

impl Form {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "fields",
            Self::Patch => "json-patch",
            Self::Unified => "unified",
        }
    }
}

impl Parameters for Form {
    const NAMES: &'static [&'static str] = &["format"];

    fn read(pairs: &mut Pairs) -> Self {
        let form = pairs.read("format", |text| {
            let known = [Self::Fields, Self::Patch, Self::Unified];
            let form = known.into_iter().find(|form| form.as_str() == text);
            form.ok_or_else(|| format!("{} is none of fields, json-patch, unified", quote(text)))
        });
        form.unwrap_or(Self::Fields)
    }
}

/// Old and new values by field, to their last digit.
type Changes = BTreeMap<String, (Json, Json)>;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Changes)]
struct FieldsForm {
    event: ActionId,
    fields: BTreeMap<String, PairForm>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
struct PairForm {
    old: Json,
    new: Json,
}

/// An operation of RFC 6902.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PatchOperation)]
struct Operation {
    op: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
}

pub(crate) fn doc() -> Doc {
    let fields = serde_json::json!({
        "event": "019aa1b2-3c4d-7e5f-8a6b-7c8d9e0f1a2b",
        "fields": {"status": {"old": "open", "new": "closed"}},
    });
    let patch = serde_json::json!([{"op": "replace", "path": "/status", "value": "closed"}]);
    let lines = "--- issue:70\n+++ issue:70\n-status: \"open\"\n+status: \"closed\"\n";
    let forms = word([Form::Fields, Form::Patch, Form::Unified].map(Form::as_str));
    let media = [
        Media::json::<FieldsForm>(fields),
        Media::list::<Operation>("application/json-patch+json").example("one", patch),
        Media::text("text/plain", "Lines for people.").example("one", lines.into()),
    ];
    Doc::new(Tag::Events, "getEventDiff", "What an action changed")
        .scope(Scope::EventsRead)
        .in_tenant()
        .path("id", "The action's id.", action_id())
        .query("format", "In which form.", forms.default(Some("fields".into())))
        .answers(OK, "Pairs of values, a JSON Patch (RFC 6902), or lines.", media)
        .problems([Kind::NotFound])
}

pub(crate) async fn get(
    reading: Reading,
    ActionPath(id): ActionPath,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    let reader = reading.reader(Scope::EventsRead)?;
    let told = [("format", form.as_str().to_owned())];
    let action = reading.action(&reader, id, &told).await?;
    let changes = changes(&action);
    let pair = |(old, new)| PairForm { old, new };
    Ok(match form {
        Form::Fields => {
            let fields = changes.into_iter().map(|(name, it)| (name, pair(it))).collect();
            JsonReply(FieldsForm { event: id, fields }).into_response()
        }
        Form::Patch => {
            let mut response = JsonReply(patch(changes)).into_response();
            response.headers_mut().insert(CONTENT_TYPE, PATCH);
            response
        }
        Form::Unified => {
            let mut response = Body::from(unified(&action, &changes)).into_response();
            response.headers_mut().insert(CONTENT_TYPE, LINES);
            response
        }
    })
}

/// What is of another form than pairs was not written by this crate, and says nothing of any field.
fn changes(action: &Action) -> Changes {
    let changes = action.changes.as_ref();
    changes.and_then(|changes| serde_json::from_str(changes.get()).ok()).unwrap_or_default()
}

fn is_null(json: &Json) -> bool {
    json.get() == "null"
}

fn patch(changes: Changes) -> Vec<Operation> {
    let operation = |(name, (old, new)): (String, (Json, Json))| {
        let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        match (is_null(&old), is_null(&new)) {
            (_, true) => Operation { op: "remove", path, value: None },
            (true, false) => Operation { op: "add", path, value: Some(new) },
            (false, false) => Operation { op: "replace", path, value: Some(new) },
        }
    };
    changes.into_iter().map(operation).collect()
}

/// A field on a line before and a line after; nothing breaks a line or moves a cursor.
fn unified(action: &Action, changes: &Changes) -> String {
    let object = action.object.as_ref().map(|object| object.resource.to_string());
    let object = object.unwrap_or_default();
    let mut text = String::new();
    for mark in ["---", "+++"] {
        let _ = writeln!(text, "{mark} {}", visible(&object));
    }
    for (name, (old, new)) in changes {
        for (mark, value) in [('-', old), ('+', new)] {
            if !is_null(value) {
                let _ = writeln!(text, "{mark}{}: {}", visible(name), visible(value.get()));
            }
        }
    }
    text
}
