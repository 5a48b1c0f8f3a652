//! What a path names: whose actions are listed.

use uuid::Uuid;

use crate::access::Read;
use crate::resource::{ResourceRef, ResourceType, Tenant};
use crate::search::{Query, Who};
use crate::server::Problem;
use crate::stream::{Role, StreamQuery};

/// Whose actions.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// All of the tenant.
    Tenant,
    /// What was done to a resource.
    Object(ResourceRef),
    /// What somebody did.
    Actor(ResourceRef),
    /// What was done in, to or for a resource.
    Target(ResourceRef),
    /// What a resource has to do with.
    Any(ResourceRef),
    /// What resources of a type have to do with.
    Type(ResourceType),
    /// What a run did.
    Run(Uuid),
    /// What those do whom somebody follows.
    Feed(ResourceRef),
}

impl Subject {
    /// The stream; of a feed there is none.
    pub(super) fn stream(&self) -> Option<StreamQuery> {
        Some(match self {
            Self::Tenant => StreamQuery::tenant(),
            Self::Object(resource) => StreamQuery::object(resource),
            Self::Actor(resource) => StreamQuery::actor(resource),
            Self::Target(resource) => StreamQuery::target(resource),
            Self::Any(resource) => StreamQuery::any(resource),
            Self::Type(kind) => StreamQuery::of_type(kind.clone()),
            Self::Run(run) => StreamQuery::run(*run),
            Self::Feed(_) => return None,
        })
    }

    /// The same as a search, of a type perhaps in one role only; nothing where everything is asked for.
    pub(super) fn search(&self, role: Option<Role>) -> Option<Query> {
        let who = match role {
            Some(Role::Actor) => Who::Actor,
            Some(Role::Object) => Who::Object,
            Some(Role::Target) => Who::Target,
            None => Who::About,
        };
        match self {
            Self::Tenant | Self::Feed(_) => None,
            Self::Object(resource) => Some(Query::of(Who::Object, resource)),
            Self::Actor(resource) => Some(Query::of(Who::Actor, resource)),
            Self::Target(resource) => Some(Query::of(Who::Target, resource)),
            Self::Any(resource) => Some(Query::about(resource)),
            Self::Type(kind) => Some(Query::of_type(who, kind)),
            Self::Run(run) => Some(Query::run(*run)),
        }
    }

    /// The resource that it is about.
    pub(super) fn resource(&self) -> Option<&ResourceRef> {
        match self {
            Self::Object(resource)
            | Self::Actor(resource)
            | Self::Target(resource)
            | Self::Any(resource)
            | Self::Feed(resource) => Some(resource),
            Self::Tenant | Self::Type(_) | Self::Run(_) => None,
        }
    }

    /// What is told of it in the log.
    pub(super) fn read(&self, tenant: &Tenant, query: &str) -> Result<Read, Problem> {
        match self.resource() {
            Some(resource) => Ok(Read::of(resource, query)),
            None => Read::search(tenant, query).map_err(|error| Problem::internal(&error)),
        }
    }
}
