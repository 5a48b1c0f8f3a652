//! What a credential stands for.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::error::quote;
use crate::resource::{Named, Tenant};
use crate::store::Store;
use crate::stream::{Reader, Sight};

/// What a credential allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Read streams, feeds, histories and searches, page by page, and follow them live.
    EventsRead,
    /// Read whole results at once, as a file.
    EventsExport,
    /// Append actions.
    EventsWrite,
    /// Follow and unfollow for others than oneself.
    FeedsManage,
    /// Make, list and revoke keys of the tenant.
    KeysManage,
    /// Read the server's metrics.
    MetricsRead,
    /// See which actions can be run on what.
    ActionsRead,
    /// Select objects, and plan and run actions over them.
    ActionsRun,
    /// Read runs, and follow them live.
    RunsRead,
    /// Cancel runs.
    RunsCancel,
    /// Change roles, and who is a member of them.
    RolesManage,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 11] = [
        Self::EventsRead,
        Self::EventsExport,
        Self::EventsWrite,
        Self::FeedsManage,
        Self::KeysManage,
        Self::MetricsRead,
        Self::ActionsRead,
        Self::ActionsRun,
        Self::RunsRead,
        Self::RunsCancel,
        Self::RolesManage,
    ];

    /// Its name, as in `events:read`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsRead => "events:read",
            Self::EventsExport => "events:export",
            Self::EventsWrite => "events:write",
            Self::FeedsManage => "feeds:manage",
            Self::KeysManage => "keys:manage",
            Self::MetricsRead => "metrics:read",
            Self::ActionsRead => "actions:read",
            Self::ActionsRun => "actions:run",
            Self::RunsRead => "runs:read",
            Self::RunsCancel => "runs:cancel",
            Self::RolesManage => "roles:manage",
        }
    }

    /// Whether it allows what somebody's roles allow, as whom a key's requests are recorded.
    pub(super) const fn is_by_roles(self) -> bool {
        matches!(
            self,
            Self::ActionsRead
                | Self::ActionsRun
                | Self::RunsRead
                | Self::RunsCancel
                | Self::RolesManage
        )
    }

    /// What it allows, in a few words.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::EventsRead => {
                "read streams, feeds, histories and searches, page by page, and follow them live"
            }
            Self::EventsExport => "read whole results at once, as a file",
            Self::EventsWrite => "append actions",
            Self::FeedsManage => "follow and unfollow for others than oneself",
            Self::KeysManage => "make, list and revoke keys of the tenant",
            Self::MetricsRead => "read the server's metrics",
            Self::ActionsRead => "see which actions can be run on what",
            Self::ActionsRun => "select objects, and plan and run actions over them",
            Self::RunsRead => "read runs, and follow them live",
            Self::RunsCancel => "cancel runs",
            Self::RolesManage => "change roles, and who is a member of them",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given} is no scope; known are {}", Scope::ALL.map(Scope::as_str).join(", "))]
pub struct UnknownScope {
    given: String,
}

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| UnknownScope { given: quote(text) })
    }
}

/// By what somebody is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// A key, by the part of it that is no secret.
    Key(String),
    /// A reverse proxy that is trusted to say who it is.
    Proxy,
}

/// Who asks, for which tenant, and what they may do there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The tenant that all of it happens in; none for a credential of all tenants, whose requests name one.
    pub tenant: Option<Tenant>,
    /// Who asks: the actor of what a request itself is recorded as.
    pub who: Named,
    /// Whether `who` is the actor of everything that is appended; otherwise each action names its own.
    pub is_actor: bool,
    /// What may be done.
    pub scopes: Vec<Scope>,
    /// What may be seen.
    pub sight: Sight,
    /// Roles that a trusted proxy says they have, beside those that they are a member of.
    pub groups: Vec<String>,
    /// Requests a minute; none for what the server allows by default.
    pub quota: Option<NonZeroU32>,
    /// By what they are known.
    pub via: Via,
}

impl Identity {
    /// Whether something may be done.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// A reader of a tenant that sees what this identity may see. The tenant is the identity's, or, where it has none,
    /// the one that the request names.
    #[must_use]
    pub fn reader(&self, store: &Store, tenant: Tenant) -> Reader {
        Reader::new(store, tenant).seeing(self.sight.clone())
    }
}
