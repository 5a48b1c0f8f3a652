//! What became of each action of a batch, in the order given.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::entries::{JSON, NDJSON, Place};
use super::openapi::text::{action_id, named, word};
use super::problem::{Fault, Problem};
use super::reply::JsonReply;
use crate::action::ActionId;

/// What became of an action.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is stored.
    Created(ActionId),
    /// The same action was there already.
    Duplicate(ActionId),
    /// Another action has this id.
    Conflict(ActionId),
    /// It cannot be stored as it is.
    Invalid(Fault),
    /// It could be stored; nothing was.
    Valid,
    /// The database did not do it; it may be stored or not. To send it again with this id is safe.
    Failed(ActionId),
}

impl Fate {
    /// All words, for the document.
    const WORDS: [&str; 6] = ["created", "duplicate", "conflict", "invalid", "valid", "failed"];

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Duplicate(_) => "duplicate",
            Self::Conflict(_) => "conflict",
            Self::Invalid(_) => "invalid",
            Self::Valid => "valid",
            Self::Failed(_) => "failed",
        }
    }

    fn id(&self) -> Option<ActionId> {
        match self {
            Self::Created(id) | Self::Duplicate(id) | Self::Conflict(id) | Self::Failed(id) => {
                Some(*id)
            }
            Self::Invalid(_) | Self::Valid => None,
        }
    }
}

/// What became of an action, and where it stands.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) fate: Fate,
}

/// `{"line": 3, "status": "invalid", "error": {…}}`
impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_map(None)?;
        match self.place {
            Place::Line(line) => form.serialize_entry("line", &line)?,
            Place::Index(index) => form.serialize_entry("index", &index)?,
        }
        form.serialize_entry("status", self.fate.word())?;
        if let Some(id) = self.fate.id() {
            form.serialize_entry("id", &id)?;
        }
        if let Fate::Invalid(fault) = &self.fate {
            form.serialize_entry("error", fault)?;
        }
        form.end()
    }
}

/// All of a batch.
#[derive(Debug)]
pub(super) struct Results(pub(super) Vec<Item>);

/// `{"counts": {"created": 2, …}, "items": […]}`
impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_map(Some(2))?;
        form.serialize_entry("counts", &self.counts())?;
        form.serialize_entry("items", &self.0)?;
        form.end()
    }
}

impl ToSchema for Results {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Item::name().into_owned(), Item::schema()));
        schemas.push((Fault::name().into_owned(), Fault::schema()));
    }
}

impl PartialSchema for Results {
    fn schema() -> RefOr<Schema> {
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let counts = ObjectBuilder::new().property_names(Some(word(Fate::WORDS)));
        let counts = counts.additional_properties(Some(count));
        let form = ObjectBuilder::new()
            .description(Some("What became of each action of a batch, in the order given."))
            .property("counts", counts.description(Some("How many there are of each status.")))
            .property("items", ArrayBuilder::new().items(named::<Item>()))
            .required("counts")
            .required("items");
        Schema::from(form).into()
    }
}

impl ToSchema for Item {}

impl PartialSchema for Item {
    fn schema() -> RefOr<Schema> {
        let number = |min: u8, description: &str| {
            let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min));
            number.description(Some(description))
        };
        let status = "`created`; `duplicate`: the same action was there already; `conflict`: another one has this id; `invalid`: \
                      `error` says why; `valid`: it could be stored, and nothing was; `failed`: stored or not, so send it \
                      again with this id.";
        let form = ObjectBuilder::new()
            .description(Some("What became of an action."))
            .property("line", number(1, "The line it stands in, of lines."))
            .property("index", number(0, "Its place, of an array."))
            .property("status", word(Fate::WORDS).description(Some(status)))
            .property("id", action_id().description(Some("Its id, where it has one.")))
            .property("error", named::<Fault>())
            .required("status");
        Schema::from(form).into()
    }
}

impl Results {
    /// Two actions of which the second is refused: as a document, and as lines.
    pub(super) fn examples(word: &str) -> (serde_json::Value, String) {
        let id = (word == "created").then_some("01935b3e-7a52-7b1e-9c54-0e4a5d1f2b3c");
        let fault = Fault::pointer("/verb", "missing", "`verb`: missing field `verb`");
        let item = |place: &str, number: u8| {
            let mut good = serde_json::json!({place: number, "status": word});
            if let Some(id) = id {
                good["id"] = id.into();
            }
            [good, serde_json::json!({place: number + 1, "status": "invalid", "error": fault})]
        };
        let lines = item("line", 1).map(|item| format!("{item}\n")).concat();
        (serde_json::json!({"counts": {word: 1, "invalid": 1}, "items": item("index", 0)}), lines)
    }

    /// How many there are of each fate that there is.
    pub(super) fn counts(&self) -> std::collections::BTreeMap<&'static str, u64> {
        let mut counts = std::collections::BTreeMap::new();
        for item in &self.0 {
            *counts.entry(item.fate.word()).or_default() += 1;
        }
        counts
    }

    /// As a document, or one line each.
    pub(super) fn reply(&self, media: &str) -> axum::response::Response {
        if media == JSON {
            return JsonReply(self).into_response();
        }
        let mut lines = Vec::with_capacity(self.0.len() * 96);
        for item in &self.0 {
            if let Err(error) = serde_json::to_writer(&mut lines, item) {
                return Problem::internal(&error).into_response();
            }
            lines.push(b'\n');
        }
        let mut response = Response::new(Body::from(lines));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        response
    }
}
