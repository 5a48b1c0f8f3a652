//! Requests of those who manage roles: refused to others before a body is read.

use std::collections::HashMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::form::name_schema;
use crate::access::{Refusal, Scope};
use crate::error::quote;
use crate::resource::ResourceRef;
use crate::role::{Giver, RoleError, RoleName};
use crate::server::openapi::text::text;
use crate::server::openapi::{Doc, Tag};
use crate::server::path::resource;
use crate::server::read::Reading;
use crate::server::reason::{self, REASON_LEN_MAX};
use crate::server::refusal::of_role;
use crate::server::{AppState, Kind, Pairs, Parameters, Path, Problem};

/// Somebody who manages roles.
#[derive(Clone, Debug)]
pub(crate) struct Manages(pub(super) Reading);

impl FromRequestParts<AppState> for Manages {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let reading = Reading::from_request_parts(parts, state).await?;
        reading.caller.require(Scope::RolesManage)?;
        reading.tenant()?;
        Ok(Self(reading))
    }
}

impl Manages {
    /// As one who gives what they have.
    pub(super) fn giver(&self, reason: Option<String>) -> Result<Giver, Problem> {
        self.0.caller.giver(reason)
    }

    /// Why it is not done; that somebody would give what they do not have is recorded.
    pub(super) fn refused(&self, error: RoleError) -> Problem {
        if let RoleError::Exceeds { permission } = &error {
            self.0.caller.denied("manage", Refusal::Permission(permission.clone()));
        }
        of_role(error)
    }
}

/// Somebody who manages the role that the path names.
#[derive(Clone, Debug)]
pub(crate) struct OfRole {
    pub(super) by: Manages,
    pub(super) name: RoleName,
}

impl FromRequestParts<AppState> for OfRole {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let by = Manages::from_request_parts(parts, state).await?;
        let name = part(parts, "name").await?;
        let wrong =
            |error| Problem::new(Kind::Malformed, format!("the path names no role: {error}"));
        Ok(Self { by, name: RoleName::new(name).map_err(wrong)? })
    }
}

/// The member that the path names.
#[derive(Clone, Debug)]
pub(crate) struct OfMember(pub(super) ResourceRef);

impl FromRequestParts<AppState> for OfMember {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        let (kind, id) = (part(parts, "type").await?, part(parts, "id").await?);
        resource(&kind, &id).map(Self)
    }
}

/// A part of the path by its name.
async fn part(parts: &mut Parts, name: &str) -> Result<String, Problem> {
    let Path(mut all) = Path::<HashMap<String, String>>::from_request_parts(parts, &()).await?;
    Ok(all.remove(name).unwrap_or_default())
}

/// Why, for what has no body.
#[derive(Debug)]
pub(crate) struct Reason(pub(super) Option<String>);

impl Parameters for Reason {
    const NAMES: &'static [&'static str] = &["reason"];

    fn read(pairs: &mut Pairs) -> Self {
        Self(pairs.read("reason", |text| match reason::check(text) {
            Ok(()) => Ok(text.to_owned()),
            Err(allowed) => Err(format!("{}; {allowed}", quote(text))),
        }))
    }
}

/// What the operations of a tenant's roles have in common.
pub(super) fn doc(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(Tag::Roles, id, summary).scope(Scope::RolesManage).in_tenant()
}

/// What those of one role have in common.
pub(super) fn role_doc(id: &'static str, summary: &'static str) -> Doc {
    doc(id, summary).path("name", "The role's name, percent-encoded.", name_schema())
}

/// The reason of what has no body.
pub(super) fn with_reason(doc: Doc) -> Doc {
    doc.query("reason", "Why, for the log.", text(REASON_LEN_MAX))
}
