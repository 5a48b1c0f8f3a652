//! What can be wrong with a catalog, and the checks of its parts. Everything is found when it is built, by name.

use super::input::InputFault;
use super::label;
use super::model::Definition;
use super::permission::{self, WORD_LEN_MAX};
use super::spec::TypeSpec;
use crate::error::quote;
use crate::resource::{ResourceError, ResourceType};
use crate::store::table::{quoted, quoted_table};

/// Bytes of a definition's name. It is a part of addresses and of the id of an action's target.
const NAME_LEN_MAX: usize = 63;

/// Why a catalog cannot be built. Definitions are named with their types: `publish` of `article`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A type that cannot be one.
    #[error("a type of the catalog: {0}")]
    Type(ResourceError),
    /// A type whose table, columns or words cannot be ones.
    #[error("type `{kind}`: {problem}")]
    Spec {
        /// The type.
        kind: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// The same type twice.
    #[error("type `{0}` is registered twice; remove one of them")]
    DuplicateType(String),
    /// Something is said of a type that is not registered.
    #[error("{what} is for {given}, which is no registered type; there are {known}")]
    UnknownType {
        /// What is said.
        what: String,
        /// The type, cut and quoted.
        given: String,
        /// The types that are registered.
        known: String,
    },
    /// A name that cannot be one.
    #[error(
        "{given} is no name of a definition; letters, digits, `_` and `-` are allowed, 1 to {NAME_LEN_MAX} of them"
    )]
    Name {
        /// The name, cut and quoted.
        given: String,
    },
    /// The same name twice.
    #[error("{definition} is defined twice; remove or rename one of them")]
    Duplicate {
        /// Which.
        definition: String,
    },
    /// A label with a placeholder that does not exist.
    #[error("label of {definition}: {{{given}}} is no placeholder; use {{name}}, {{plural}}")]
    Placeholder {
        /// Whose label.
        definition: String,
        /// What stands in braces.
        given: String,
    },
    /// A permission that nobody can be given.
    #[error("permission {given} of {definition}: {problem}")]
    Permission {
        /// Whose permission.
        definition: String,
        /// The permission, cut and quoted.
        given: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Something is said of a definition that does not exist.
    #[error("{what} names {given}, which does not exist; there are {known}")]
    Dangling {
        /// What is said: `disable`, `enable` of a type, `undo` of a definition.
        what: String,
        /// The name, cut and quoted.
        given: String,
        /// The names that exist.
        known: String,
    },
    /// A type that is to have no definitions has some.
    #[error(
        "`none` says that nothing can be run on `{kind}`, but {definition} is there; remove one of them"
    )]
    NotNone {
        /// The type.
        kind: String,
        /// One of its definitions.
        definition: String,
    },
    /// A schema that is none.
    #[error("input of {definition}: {problem}")]
    Schema {
        /// Whose input.
        definition: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// An audience that no action can have.
    #[error("audience of {definition}: {problem}")]
    Audience {
        /// Whose audience.
        definition: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An example that does not fit its schema.
    #[error("example {number} of {definition}: {fault}")]
    Example {
        /// Whose example.
        definition: String,
        /// Which, from 1 on.
        number: usize,
        /// What is wrong with it, and where.
        fault: InputFault,
    },
}

/// Names in an error's text.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A definition as errors name it.
pub(super) fn called(name: &str, kind: Option<&str>) -> String {
    match kind {
        Some(kind) => format!("{} of {}", quote(name), quote(kind)),
        None => format!("site-wide {}", quote(name)),
    }
}

/// Checks a type by itself.
pub(super) fn spec(spec: &TypeSpec) -> Result<ResourceType, CatalogError> {
    let kind = ResourceType::new(spec.kind()).map_err(CatalogError::Type)?;
    match problem_of(spec) {
        Some(problem) => Err(CatalogError::Spec { kind: kind.to_string(), problem }),
        None => Ok(kind),
    }
}

fn problem_of(spec: &TypeSpec) -> Option<String> {
    if spec.singular().is_empty() || spec.plural_name().is_empty() {
        return Some("say what one and what many of its objects are called".to_owned());
    }
    if let Some(word) = spec.words().find(|word| !permission::is_word(word)) {
        let allowed = format!("1 to {WORD_LEN_MAX} letters, digits, `_` and `-` are allowed");
        return Some(format!("{} is no word of a permission; {allowed}", quote(word)));
    }
    let columns = spec.filter_columns().unwrap_or_default().iter().chain(spec.hidden_columns());
    let columns = columns.map(String::as_str);
    let mut columns = columns.chain(spec.name_column_name());
    let Some((table, key)) = spec.table_and_key() else {
        let column = columns.next()?;
        return Some(format!("{} is a column of no table; name one with `table`", quote(column)));
    };
    let wrong = quoted_table(table).err();
    let wrong = wrong.or_else(|| columns.chain([key]).find_map(|column| quoted(column).err()));
    wrong.map(|error| error.to_string())
}

/// Checks a definition by itself: its name, label, input and examples.
pub(super) fn definition(definition: &Definition, kind: Option<&str>) -> Result<(), CatalogError> {
    if !permission::is_word(&definition.name) || definition.name.len() > NAME_LEN_MAX {
        return Err(CatalogError::Name { given: quote(&definition.name) });
    }
    let called = || called(&definition.name, kind);
    let labels = [Some(&definition.label), definition.plural.as_ref()];
    for template in labels.into_iter().flatten() {
        label::fill(template, "", "")
            .map_err(|given| CatalogError::Placeholder { definition: called(), given })?;
    }
    if let Some(problem) = definition.input.problem() {
        return Err(CatalogError::Schema { definition: called(), problem });
    }
    definition.audience.check().map_err(|problem| CatalogError::Audience {
        definition: called(),
        problem: problem.to_string(),
    })?;
    for (example, number) in definition.examples.iter().zip(1..) {
        if let Some(fault) = definition.check(example).err().into_iter().flatten().next() {
            return Err(CatalogError::Example { definition: called(), number, fault });
        }
    }
    Ok(())
}
