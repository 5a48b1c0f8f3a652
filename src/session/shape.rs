//! A model beside its table: checked against each other, and their names ready for statements.

use std::sync::Arc;

use super::begin::Session;
use super::error::SessionError;
use crate::error::quote;
use crate::hook::{Model, Rule};
use crate::store::table::{Table, TableError, Write, quoted};

/// What statements need to know of a model.
pub(super) struct Shape {
    /// As the model names it.
    pub(super) name: &'static str,
    pub(super) table: Arc<Table>,
    /// Quoted.
    pub(super) key: String,
    /// The key's type.
    pub(super) key_kind: String,
    /// Quoted.
    pub(super) version: Option<String>,
    /// The function that makes JSON of a row. Hashes are of the text of `jsonb`, which takes longer to make.
    pub(super) json: &'static str,
    /// The function that makes JSON of the same type of names and values.
    pub(super) object: &'static str,
}

/// The columns of a document, quoted, by what may be done to them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Given in an insert.
    pub(super) insert: Vec<String>,
    /// Set in an update.
    pub(super) set: Vec<String>,
}

impl Session<'_> {
    /// The model's shape, checked. What was known of the table is asked for again before anything is refused.
    pub(super) async fn shape<M: Model>(&self) -> Result<Shape, SessionError> {
        let table = self.table(M::TABLE).await?;
        if let Ok(shape) = Shape::new::<M>(table) {
            return Ok(shape);
        }
        self.store.forget_table(M::TABLE);
        Shape::new::<M>(self.table(M::TABLE).await?)
    }

    pub(super) async fn table(&self, name: &'static str) -> Result<Arc<Table>, SessionError> {
        self.store.table(&self.tx, name).await.map_err(|error| {
            let problem = match error {
                TableError::Database(failure) => return SessionError::of_failure(failure),
                TableError::Name(problem) => problem.to_string(),
                TableError::Missing => {
                    "there is no such table, or this role does not see it".into()
                }
            };
            SessionError::Model { table: name, problem }
        })
    }

    /// The columns of a document, by what may be done to them; asked for again where one of them is not known.
    pub(super) async fn columns<'n>(
        &self,
        shape: &mut Shape,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Columns, SessionError> {
        if names.clone().any(|name| shape.table.column(name).is_none()) {
            self.store.forget_table(shape.name);
            shape.table = self.table(shape.name).await?;
        }
        shape.columns(names)
    }
}

impl Shape {
    fn new<M: Model>(table: Arc<Table>) -> Result<Self, SessionError> {
        let known = |what: &str, name: &str| match table.column(name) {
            Some(column) => Ok((quoted(&column.name).unwrap_or_default(), column.kind.clone())),
            None => Err(refused(
                M::TABLE,
                format!("{what} names {}, which is no column of the table", quote(name)),
            )),
        };
        let (key, key_kind) = known("`KEY`", M::KEY)?;
        let version = M::VERSION.map(|name| known("`VERSION`", name)).transpose()?;
        for rule in M::RULES {
            // A rule with a slip in its name would let a secret through.
            known("`RULES`", rule.column())?;
            if rule.column() == M::KEY {
                let problem =
                    "`RULES` names the key, which every action tells as the id of its object";
                return Err(refused(M::TABLE, problem.to_owned()));
            }
        }
        let hashes = M::RULES.iter().any(|rule| matches!(rule, Rule::Hash(_)));
        let (json, object) = if hashes {
            ("to_jsonb", "jsonb_build_object")
        } else {
            ("row_to_json", "json_build_object")
        };
        let version = version.map(|(name, _)| name);
        Ok(Self { name: M::TABLE, table, key, key_kind, version, json, object })
    }

    fn columns<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<Columns, SessionError> {
        let mut columns = Columns { insert: Vec::new(), set: Vec::new() };
        for name in names {
            let Some(column) = self.table.column(name) else {
                let problem = format!(
                    "{} is no column of the table; keep a field out with `#[serde(skip)]`",
                    quote(name)
                );
                return Err(refused(self.name, problem));
            };
            let sql = quoted(&column.name).unwrap_or_default();
            let fixed = sql == self.key || Some(&sql) == self.version.as_ref();
            if column.write == Write::Free && !fixed {
                columns.set.push(sql.clone());
            }
            if column.write != Write::Generated {
                columns.insert.push(sql);
            }
        }
        Ok(columns)
    }
}

pub(super) fn refused(table: &'static str, problem: String) -> SessionError {
    SessionError::Model { table, problem }
}
