//! What an action is about: a type and an id, together the key of every stream.
//!
//! Types are short names of ours to choose (`issue`, `aws.IAMUser`); ids are whatever text the application's keys are in
//! their canonical form, and are stored exactly. `type:id` parses at the first colon, so a type holds none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::quote;

/// Bytes of a tenant's name. It is the first column of every key.
pub const TENANT_LEN_MAX: usize = 63;
/// Bytes of a resource type, as long as an identifier of PostgreSQL.
pub const TYPE_LEN_MAX: usize = 63;
/// Bytes of a resource id: real ids reach 1,758 characters, and a B-tree entry holds 2,704 bytes with the other columns.
pub const ID_LEN_MAX: usize = 2048;
/// Bytes of a display name; longer ones are cut, a name is no key.
pub const NAME_LEN_MAX: usize = 1024;

/// Why a tenant, a type or an id is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Nothing was given.
    #[error("{what} is empty; give 1 to {max} bytes")]
    Empty {
        /// `resource type`, `resource id` or `tenant`.
        what: &'static str,
        /// How many bytes are allowed.
        max: usize,
    },
    /// More was given than fits into a key.
    #[error("{what} {given} is too long; at most {max} bytes are allowed")]
    TooLong {
        /// `resource type`, `resource id` or `tenant`.
        what: &'static str,
        /// What was given, cut and quoted.
        given: String,
        /// How many bytes are allowed.
        max: usize,
    },
    /// A character that cannot stand there.
    #[error("{what} {given} contains {found:?}; {allowed}")]
    Character {
        /// `resource type`, `resource id` or `tenant`.
        what: &'static str,
        /// What was given, cut and quoted.
        given: String,
        /// The first character that is not allowed.
        found: char,
        /// What is allowed.
        allowed: &'static str,
    },
    /// No colon between type and id.
    #[error("{given} is not of the form TYPE:ID, such as `issue:70`")]
    NoColon {
        /// What was given, cut and quoted.
        given: String,
    },
}

/// Checks the length of a name, then each character.
fn check(
    what: &'static str,
    given: &str,
    max: usize,
    allowed: &'static str,
    is_allowed: fn(char) -> bool,
) -> Result<(), ResourceError> {
    if given.is_empty() {
        return Err(ResourceError::Empty { what, max });
    }
    if given.len() > max {
        return Err(ResourceError::TooLong { what, given: quote(given), max });
    }
    match given.chars().find(|&c| !is_allowed(c)) {
        Some(found) => Err(ResourceError::Character { what, given: quote(given), found, allowed }),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr, $allowed:literal, $is_allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the text and takes it.
            ///
            /// # Errors
            /// Says what was given and what is allowed.
            pub fn new(text: impl Into<String>) -> Result<Self, ResourceError> {
                let text = text.into();
                check($what, &text, $max, $allowed, $is_allowed)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ResourceError;
            fn try_from(text: String) -> Result<Self, ResourceError> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = ResourceError;
            fn from_str(text: &str) -> Result<Self, ResourceError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }
    };
}

name_type! {
    /// The unit of isolation: what belongs to one tenant is never seen by another. 1 to 63 bytes.
    Tenant, "tenant", TENANT_LEN_MAX, "control characters are not allowed", |c| !c.is_control()
}
name_type! {
    /// The type of a resource, such as `issue`: letters, digits, `_`, `.` and `-`, 1 to 63 bytes.
    ResourceType, "resource type", TYPE_LEN_MAX, "letters, digits, `_`, `.` and `-` are allowed",
    |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}
name_type! {
    /// The id of a resource inside its type, as canonical text: any characters but NUL, 1 to 2,048 bytes.
    ResourceId, "resource id", ID_LEN_MAX, "PostgreSQL cannot store it in a text", |c| c != '\0'
}

impl Default for Tenant {
    /// `default`, for those who have only one.
    fn default() -> Self {
        Self("default".into())
    }
}

/// Which resource: type and id, written `issue:70`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceRef {
    /// The type.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// The id inside the type.
    pub id: ResourceId,
}

impl ResourceRef {
    /// A reference from its two parts.
    ///
    /// # Errors
    /// When a part is empty, too long, or holds a character that it cannot.
    pub fn new(kind: &str, id: impl Into<String>) -> Result<Self, ResourceError> {
        Ok(Self { kind: ResourceType::new(kind)?, id: ResourceId::new(id)? })
    }

    /// Somebody of whom nothing is known.
    pub(crate) fn anonymous() -> Self {
        let name = || Box::from("anonymous");
        Self { kind: ResourceType(name()), id: ResourceId(name()) }
    }

    /// The reference with what the resource is called now.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Named {
        Named { resource: self, name: Some(cut(name.into())) }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

impl FromStr for ResourceRef {
    type Err = ResourceError;
    fn from_str(text: &str) -> Result<Self, ResourceError> {
        let (kind, id) =
            text.split_once(':').ok_or_else(|| ResourceError::NoColon { given: quote(text) })?;
        Self::new(kind, id)
    }
}

/// A resource and what it is called at this moment; the name is kept with the action and outlives the resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Which resource.
    pub resource: ResourceRef,
    /// What it is called, up to 1,024 bytes.
    pub name: Option<String>,
}

/// Cuts a name at its limit, between two characters.
pub(crate) fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(NAME_LEN_MAX));
    name
}

/// Anything that actions can be about: an application's record, or a plain [`ResourceRef`].
pub trait Resource {
    /// Which resource it is.
    fn resource(&self) -> ResourceRef;

    /// What people call it, if it has a name.
    fn name(&self) -> Option<String> {
        None
    }

    /// Both together.
    fn to_named(&self) -> Named {
        Named { resource: self.resource(), name: self.name().map(cut) }
    }
}

impl Resource for ResourceRef {
    fn resource(&self) -> ResourceRef {
        self.clone()
    }
}

impl Resource for Named {
    fn resource(&self) -> ResourceRef {
        self.resource.clone()
    }
    fn name(&self) -> Option<String> {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_parses_at_the_first_colon() {
        let file: ResourceRef = "file:curl/curl:docs/a.c".parse().expect("valid");
        assert_eq!((file.kind.as_str(), file.id.as_str()), ("file", "curl/curl:docs/a.c"));
        assert_eq!(file.to_string(), "file:curl/curl:docs/a.c");
    }

    #[test]
    fn refusals_say_what_was_given_and_what_is_allowed() {
        let error = |text: &str| text.parse::<ResourceRef>().expect_err(text).to_string();
        assert_eq!(error("issue"), "`issue` is not of the form TYPE:ID, such as `issue:70`");
        assert_eq!(error("issue:"), "resource id is empty; give 1 to 2048 bytes");
        assert!(
            error(&format!("issue:{}", "x".repeat(3000)))
                .ends_with("at most 2048 bytes are allowed")
        );
        assert_eq!(
            error("a b:1"),
            "resource type `a b` contains ' '; letters, digits, `_`, `.` and `-` are allowed"
        );
        assert_eq!(
            error("a:\0"),
            "resource id `\\u{0}` contains '\\0'; PostgreSQL cannot store it in a text"
        );
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("é".repeat(600)).len(), 1024);
        assert_eq!(cut("x".repeat(1023) + "é").len(), 1023);
    }
}
