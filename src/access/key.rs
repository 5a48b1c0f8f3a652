//! A key that is to be made, and what is known of one that was.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};

use super::error::KeyError;
use super::identity::{Identity, Scope};
use crate::action::Audience;
use crate::error::quote;
use crate::resource::{Named, Resource, Tenant};
use crate::stream::Sight;

/// Bytes of a key's name: people read it in a list.
pub const KEY_NAME_LEN_MAX: usize = 255;

/// A key that is to be made. By default for the tenant `default`, without scopes, sees what is `public`, does not expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    pub(super) tenant: Option<Tenant>,
    pub(super) name: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) sight: Sight,
    pub(super) who: Named,
    pub(super) is_actor: bool,
    pub(super) quota: Option<NonZeroU32>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl NewKey {
    /// A key that people call by this name, up to 255 bytes, and whose requests are recorded as somebody's. What is
    /// appended with it names its own actors.
    #[must_use]
    pub fn new(name: impl Into<String>, who: &(impl Resource + ?Sized)) -> Self {
        Self {
            tenant: Some(Tenant::default()),
            name: name.into(),
            scopes: Vec::new(),
            sight: Sight::default(),
            who: who.to_named(),
            is_actor: false,
            quota: None,
            expires_at: None,
        }
    }

    /// For this tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// For all tenants: each request names one. Only the database's operator can make such a key.
    #[must_use]
    pub fn all_tenants(mut self) -> Self {
        self.tenant = None;
        self
    }

    /// May do this.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = scopes.into_iter().collect();
        self.scopes.sort_unstable();
        self.scopes.dedup();
        self
    }

    /// Sees what has one of these labels; `public` is not among them unless it is named.
    #[must_use]
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.sight = Sight::Labels(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Sees everything.
    #[must_use]
    pub fn auditor(mut self) -> Self {
        self.sight = Sight::Everything;
        self
    }

    /// Is itself the actor of everything that is appended with it.
    #[must_use]
    pub fn acting(mut self) -> Self {
        self.is_actor = true;
        self
    }

    /// May make so many requests a minute.
    #[must_use]
    pub fn quota(mut self, quota: NonZeroU32) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Is refused from then on.
    #[must_use]
    pub fn expires_at(mut self, time: DateTime<Utc>) -> Self {
        self.expires_at = Some(time);
        self
    }

    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<(), KeyError> {
        let invalid = |field, problem| Err(KeyError::Invalid { field, problem });
        let name = &self.name;
        if name.is_empty() || name.len() > KEY_NAME_LEN_MAX || name.chars().any(char::is_control) {
            let allowed = format!("give 1 to {KEY_NAME_LEN_MAX} bytes without control characters");
            return invalid("name", format!("{}; {allowed}", quote(name)));
        }
        if self.scopes.is_empty() {
            let all = Scope::ALL.map(Scope::as_str).join(", ");
            return invalid("list of scopes", format!("it is empty; give one or more of {all}"));
        }
        if let Some(time) = self.expires_at.filter(|&time| time <= now) {
            return invalid("end", format!("{} is past; give a later time", time.to_rfc3339()));
        }
        if let Some(problem) = self.who.name.as_deref().filter(|name| name.contains('\0')) {
            return invalid("actor", format!("{} contains a NUL", quote(problem)));
        }
        match &self.sight {
            Sight::Everything => Ok(()),
            Sight::Labels(labels) => match Audience::labels(labels.iter().cloned()).check() {
                Ok(()) => Ok(()),
                Err(problem) => invalid("list of labels", problem.to_string()),
            },
        }
    }
}

impl Identity {
    /// Whether somebody may make this key: nobody gives what they do not have. Whom the key's requests are recorded as is
    /// free here: that the key was made, by whom and for whom, is in the log. What the roles allow of them, which only the
    /// database knows, is compared by [`super::Keys::create_as`].
    ///
    /// # Errors
    /// Names what the key would have and its maker has not.
    pub fn may_make(&self, key: &NewKey) -> Result<(), KeyError> {
        let missing = |scope: &&Scope| !self.may(**scope);
        if !self.may(Scope::KeysManage) {
            return Err(KeyError::Scope(Scope::KeysManage));
        }
        if let Some(scope) = key.scopes.iter().find(missing) {
            return Err(KeyError::Scope(*scope));
        }
        if self.tenant.is_some() && self.tenant != key.tenant {
            return Err(KeyError::Tenant);
        }
        match (&self.sight, &key.sight) {
            (Sight::Everything, _) => Ok(()),
            (Sight::Labels(own), Sight::Labels(given))
                if given.iter().all(|label| own.contains(label)) =>
            {
                Ok(())
            }
            _ => Err(KeyError::Sight),
        }
    }
}

/// What is known of a key. The secret is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The part that is no secret.
    pub id: String,
    /// The tenant that it is for; none for all.
    pub tenant: Option<Tenant>,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What it sees.
    pub sight: Sight,
    /// Whom its requests are recorded as.
    pub who: Named,
    /// Whether that is the actor of everything that is appended with it.
    pub is_actor: bool,
    /// Requests a minute; none for what the server allows by default.
    pub quota: Option<NonZeroU32>,
    /// When it was made, by the database's clock.
    pub created_at: DateTime<Utc>,
    /// Who made it, as `TYPE:ID`.
    pub created_by: String,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, by the database's clock.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<DateTime<Utc>>,
}
