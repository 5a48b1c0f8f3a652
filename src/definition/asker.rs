//! Who asks for a run, and what they may do.

use std::collections::BTreeSet;

use crate::context::Context;

/// Who asks, in which tenant, and with which rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Who, in which tenant and request.
    pub context: Context,
    /// What they may do.
    pub rights: Rights,
}

/// Permissions, each `TYPE.WORD` such as `article.publish`; `TYPE.*` is all of a type, `*` is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights(BTreeSet<String>);

impl Rights {
    /// These permissions.
    pub fn new<S: Into<String>>(permissions: impl IntoIterator<Item = S>) -> Self {
        Self(permissions.into_iter().map(Into::into).collect())
    }

    /// The permissions, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self::new(["*"])
    }

    /// Whether a permission is among them.
    #[must_use]
    pub fn have(&self, permission: &str) -> bool {
        // At the last point: a type may hold points, a word holds none.
        let of_type = permission.rsplit_once('.').map(|(kind, _)| format!("{kind}.*"));
        self.0.contains("*")
            || self.0.contains(permission)
            || of_type.is_some_and(|all| self.0.contains(&all))
    }

    /// The first of some permissions that is not among these. `TYPE.*` is among them where it stands there, or `*` does.
    #[must_use]
    pub fn lack<'a>(&self, of: &'a Self) -> Option<&'a str> {
        of.iter().find(|permission| !self.have(permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_lack_what_is_neither_named_nor_covered() {
        let all = Rights::all();
        let some = Rights::new(["article.*", "aws.User.view", "page.view"]);
        assert_eq!(all.lack(&some), None);
        assert_eq!(some.lack(&all), Some("*"));
        assert_eq!(some.lack(&Rights::new(["article.publish", "article.*"])), None);
        assert_eq!(some.lack(&Rights::new(["page.*"])), Some("page.*"));
        assert_eq!(some.lack(&Rights::new(["aws.*"])), Some("aws.*"));
        assert_eq!(
            Rights::new(["aws.*"]).lack(&Rights::new(["aws.User.view"])),
            Some("aws.User.view")
        );
        assert_eq!(Rights::default().lack(&Rights::default()), None);
    }
}
