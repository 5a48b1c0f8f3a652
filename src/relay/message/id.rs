//! What actions are called in a stream.

use std::fmt;

use super::super::subject::unescape;
use crate::action::{Action, ActionId};
use crate::format::percent;
use crate::resource::Tenant;

/// What an action is called in a stream, which has those of all tenants: ids are unique within a tenant only.
///
/// Printed, it is the tenant, escaped as in subjects, a slash, and the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The tenant.
    pub tenant: Tenant,
    /// The action's id.
    pub id: ActionId,
}

impl MessageId {
    /// What an action is called.
    #[must_use]
    pub fn of(action: &Action) -> Self {
        Self { tenant: action.tenant.clone(), id: action.id }
    }

    /// Reads a message's header. Earlier versions wrote the id alone there; the subject has the tenant all the same.
    #[must_use]
    pub fn read(header: &str, subject: &str) -> Option<Self> {
        // Behind the tenant come lane, type, verb and object, none of which has a dot.
        let of_subject = || subject.rsplit('.').nth(4);
        let (tenant, id) = match header.split_once('/') {
            Some(parts) => parts,
            None => (of_subject()?, header),
        };
        Some(Self { tenant: Tenant::new(unescape(tenant)?).ok()?, id: id.parse().ok()? })
    }

    /// Whether a header says this, or the id alone as earlier versions did.
    pub(super) fn is(&self, header: &str) -> bool {
        header == self.to_string() || header == self.id.to_string()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        percent::write(f, self.tenant.as_str(), percent::is_token)?;
        write!(f, "/{}", self.id)
    }
}
