//! The parameters of a path, decoded exactly: an id may hold any characters, also `/` as `%2F`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::problem::{Fault, Problem};
use super::status::Kind;
use crate::action::ActionId;
use crate::error::quote;
use crate::resource::ResourceRef;

/// The parameters of a path, as [`axum::extract::Path`] reads them; what cannot be read is a [`Problem`].
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        check(parts.uri.path())?;
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                Err(Problem::new(Kind::Malformed, crate::error::visible(&text)))
            }
        }
    }
}

/// What is no percent encoding would stand for itself, and then two paths would name one thing.
fn check(path: &str) -> Result<(), Problem> {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    for (at, _) in path.match_indices('%') {
        if !path.get(at + 1..at + 3).is_some_and(is_digits) {
            let detail = format!("the path has a `%` without two hexadecimal digits at byte {at}");
            let fault = Fault::offset(at, "percent-encoding", detail);
            return Err(Problem::fault(Kind::Malformed, fault));
        }
    }
    Ok(())
}

/// A type and an id as a resource.
pub(super) fn resource(kind: &str, id: &str) -> Result<ResourceRef, Problem> {
    ResourceRef::new(kind, id).map_err(|error| {
        let detail = format!("the path names no resource: {error}");
        Problem::new(Kind::Malformed, detail)
    })
}

/// The resource of a path that ends, or goes on, after `{type}/{id}`.
#[derive(Clone, Debug)]
pub(super) struct ResourcePath(pub(super) ResourceRef);

impl<S: Send + Sync> FromRequestParts<S> for ResourcePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((kind, id)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        resource(&kind, &id).map(Self)
    }
}

/// The action of a path that ends, or goes on, after `{id}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActionPath(pub(super) ActionId);

impl<S: Send + Sync> FromRequestParts<S> for ActionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await?;
        let wrong = |_| {
            let detail =
                format!("the path names no action: {} is no UUID of version 7", quote(&id));
            Problem::new(Kind::Malformed, detail)
        };
        id.parse().map_err(wrong).map(Self)
    }
}

/// The UUID of a path that ends, or goes on, after `{id}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct UuidPath(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for UuidPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, state).await?;
        let wrong = |_| {
            let detail = format!("the path has an id that is no UUID: {}", quote(&id));
            Problem::new(Kind::NotFound, detail)
        };
        id.parse().map_err(wrong).map(Self)
    }
}
