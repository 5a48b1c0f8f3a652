//! `GET /openapi.json`: what this API is, for programs.

use axum::Extension;
use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::{Object, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::server::Query;
use crate::server::openapi::{Doc, Media, Tag};
use crate::server::status::OK;

/// The document, written out.
#[derive(Clone, Debug)]
pub(crate) struct Document(pub(crate) Bytes);

impl ToSchema for Document {}

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        Schema::from(Object::with_type(Type::Object)).into()
    }
}

pub(crate) fn doc() -> Doc {
    Doc::new(Tag::Meta, "openApi", "This document").text("OpenAPI 3.1.").answers(
        OK,
        "The document.",
        [Media::of::<Document>("application/json")],
    )
}

pub(crate) async fn get(
    Query(()): Query<()>,
    Extension(Document(document)): Extension<Document>,
) -> Response {
    let mut response = document.into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
