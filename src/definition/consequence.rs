//! What else happens where a definition is run, for whoever has to confirm it.

use super::label::{by_count, grouped};
use crate::resource::ResourceType;

/// What happens to rows that were not selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Impact {
    /// They are deleted too.
    Deleted,
    /// Their reference is emptied, or set to its default.
    Emptied,
    /// They forbid it: what they refer to cannot be deleted while they do.
    Forbidding,
}

impl Impact {
    /// Its word, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Emptied => "emptied",
            Self::Forbidding => "forbidding",
        }
    }
}

/// Rows of one table that were not selected, and what happens to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What happens to them.
    pub impact: Impact,
    /// Their table, `schema.name`.
    pub table: String,
    /// The type of the catalog whose objects they are, if there is one.
    pub kind: Option<ResourceType>,
    /// How many; nothing where that cannot be found out, because the table may not be read.
    pub rows: Option<u64>,
    /// The keys of a few of them, where they forbid it.
    pub keys: Vec<String>,
    /// The permission that it would take and the asker does not have. It is refused then.
    pub missing: Option<String>,
    /// Whether actions will tell of these rows: they are of a type, their table is tracked, or it has a primary key.
    pub is_recorded: bool,
}

impl Consequence {
    fn sentence(&self) -> String {
        let rows = match self.rows {
            Some(rows) => format!("{} of {}", by_count(rows, "1 row", "{count} rows"), self.table),
            None => format!("rows of {}, which cannot be counted,", self.table),
        };
        let untold = if self.is_recorded { "" } else { ", of which nothing would be recorded" };
        match (self.impact, &self.missing) {
            (Impact::Deleted, None) => format!("{rows} would be deleted too{untold}"),
            (Impact::Deleted, Some(permission)) => {
                format!("{rows} would be deleted too, which is refused: it takes `{permission}`")
            }
            (Impact::Emptied, _) => format!("{rows} would lose their reference{untold}"),
            (Impact::Forbidding, _) if self.keys.is_empty() => format!("{rows} forbid it"),
            (Impact::Forbidding, _) => format!("{rows} forbid it: {}", self.keys.join(", ")),
        }
    }
}

/// What happens beside what the definition does to the selected objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequences {
    /// By impact, then by table.
    pub all: Vec<Consequence>,
    /// Whether that is everything; otherwise a limit was reached, and the numbers are the least.
    pub is_whole: bool,
}

impl Default for Consequences {
    /// None.
    fn default() -> Self {
        Self { all: Vec::new(), is_whole: true }
    }
}

impl Consequences {
    /// What they are, a sentence for each table.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut told: Vec<_> = self.all.iter().map(Consequence::sentence).collect();
        if !self.is_whole {
            told.push("there may be more of that: not everything was looked at".to_owned());
        }
        told
    }

    /// What happens that no action tells of, for whoever has run it.
    #[must_use]
    pub fn unrecorded(&self) -> Vec<String> {
        let untold = self.all.iter().filter(|it| !it.is_recorded);
        let sentence = |it: &Consequence| {
            let rows = it.rows.map_or_else(String::new, |rows| format!("{} ", grouped(rows)));
            let table = &it.table;
            format!(
                "nothing is recorded of the {rows}rows of {table} that went with it; `gesta track {table}` would see to that"
            )
        };
        untold.map(sentence).collect()
    }

    /// Why the asker may not run it on this selection: the types that would go with it, and the permissions for them.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let missing = self.all.iter().filter_map(|it| Some((it, it.missing.as_ref()?)));
        let told = missing.map(|(it, permission)| match it.rows {
            Some(rows) => format!("{rows} of {}, for which you need `{permission}`", it.table),
            None => format!("rows of {}, for which you need `{permission}`", it.table),
        });
        let told: Vec<_> = told.collect();
        (!told.is_empty()).then(|| format!("this would delete too: {}", told.join("; ")))
    }
}
