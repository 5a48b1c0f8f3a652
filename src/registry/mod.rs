//! Which resource types and verbs exist, how they are called, and how their sentences read.
//!
//! A registry is open by default: what it has not seen is stored and shown as it is. Asked to be strict, it refuses. It
//! documents itself: everything that pages and help texts say about types and verbs comes from here.

mod sentence;
mod verb;

use std::collections::BTreeMap;

#[cfg(feature = "cli")]
pub(crate) use sentence::ago;
pub use verb::Verb;

use crate::action::{InvalidAction, NewAction};
use crate::resource::{ResourceError, ResourceType};

/// A resource type and what people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDefinition {
    /// The type.
    pub kind: ResourceType,
    /// What one of them is called.
    pub singular: String,
    /// What many of them are called.
    pub plural: String,
}

/// Why a registry cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// A type that cannot be one.
    #[error("resource type: {0}")]
    Type(ResourceError),
    /// The same type twice.
    #[error("resource type `{0}` is registered twice; remove one of them")]
    DuplicateType(ResourceType),
    /// The same verb twice for one type.
    #[error("verb `{verb}` of `{kind}` is registered twice; remove one of them")]
    DuplicateVerb {
        /// The type of the object.
        kind: String,
        /// The verb.
        verb: String,
    },
    /// A verb of a type that is not registered.
    #[error(
        "verb `{verb}` is for `{kind}`, which is not registered; register the type or correct the name"
    )]
    DanglingVerb {
        /// The type that is missing.
        kind: String,
        /// The verb.
        verb: String,
    },
    /// A template with a field that does not exist.
    #[error(
        "summary of `{verb}`: `{{{field}}}` is no field; use {{actor}}, {{verb}}, {{object}}, {{target}}"
    )]
    Template {
        /// The verb.
        verb: String,
        /// What stands in braces.
        field: String,
    },
}

/// Whether types and verbs that are not registered are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Strictness {
    #[default]
    Open,
    Strict,
}

/// The resource types and verbs of an application.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    types: BTreeMap<ResourceType, TypeDefinition>,
    verbs: BTreeMap<(String, String), Verb>,
    strictness: Strictness,
}

/// Collects types and verbs; [`RegistryBuilder::build`] checks them together.
#[derive(Clone, Debug, Default)]
pub struct RegistryBuilder {
    types: Vec<(String, String, String)>,
    verbs: Vec<Verb>,
    strictness: Strictness,
}

impl RegistryBuilder {
    /// Registers a resource type with what one and many of them are called.
    #[must_use]
    pub fn resource(mut self, kind: &str, singular: &str, plural: &str) -> Self {
        self.types.push((kind.to_owned(), singular.to_owned(), plural.to_owned()));
        self
    }

    /// Registers a verb.
    #[must_use]
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verbs.push(verb);
        self
    }

    /// Refuses actions whose types or verb are not registered.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strictness = Strictness::Strict;
        self
    }

    /// The registry.
    ///
    /// # Errors
    /// When a name is registered twice, cannot be a type, or belongs to a type that is not registered.
    pub fn build(self) -> Result<Registry, RegistryError> {
        let mut registry = Registry { strictness: self.strictness, ..Registry::default() };
        for (kind, singular, plural) in self.types {
            let kind = ResourceType::new(kind).map_err(RegistryError::Type)?;
            let definition = TypeDefinition { kind: kind.clone(), singular, plural };
            if registry.types.insert(kind.clone(), definition).is_some() {
                return Err(RegistryError::DuplicateType(kind));
            }
        }
        for verb in self.verbs {
            registry.add_verb(verb)?;
        }
        Ok(registry)
    }
}

