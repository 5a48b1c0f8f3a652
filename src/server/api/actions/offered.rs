//! The action of a path, for who may run it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::access::{Denial, Refusal};
use crate::definition::{Asker, Catalog, Offer};
use crate::resource::{ResourceRef, ResourceType};
use crate::server::{Caller, Kind, Path, Problem};

/// `/resources/{type}/actions/{name}`
#[derive(Clone, Debug)]
pub(crate) struct ActionPath {
    /// The type, where it can be one.
    pub(crate) kind: Option<ResourceType>,
    pub(crate) name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for ActionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((kind, name)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        Ok(Self { kind: ResourceType::new(kind).ok(), name })
    }
}

/// What is offered there. That somebody asked for what they may not run is recorded as this attempt; nobody waits for that,
/// so the time of the answer says nothing either.
///
/// # Errors
/// 404, the same for what there is not and for what is not for them.
pub(crate) fn offer<'c>(
    attempt: &'static str,
    catalog: &'c Catalog,
    caller: &Caller,
    asker: &Asker,
    path: &ActionPath,
) -> Result<(ResourceType, Offer<'c>), Problem> {
    let none = || Problem::of(Kind::NotFound);
    let kind = path.kind.clone().ok_or_else(none)?;
    if let Some(offer) = catalog.find(asker, &kind, &path.name) {
        return Ok((kind, offer));
    }
    if let Some(definition) = catalog.known(&kind, &path.name) {
        let called = format!("{kind}.{}", definition.name);
        let denial = Denial::new(attempt, Refusal::Action(called.clone()));
        caller.record_denied(match ResourceRef::new("action", called) {
            Ok(object) => denial.object(&object),
            Err(_) => denial,
        });
    }
    Err(none())
}

/// A type whose objects somebody may select: at least one action is there for them.
///
/// # Errors
/// 404, the same for what there is not and for what is not for them.
pub(crate) fn type_of(
    catalog: &Catalog,
    asker: &Asker,
    kind: &str,
) -> Result<ResourceType, Problem> {
    let none = || Problem::of(Kind::NotFound);
    let kind = ResourceType::new(kind).map_err(|_| none())?;
    if catalog.resource(&kind).is_none() || !is_open(catalog, asker, &kind) {
        return Err(none());
    }
    Ok(kind)
}

/// Whether there is anything that somebody may run on objects of a type.
pub(super) fn is_open(catalog: &Catalog, asker: &Asker, kind: &ResourceType) -> bool {
    !catalog.all(asker, kind).is_empty()
}
