//! How a table is tracked: what its rows are called in the log, and which fields are recorded.

use serde::{Deserialize, Serialize};

use super::TrackError;
use crate::resource::ResourceType;

/// How a table is to be tracked.
///
/// ```
/// use gesta::track::Tracking;
/// let kind = "article".parse()?;
/// let tracking = Tracking::new("shop.article", kind, ["id"]).name("title").mask(["iban"]);
/// # Ok::<(), gesta::ResourceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    pub(super) table: String,
    pub(super) options: Options,
}

/// What stands in the function: as JSON in its comment, and as the constant `options` in its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Options {
    #[serde(rename = "type")]
    pub(super) kind: ResourceType,
    pub(super) key: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) exclude: Vec<String>,
    pub(super) mask: Vec<String>,
    pub(super) hash: Vec<String>,
    /// The columns that the table had.
    pub(super) columns: Vec<String>,
    /// Their numbers. Options that an earlier version wrote have none.
    #[serde(default)]
    pub(super) numbers: Vec<i16>,
    /// Its shape, as `gesta.shape` tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<String>,
    /// Whether the key is the primary key, column by column.
    pub(super) primary: bool,
}

fn texts<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

impl Tracking {
    /// A table, named as in SQL (`shop.article`, `"Odd Name"`), whose rows are objects of a type; the key's columns are
    /// not null and unique together, and make the object's id. Columns are named as they are, without quotation marks.
    #[must_use]
    pub fn new<S: Into<String>>(
        table: impl Into<String>,
        kind: ResourceType,
        key: impl IntoIterator<Item = S>,
    ) -> Self {
        let options = Options {
            kind,
            key: texts(key),
            name: None,
            exclude: Vec::new(),
            mask: Vec::new(),
            hash: Vec::new(),
            columns: Vec::new(),
            numbers: Vec::new(),
            shape: None,
            primary: false,
        };
        Self { table: table.into(), options }
    }

    /// The column that people call a row by. Its text is kept with each action.
    #[must_use]
    pub fn name(mut self, column: impl Into<String>) -> Self {
        self.options.name = Some(column.into());
        self
    }

    /// Columns that are not recorded; a change of nothing else is none.
    #[must_use]
    pub fn exclude<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.options.exclude = texts(columns);
        self
    }

    /// Columns of which it is recorded that they changed, and not what to: `["***", "***"]`.
    #[must_use]
    pub fn mask<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.options.mask = texts(columns);
        self
    }

    /// Columns of which the SHA-256 of the JSON text is recorded: equal values can be told, and what can be guessed can
    /// be found.
    #[must_use]
    pub fn hash<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.options.hash = texts(columns);
        self
    }
}

impl Options {
    /// Each column with the option that names it, as the command line calls it.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let lists = [
            ("--key", &self.key),
            ("--exclude", &self.exclude),
            ("--mask", &self.mask),
            ("--hash", &self.hash),
        ];
        let name = self.name.iter().map(|column| ("--name", column));
        lists.into_iter().flat_map(|(flag, list)| list.iter().map(move |c| (flag, c))).chain(name)
    }

    /// A field is recorded in one way; what goes into ids and names is recorded as it is.
    pub(super) fn check(&self) -> Result<(), TrackError> {
        let named: Vec<_> = self.named().collect();
        for (n, (second, column)) in named.iter().enumerate() {
            let earlier = named[..n].iter().find(|(first, other)| {
                let fits = matches!((*first, *second), ("--key", "--name" | "--exclude"));
                other == column && !fits
            });
            if let Some((first, _)) = earlier {
                let column = (*column).clone();
                return Err(TrackError::Contradiction { column, first, second });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn article() -> Tracking {
        Tracking::new("article", "article".parse().expect("a type"), ["id"])
    }

    #[test]
    fn secrets_are_no_keys_and_no_names() {
        for (tracking, told) in [
            (article().mask(["id"]), "column `id` is named by --key and by --mask; name it once"),
            (article().hash(["id"]), "column `id` is named by --key and by --hash; name it once"),
            (article().name("a").mask(["a"]), "column `a` is named by --mask and by --name"),
            (article().exclude(["a"]).hash(["a"]), "column `a` is named by --exclude and by"),
            (article().mask(["a", "a"]), "column `a` is named by --mask and by --mask"),
        ] {
            let error = tracking.options.check().expect_err(told).to_string();
            assert!(error.starts_with(told), "{error}");
        }
        article().name("id").options.check().expect("an id may be the name");
        article().exclude(["id"]).options.check().expect("it is in the id");
    }
}
