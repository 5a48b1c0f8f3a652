//! Problem details (RFC 9457): what a request is refused with, or failed with.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::response::IntoResponse;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::status::Kind;
use super::suggest::nearest;
use crate::error::chain;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request was not done. `finish.rs` writes it out, with the id of the request.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    detail: Option<String>,
    faults: Vec<Fault>,
    headers: HeaderMap,
    cause: Option<String>,
    items: Option<serde_json::Value>,
    plan: Option<serde_json::Value>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    place: Place,
    /// Some bytes of the text there: how many stand before them, and how many they are.
    span: Option<Box<(usize, usize)>>,
    code: &'static str,
    detail: String,
    suggestion: Option<String>,
}

/// Where it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Pointer(String),
    Parameter(String),
    Header(&'static str),
    Offset(usize),
}

impl Fault {
    fn new(place: Place, code: &'static str, detail: impl Into<String>) -> Self {
        Self { place, span: None, code, detail: detail.into(), suggestion: None }
    }

    /// In a field of the body, by its JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(Place::Pointer(pointer.into()), code, detail)
    }

    /// In a parameter of the URL.
    #[must_use]
    pub fn parameter(
        name: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(Place::Parameter(name.into()), code, detail)
    }

    /// The same fault, of some bytes of the text there: how many stand before them, and how many they are. What may have
    /// been meant is to be put in their place.
    #[must_use]
    pub(super) fn span(self, offset: usize, len: usize, suggestion: Option<String>) -> Self {
        Self { span: Some(Box::new((offset, len))), suggestion, ..self }
    }

    /// In a header.
    #[must_use]
    pub fn header(name: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Place::Header(name), code, detail)
    }

    /// At a byte of a text, from 0.
    #[must_use]
    pub fn offset(offset: usize, code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Place::Offset(offset), code, detail)
    }

    /// The same fault, in a part of a larger document.
    #[must_use]
    pub(super) fn below(mut self, part: &str) -> Self {
        if let Place::Pointer(pointer) = &mut self.place {
            pointer.insert_str(0, part);
        }
        self
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What was probably meant instead of a word, among those that are known.
    #[must_use]
    pub fn meant<'a>(mut self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.suggestion = nearest(given, known);
        self
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = serializer.serialize_map(None)?;
        match &self.place {
            Place::Pointer(pointer) => form.serialize_entry("pointer", pointer)?,
            Place::Parameter(name) => form.serialize_entry("parameter", name)?,
            Place::Header(name) => form.serialize_entry("header", name)?,
            Place::Offset(offset) => form.serialize_entry("offset", offset)?,
        }
        if let Some((offset, len)) = self.span.as_deref() {
            form.serialize_entry("offset", offset)?;
            form.serialize_entry("len", len)?;
        }
        form.serialize_entry("code", self.code)?;
        form.serialize_entry("detail", &self.detail)?;
        if let Some(suggestion) = &self.suggestion {
            form.serialize_entry("suggestion", suggestion)?;
        }
        form.end()
    }
}

impl Problem {
    /// A problem of this kind, of which nothing more is to be said.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let (headers, faults) = (HeaderMap::new(), Vec::new());
        let parts =
            Parts { kind, detail: None, faults, headers, cause: None, items: None, plan: None };
        Self(Box::new(parts))
    }

    /// A problem of this kind, and what it is here: for whoever sent the request.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let mut problem = Self::of(kind);
        problem.0.detail = Some(detail.into());
        problem
    }

    /// A problem that is one fault of the request.
    #[must_use]
    pub fn fault(kind: Kind, fault: Fault) -> Self {
        Self::faults(kind, vec![fault])
    }

    /// A problem that is some faults of the request; the first one is its detail.
    #[must_use]
    pub fn faults(kind: Kind, faults: Vec<Fault>) -> Self {
        let mut problem = Self::of(kind);
        problem.0.detail = faults.first().map(|fault| fault.detail.clone());
        problem.0.faults = faults;
        problem
    }

    /// A failure of the server's own.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::of(Kind::Internal).cause(error)
    }

    /// Why it failed: for the log only.
    #[must_use]
    pub fn cause(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        self.0.cause = Some(chain(error));
        self
    }

    /// The same, where there is only a text.
    #[must_use]
    pub(super) fn cause_text(mut self, text: String) -> Self {
        self.0.cause = Some(text);
        self
    }

    /// The same problem, told as another one: its cause stays.
    #[must_use]
    pub(super) fn told_as(mut self, kind: Kind, detail: impl Into<String>) -> Self {
        (self.0.kind, self.0.detail) = (kind, Some(detail.into()));
        self
    }

    /// A header of the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// What is wrong with each item of a batch, or which objects it is about.
    #[must_use]
    pub(super) fn items(mut self, items: serde_json::Value) -> Self {
        self.0.items = Some(items);
        self
    }

    /// What would happen, where it is to be confirmed.
    #[must_use]
    pub(super) fn plan(mut self, plan: serde_json::Value) -> Self {
        self.0.plan = Some(plan);
        self
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(super) fn cause_for_log(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The body, with the path that all paths begin with, and the id of the request.
    pub(super) fn body(&self, base_path: &str, request_id: Option<&str>) -> Vec<u8> {
        let form = Form {
            kind: format!("{base_path}/docs/problems/{}", self.0.kind.slug()),
            title: self.0.kind.title(),
            status: self.0.kind.status().as_u16(),
            detail: self.0.detail.as_deref(),
            instance: request_id,
            errors: &self.0.faults,
            items: self.0.items.as_ref(),
            plan: self.0.plan.as_ref(),
        };
        serde_json::to_vec(&form).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Form<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a serde_json::Value>,
}

impl IntoResponse for Problem {
    /// The body is written by `finish.rs`, which knows the request.
    fn into_response(mut self) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.kind.status();
        *response.headers_mut() = std::mem::take(&mut self.0.headers);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response.extensions_mut().insert(self);
        response
    }
}