impl Registry {
    /// Starts a registry.
    #[must_use]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    fn add_verb(&mut self, verb: Verb) -> Result<(), RegistryError> {
        let (kind, name) = (verb.object_type().to_owned(), verb.name().to_owned());
        if !self.types.keys().any(|known| known.as_str() == kind) {
            return Err(RegistryError::DanglingVerb { kind, verb: name });
        }
        if let Some(field) = verb.template().and_then(sentence::unknown_field) {
            return Err(RegistryError::Template { verb: name, field: field.to_owned() });
        }
        match self.verbs.insert((kind.clone(), name.clone()), verb) {
            Some(_) => Err(RegistryError::DuplicateVerb { kind, verb: name }),
            None => Ok(()),
        }
    }

    /// The registered types, by name.
    pub fn types(&self) -> impl Iterator<Item = &TypeDefinition> {
        self.types.values()
    }

    /// The registered verbs, by type and name.
    pub fn verbs(&self) -> impl Iterator<Item = &Verb> {
        self.verbs.values()
    }

    /// A type's definition.
    #[must_use]
    pub fn resource_type(&self, kind: &ResourceType) -> Option<&TypeDefinition> {
        self.types.get(kind)
    }

    /// The verb of a type.
    #[must_use]
    pub fn verb(&self, object_type: &str, name: &str) -> Option<&Verb> {
        self.verbs.get(&(object_type.to_owned(), name.to_owned()))
    }

    /// Whether an action may be appended.
    ///
    /// # Errors
    /// A strict registry names the type or verb that it does not know, and those that it does.
    pub fn check(&self, action: &NewAction) -> Result<(), InvalidAction> {
        if self.strictness == Strictness::Open {
            return Ok(());
        }
        let parties = [Some(&action.actor), action.object.as_ref(), action.target.as_ref()];
        for party in parties.into_iter().flatten() {
            self.check_type(&party.resource.kind)?;
        }
        // A verb belongs to the type that it is done to; without an object to its target's, and else to its actor's.
        let subject = action.object.as_ref().or(action.target.as_ref()).unwrap_or(&action.actor);
        let kind = subject.resource.kind.as_str();
        match self.verb(kind, &action.verb) {
            Some(_) => Ok(()),
            None => Err(InvalidAction::Unregistered(format!(
                "`verb`: {} is not registered for `{kind}`; known are {}",
                crate::error::quote(&action.verb),
                list(self.verbs.keys().filter(|(of, _)| of == kind).map(|(_, name)| name.as_str())),
            ))),
        }
    }

    fn check_type(&self, kind: &ResourceType) -> Result<(), InvalidAction> {
        if self.types.contains_key(kind) {
            return Ok(());
        }
        Err(InvalidAction::Unregistered(format!(
            "resource type `{kind}` is not registered; known are {}",
            list(self.types.keys().map(ResourceType::as_str)),
        )))
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, ResourceRef};

    const CLOSE: Verb = Verb::new("issue", "close").summary("{actor} closed {object}");

    fn issues() -> RegistryBuilder {
        Registry::builder()
            .resource("issue", "issue", "issues")
            .resource("user", "person", "people")
    }

    #[test]
    fn duplicates_and_dangling_names_are_refused() {
        let error =
            |builder: RegistryBuilder| builder.build().expect_err("must be refused").to_string();
        assert!(
            error(issues().resource("issue", "a", "b")).contains("`issue` is registered twice")
        );
        assert!(
            error(issues().verb(CLOSE).verb(CLOSE))
                .contains("verb `close` of `issue` is registered twice")
        );
        assert!(
            error(Registry::builder().verb(CLOSE))
                .contains("is for `issue`, which is not registered")
        );
        assert!(
            error(issues().verb(Verb::new("issue", "x").summary("{who}")))
                .contains("`{who}` is no field")
        );
        assert!(error(issues().resource("a b", "a", "b")).contains("resource type `a b`"));
    }

    #[test]
    fn strict_registry_names_what_it_knows() {
        let alice = ResourceRef::new("user", "1").expect("valid");
        let issue = ResourceRef::new("issue", "1").expect("valid");
        let ctx = Context::new(&alice);
        let strict = issues().verb(CLOSE).strict().build().expect("valid");
        assert!(strict.check(&NewAction::new(CLOSE, &ctx).object(&issue)).is_ok());
        let unknown = NewAction::new("burn", &ctx).object(&issue);
        assert_eq!(
            strict.check(&unknown).expect_err("unknown verb").to_string(),
            "`verb`: `burn` is not registered for `issue`; known are `close`"
        );
        assert!(Registry::default().check(&unknown).is_ok());
        let page =
            NewAction::new(CLOSE, &ctx).object(&ResourceRef::new("page", "1").expect("valid"));
        assert!(
            strict
                .check(&page)
                .expect_err("unknown type")
                .to_string()
                .contains("`page` is not registered")
        );
    }
}
