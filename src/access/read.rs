//! What was read, and why something was refused, as it stands in the log.

use serde_json::{Value, json};

use super::error::AccessError;
use super::identity::Scope;
use crate::error::quote;
use crate::resource::{Named, Resource, ResourceError, ResourceRef, Tenant};

/// Bytes of a query in the log; a longer one is cut.
pub const QUERY_LEN_MAX: usize = 8 << 10;

/// What somebody reads, or would like to: of what, which part, in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub(super) object: Named,
    pub(super) query: String,
    pub(super) format: &'static str,
    pub(super) count: Option<u64>,
}

impl Read {
    /// The stream, history or feed of a resource, which is the object of the action. The query is the text that gives the
    /// same result again, without cursor and page length: they tell pages apart, not what is read.
    #[must_use]
    pub fn of(object: &(impl Resource + ?Sized), query: &str) -> Self {
        let mut query = query.replace('\0', "\u{fffd}");
        if query.len() > QUERY_LEN_MAX {
            query.truncate(query.floor_char_boundary(QUERY_LEN_MAX - '…'.len_utf8()));
            query.push('…');
        }
        Self { object: object.to_named(), query, format: "json", count: None }
    }

    /// A search through the log of a tenant: the object is `log:TENANT`.
    ///
    /// # Errors
    /// Never for a tenant, whose name is shorter than an id may be.
    pub fn search(tenant: &Tenant, query: &str) -> Result<Self, ResourceError> {
        Ok(Self::of(&ResourceRef::new("log", tenant.as_str())?, query))
    }

    /// In this form; `json` without it.
    #[must_use]
    pub fn format(mut self, format: &'static str) -> Self {
        self.format = format;
        self
    }

    /// How many actions were shown, by the first page of several.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    pub(super) fn data(&self) -> Value {
        let mut data = json!({ "query": self.query, "format": self.format });
        if let Some(count) = self.count {
            data["count"] = json!(count);
        }
        data
    }
}

/// What somebody tried and was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub(super) attempt: &'static str,
    pub(super) refusal: Refusal,
    pub(super) object: Option<Named>,
    pub(super) tenant: Option<Tenant>,
}

impl Denial {
    /// What was tried, as a verb: `read`, `export`, `append`, `authenticate`; and why it was refused.
    #[must_use]
    pub fn new(attempt: &'static str, refusal: Refusal) -> Self {
        Self { attempt, refusal, object: None, tenant: None }
    }

    /// What it would have been done to.
    #[must_use]
    pub fn object(mut self, object: &(impl Resource + ?Sized)) -> Self {
        self.object = Some(object.to_named());
        self
    }

    /// The tenant that the request names; it counts for credentials of all tenants only.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The credential lacks a scope.
    Scope(Scope),
    /// The request is for another tenant, named like this.
    Tenant(String),
    /// The request is for another actor than the credential's, named like this.
    Actor(String),
    /// The caller may not run this action, `TYPE.NAME`.
    Action(String),
    /// A key that was to be made would see more than its maker.
    Sight,
    /// A key or a role was to give this permission, which the giver has not.
    Permission(String),
    /// The key is not known, or of another shape.
    Key,
    /// The key with this id has expired.
    Expired(String),
    /// The key with this id was revoked.
    Revoked(String),
    /// Somebody who is no trusted proxy says who asks, or a proxy says something strange.
    Proxy,
}

impl Refusal {
    /// The refusal of a credential; none where the database did not answer, which is nobody's fault.
    #[must_use]
    pub fn of(error: &AccessError) -> Option<Self> {
        Some(match error {
            AccessError::Malformed | AccessError::Unknown => Self::Key,
            AccessError::Expired { id } => Self::Expired(id.clone()),
            AccessError::Revoked { id } => Self::Revoked(id.clone()),
            AccessError::Untrusted { .. } | AccessError::Header { .. } => Self::Proxy,
            AccessError::Database(_) => return None,
        })
    }

    pub(super) fn data(&self) -> Value {
        match self {
            Self::Scope(scope) => json!({ "refused": "scope", "scope": scope.as_str() }),
            Self::Tenant(name) => json!({ "refused": "tenant", "tenant": quote(name) }),
            Self::Actor(name) => json!({ "refused": "actor", "actor": quote(name) }),
            Self::Action(name) => json!({ "refused": "action", "action": name }),
            Self::Sight => json!({ "refused": "sight" }),
            Self::Permission(name) => json!({ "refused": "permission", "permission": name }),
            Self::Key => json!({ "refused": "key" }),
            Self::Expired(id) => json!({ "refused": "expired", "key": id }),
            Self::Revoked(id) => json!({ "refused": "revoked", "key": id }),
            Self::Proxy => json!({ "refused": "proxy" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_of_any_length_can_be_stored() {
        let object = ResourceRef::new("issue", "70").expect("valid");
        let long = Read::of(&object, &"é\0".repeat(QUERY_LEN_MAX));
        assert!(long.query.len() <= QUERY_LEN_MAX && long.query.ends_with('…'));
        assert!(!long.query.contains('\0'));
        assert_eq!(Read::of(&object, "verb:close").query, "verb:close");
    }

    #[test]
    fn refused_tenant_is_quoted() {
        let data = Refusal::Tenant("x\n".repeat(100)).data();
        let text = data["tenant"].as_str().expect("a text");
        assert!(text.len() < 200 && !text.contains('\n'), "{text}");
    }
}
