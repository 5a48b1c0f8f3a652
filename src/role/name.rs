//! What roles and permissions are called.

use std::fmt;
use std::str::FromStr;

use crate::definition::is_word;
use crate::error::{is_disguising, quote};
use crate::resource::ResourceType;

/// Bytes of a role's name: directories give their groups long ones.
pub const NAME_LEN_MAX: usize = 255;
/// The role that exists in every tenant and has all permissions.
pub const ADMINISTRATOR: &str = "administrator";

/// The name of a role, such as `editor`: 1 to 255 bytes without commas, control and invisible characters, and without
/// blanks at its ends. Groups of a proxy come in a list with commas, and two names that look alike should be the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(Box<str>);

/// A text that is no name of a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given} is no name of a role; give 1 to {NAME_LEN_MAX} bytes without commas, control and invisible characters, and \
     without blanks at the ends"
)]
pub struct RoleNameError {
    given: String,
}

impl RoleName {
    /// Checks the text and takes it.
    ///
    /// # Errors
    /// Says what was given and what is allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, RoleNameError> {
        let text = text.into();
        let is_allowed = |c: char| c != ',' && !is_disguising(c);
        if matches!(text.len(), 1..=NAME_LEN_MAX)
            && text.trim().len() == text.len()
            && text.chars().all(is_allowed)
        {
            return Ok(Self(text.into()));
        }
        Err(RoleNameError { given: quote(&text) })
    }

    /// The role that has all permissions.
    #[must_use]
    pub fn administrator() -> Self {
        Self(ADMINISTRATOR.into())
    }

    /// Whether it is the role that has all permissions.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        &*self.0 == ADMINISTRATOR
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        Self::new(text)
    }
}

/// What somebody may: `article.publish`, `article.*` for all of a type, `*` for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission(Box<str>);

/// A text that is no permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given} is no permission; give `TYPE.WORD` such as `article.publish`, `TYPE.*` for all of a type, or `*` for all"
)]
pub struct PermissionError {
    given: String,
}

impl Permission {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let is_of_type = |(kind, word): (&str, &str)| {
            (word == "*" || is_word(word)) && ResourceType::new(kind).is_ok()
        };
        if text == "*" || text.rsplit_once('.').is_some_and(is_of_type) {
            return Ok(Self(text.into()));
        }
        Err(PermissionError { given: quote(text) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::definition::{Rights, WORD_LEN_MAX};

    #[test]
    fn permissions_are_of_three_forms() {
        for text in ["*", "article.*", "article.publish", "aws.IAMUser.rotate-key", "a.b_1"] {
            assert_eq!(text.parse::<Permission>().expect(text).as_str(), text);
        }
        let long = format!("article.{}", "x".repeat(WORD_LEN_MAX + 1));
        for text in [
            "",
            "**",
            ".",
            ".*",
            "*.publish",
            "article",
            "article.",
            "article.pub lish",
            "article.*x",
            "article.*.x",
            " article.x",
            "article.x\0",
            "artíkel.x",
            "article.é",
            "a,b.c",
            &long,
        ] {
            let error = text.parse::<Permission>().expect_err(text).to_string();
            assert!(error.contains("is no permission; give `TYPE.WORD`"), "{error}");
            assert!(error.len() < 300, "{error}");
        }
    }

    #[test]
    fn names_are_what_people_can_tell_apart() {
        let long = "x".repeat(NAME_LEN_MAX);
        for text in
            ["editor", "Desk editors", "/news/desk@night", "Züri", "'; DROP TABLE x; --", &long]
        {
            assert_eq!(RoleName::new(text).expect(text).as_str(), text);
        }
        let long = "x".repeat(NAME_LEN_MAX + 1);
        let refused = [
            "",
            " ",
            " editor",
            "editor\t",
            "a,b",
            "a\0",
            "a\nb",
            "admin\u{200b}",
            "\u{202e}nimda",
            &long,
        ];
        for text in refused {
            let error = RoleName::new(text).expect_err(text).to_string();
            assert!(error.contains("is no name of a role; give 1 to 255 bytes"), "{error}");
        }
    }

    proptest! {
        /// What is taken is what `Rights` understands: it covers itself, and its type's star covers it.
        #[test]
        fn every_permission_is_one_for_rights(text in "([a-z.*-]{0,8}\\.)?[a-z*_]{0,4}|.*") {
            if let Ok(permission) = text.parse::<Permission>() {
                let text = permission.as_str();
                prop_assert!(Rights::all().have(text) && Rights::new([text]).have(text));
                if let Some((kind, _)) = text.rsplit_once('.') {
                    let star = Rights::new([format!("{kind}.*")]);
                    prop_assert!(star.have(text));
                }
            }
        }
    }
}
