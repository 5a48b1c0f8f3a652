//! Which rows a bulk operation is about.

use tokio_postgres::types::ToSql;

/// Ids of a selection. More are a condition, or several operations.
pub const SELECTION_LEN_MAX: usize = 1_000_000;

/// Which rows of a model's table.
#[must_use = "a selection does nothing until it is given to a session"]
pub struct Selection<'a>(pub(super) Which<'a>);

pub(super) enum Which<'a> {
    All,
    Ids(Vec<String>),
    Matching(&'static str, &'a [&'a (dyn ToSql + Sync)]),
}

impl<'a> Selection<'a> {
    /// All rows that the role can see.
    pub fn all() -> Self {
        Self(Which::All)
    }

    /// Rows by the texts of their keys, up to 1,000,000 of them; ids that no row has select nothing.
    pub fn ids<I: ToString>(ids: impl IntoIterator<Item = I>) -> Self {
        Self(Which::Ids(ids.into_iter().map(|id| id.to_string()).collect()))
    }

    /// Rows that meet a condition, as after WHERE: `Selection::matching("state = $1", &[&"draft"])`.
    ///
    /// The condition is text of the program and goes into the statement as it is, which is why it cannot be put together
    /// at run time; values are parameters, numbered from `$1`, whose types PostgreSQL finds.
    pub fn matching(condition: &'static str, params: &'a [&'a (dyn ToSql + Sync)]) -> Self {
        Self(Which::Matching(condition, params))
    }
}

impl std::fmt::Debug for Selection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Which::All => f.write_str("all rows"),
            Which::Ids(ids) => write!(f, "{} ids", ids.len()),
            Which::Matching(condition, _) => f.write_str(condition),
        }
    }
}
