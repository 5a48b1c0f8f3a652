//! What is selected: ids, or a rule that the server resolves once.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::error::RunError;
use super::freeze::Freeze;
use super::info::SelectionInfo;
use super::open;
use super::runs::{Runs, begin};
use crate::definition::{Asker, Place};
use crate::resource::ResourceType;
use crate::search::Query;
use crate::stream::Reader;

/// Objects of a selection. Whoever wants more of them at once wants another statement.
pub const SELECTED_LEN_MAX: usize = 1_000_000;
/// How long a selection can be used: long enough to read a plan, too short to be a list that somebody keeps.
pub const SELECTION_LIFE: Duration = Duration::from_hours(1);

/// Which objects of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    /// Those with these ids, the texts of their keys. Of a type with a table, those that are there.
    Ids(Vec<String>),
    /// The rows of the type's table that the filter lets through.
    Rows(Filter),
    /// The objects of this type that actions of the log are about; of a type with a table, those that are there. What the
    /// reader cannot see is not among them.
    Log(Query),
    /// Those with these ids, as far as the filter lets them through: what was ticked in a list that is filtered.
    Within {
        /// The ids.
        ids: Vec<String>,
        /// The filter of the list.
        rows: Filter,
    },
}

/// Columns and the values that they may have: `{"state": ["draft", "review"], "author": 7}`. All conditions hold; without
/// any, all rows are meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(pub(super) Vec<(String, Vec<Value>)>);

impl Filter {
    /// Every row.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The column has this value; null means that it has none.
    #[must_use]
    pub fn is(self, column: &str, value: impl Into<Value>) -> Self {
        self.any(column, vec![value.into()])
    }

    /// The column has one of these values.
    #[must_use]
    pub fn any(mut self, column: &str, values: Vec<Value>) -> Self {
        self.0.push((column.to_owned(), values));
        self
    }

    /// A filter as JSON: an object of columns, each with a value or an array of values.
    ///
    /// # Errors
    /// What is no object.
    pub fn from_json(value: &Value) -> Result<Self, RunError> {
        let fields = value.as_object().ok_or_else(|| {
            let problem =
                "it is no JSON object of columns and values, such as {\"state\": \"draft\"}";
            RunError::Filter(problem.to_owned())
        })?;
        let values = |value: &Value| match value {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        Ok(Self(fields.iter().map(|(name, value)| (name.clone(), values(value))).collect()))
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let fields = self.0.iter().map(|(name, values)| (name.clone(), values.clone().into()));
        Value::Object(fields.collect())
    }
}

impl Runs {
    /// Selects objects of a type, once: what changes later does not change the selection. It is its maker's alone, and
    /// expires after an hour.
    ///
    /// Which ids are none of its objects is counted, and no error; one object at least must be left.
    ///
    /// # Errors
    /// A type of which the asker may run nothing, a filter or search that cannot be read, nothing or too much selected, and
    /// the database's. No selection is made then.
    pub async fn select(
        &self,
        asker: &Asker,
        kind: &ResourceType,
        which: Which,
        reader: Option<&Reader>,
    ) -> Result<SelectionInfo, RunError> {
        let places = [Place::List, Place::Object];
        let offered = |place| !self.catalog.offered(asker, kind, place).is_empty();
        let spec = self.catalog.resource(kind).filter(|_| places.into_iter().any(offered));
        let spec = spec.ok_or_else(|| RunError::UnknownType(kind.clone()))?;
        Freeze { runs: self, asker, kind, spec, reader }.freeze(which).await
    }

    /// A selection of the asker's.
    ///
    /// # Errors
    /// Where there is none that the asker made and that has not expired; the database's.
    pub async fn selection(&self, asker: &Asker, id: Uuid) -> Result<SelectionInfo, RunError> {
        let mut client = self.client().await?;
        let tx = begin(&mut client, &asker.context.tenant).await?;
        Ok(open::find(&tx, asker, id).await?.info)
    }
}
