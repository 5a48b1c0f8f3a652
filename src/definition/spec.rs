//! A type whose objects can be selected.

use super::label::grouped;
use crate::hook::Model;

/// What every type can be permitted, besides the words of its own.
const WORDS: [&str; 4] = ["add", "change", "delete", "view"];

/// A type whose objects can be selected: what they are called, and where they are.
///
/// ```
/// use gesta::definition::TypeSpec;
/// let article = TypeSpec::new("article", "article", "articles")
///     .table("newsroom.article", "id")
///     .name_column("title")
///     .permission("publish");
/// assert_eq!(article.count(1), "1 article");
/// assert_eq!(article.count(2431), "2,431 articles");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSpec {
    kind: String,
    singular: String,
    plural: String,
    table: Option<(String, String)>,
    name_column: Option<String>,
    filters: Option<Vec<String>>,
    /// Columns that a filter uses only where they are named.
    hidden: Vec<String>,
    words: Vec<String>,
}

impl TypeSpec {
    /// A type with what one and many of its objects are called. Without a table, its objects are known by their ids only.
    #[must_use]
    pub fn new(kind: &str, singular: &str, plural: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            singular: singular.to_owned(),
            plural: plural.to_owned(),
            table: None,
            name_column: None,
            filters: None,
            hidden: Vec::new(),
            words: Vec::new(),
        }
    }

    /// The type of a model's objects, which are rows of its table. A filter may not use the columns that the model's rules
    /// keep out of the log, or it could be asked for their values; unless [`TypeSpec::filters`] names them.
    #[must_use]
    pub fn model<M: Model>(kind: &str, singular: &str, plural: &str) -> Self {
        let hidden = M::RULES.iter().map(|rule| rule.column().to_owned()).collect();
        Self { hidden, ..Self::new(kind, singular, plural).table(M::TABLE, M::KEY) }
    }

    /// Its objects are rows of a table, written with its schema as in `newsroom.article`; the text of the key is the id.
    #[must_use]
    pub fn table(self, table: &str, key: &str) -> Self {
        Self { table: Some((table.to_owned(), key.to_owned())), ..self }
    }

    /// The column that tells what an object is called.
    #[must_use]
    pub fn name_column(self, column: &str) -> Self {
        Self { name_column: Some(column.to_owned()), ..self }
    }

    /// The columns that the filter of a selection may use; without it, all of the table that no rule of a model hides.
    #[must_use]
    pub fn filters(self, columns: &[&str]) -> Self {
        Self { filters: Some(columns.iter().map(|it| (*it).to_owned()).collect()), ..self }
    }

    /// A further word of a permission, beside `add`, `change`, `delete` and `view`.
    #[must_use]
    pub fn permission(mut self, word: &str) -> Self {
        self.words.push(word.to_owned());
        self
    }

    /// The type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What one object is called.
    #[must_use]
    pub fn singular(&self) -> &str {
        &self.singular
    }

    /// What many objects are called.
    #[must_use]
    pub fn plural_name(&self) -> &str {
        &self.plural
    }

    /// The table with its schema, and its key.
    #[must_use]
    pub fn table_and_key(&self) -> Option<(&str, &str)> {
        self.table.as_ref().map(|(table, key)| (table.as_str(), key.as_str()))
    }

    /// The column that tells what an object is called.
    #[must_use]
    pub fn name_column_name(&self) -> Option<&str> {
        self.name_column.as_deref()
    }

    /// The columns that a filter may use, where they are named.
    #[must_use]
    pub fn filter_columns(&self) -> Option<&[String]> {
        self.filters.as_deref()
    }

    /// Whether a filter may use a column, if the table has it.
    #[must_use]
    pub fn may_filter(&self, column: &str) -> bool {
        let named = self.filters.as_ref().map(|named| named.iter().any(|it| it == column));
        named.unwrap_or_else(|| !self.hidden.iter().any(|it| it == column))
    }

    /// The words of its permissions: `add`, `change`, `delete`, `view`, then its own.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        WORDS.into_iter().chain(self.words.iter().map(String::as_str))
    }

    /// So many objects, as people say it: `1 article`, `2,431 articles`.
    #[must_use]
    pub fn count(&self, count: u64) -> String {
        let name = if count == 1 { &self.singular } else { &self.plural };
        format!("{} {name}", grouped(count))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::hook::Rule;
    use crate::resource::{Resource, ResourceRef};

    #[derive(Serialize, Deserialize)]
    struct Person {
        id: String,
    }

    impl Resource for Person {
        fn resource(&self) -> ResourceRef {
            ResourceRef::new("person", self.id.as_str()).expect("an id")
        }
    }

    impl Model for Person {
        const TABLE: &'static str = "newsroom.person";
        const KEY: &'static str = "id";
        const RULES: &'static [Rule] = &[Rule::Mask("password"), Rule::Hash("email")];
    }

    #[test]
    fn filter_does_not_ask_for_what_the_log_does_not_tell() {
        let person = TypeSpec::model::<Person>("person", "person", "people");
        assert_eq!(person.table_and_key(), Some(("newsroom.person", "id")));
        assert!(person.may_filter("name"));
        assert!(!person.may_filter("password") && !person.may_filter("email"));
        let person = person.filters(&["email"]);
        assert!(person.may_filter("email") && !person.may_filter("name"));
    }
}
