//! What is answered where nothing is wrong.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;
use serde::Serialize;

use super::problem::Problem;
use super::status::{CREATED, NO_CONTENT, NOT_MODIFIED};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// About how many headers a response will have, for all of which there is room from the beginning.
const HEADERS: usize = 12;

/// A value as JSON.
#[derive(Clone, Debug)]
pub struct JsonReply<T>(pub T);

/// A new thing as JSON, and where it is.
#[derive(Clone, Debug)]
pub struct Created<T> {
    /// The thing.
    pub value: T,
    /// Its path, with the base path.
    pub location: String,
}

/// Done, and there is nothing to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = NO_CONTENT;
        response
    }
}

/// The client has it already.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotModified;

impl IntoResponse for NotModified {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = NOT_MODIFIED;
        response
    }
}

/// What is JSON already.
pub(super) fn json(body: Vec<u8>) -> axum::response::Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().reserve(HEADERS);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

impl<T: Serialize> IntoResponse for JsonReply<T> {
    fn into_response(self) -> axum::response::Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => json(body),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> axum::response::Response {
        let mut response = JsonReply(self.value).into_response();
        if response.status().is_success() {
            *response.status_mut() = CREATED;
        }
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}
