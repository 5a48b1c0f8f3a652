//! A statement of a file, run on the selected objects.

use std::collections::HashMap;

use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Column, Row, Statement};
use uuid::Uuid;

use super::super::effect::Operation;
use super::super::piece::{Fate, Fault, OUTCOMES, Piece};
use crate::error::quote;
use crate::json::Json;

/// What becomes of objects that a statement returns nothing of.
const UNTOUCHED: &str = "nothing was to be done";

/// A statement on the selected objects. `$1` is the array of their ids as texts, `$2` the input as `jsonb`; it runs in the
/// transaction of the piece, with the run's context for the triggers of tracked tables.
///
/// | it returns | then |
/// |---|---|
/// | no columns | all objects are done |
/// | one column, ids | these are done, the others are skipped: nothing was to be done |
/// | three columns: id, outcome, message | each is as it says: `done`, `skipped`, `denied` or `failed`; the others are skipped |
///
/// An id is a text, a whole number or a UUID. What the statement says of other objects is a fault, and so is an error:
/// the piece is tried in smaller parts, until it is known which objects fail.
#[derive(Clone, Debug)]
pub struct Sql(String);

impl Sql {
    /// A statement; it is checked by the database when it runs.
    #[must_use]
    pub fn new(statement: impl Into<String>) -> Self {
        Self(statement.into())
    }
}

impl Operation for Sql {
    type Input = Value;

    async fn run(&self, piece: &mut Piece<'_, '_>, input: &Value) -> Result<(), Fault> {
        let failed = |error| Fault::caused("the statement failed", error);
        let ids: Vec<String> =
            piece.items().iter().map(|item| item.object.id.to_string()).collect();
        let input = Json::from(input.clone());
        let tx = piece.session().transaction();
        let types = [Type::TEXT_ARRAY, Type::JSONB];
        let statement = tx.prepare_typed(&self.0, &types).await.map_err(failed)?;
        let shape = Shape::of(&statement)?;
        let params: [&(dyn ToSql + Sync); 2] = [&ids, &input];
        let rows = tx.query(&statement, &params).await.map_err(failed)?;
        if shape == Shape::Nothing {
            return Ok(());
        }
        let mut fates: Vec<_> = ids.iter().map(|_| Fate::Skipped(UNTOUCHED.to_owned())).collect();
        let places: HashMap<&str, usize> = ids.iter().map(String::as_str).zip(0..).collect();
        for row in &rows {
            let id = id(row)?;
            let Some(&place) = places.get(id.as_str()) else {
                let problem = "the statement returns the id of an object that it was not given";
                return Err(Fault::new(format!("{problem}: {}", quote(&id))));
            };
            fates[place] = shape.fate(row)?;
        }
        for (place, fate) in fates.into_iter().enumerate() {
            piece.settle(place, fate);
        }
        Ok(())
    }
}

/// What a statement returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Nothing,
    Ids,
    Fates,
}

impl Shape {
    fn of(statement: &Statement) -> Result<Self, Fault> {
        let kinds: Vec<_> = statement.columns().iter().map(Column::type_).collect();
        let is_id = |kind: &Type| is_text(kind) || WHOLE.contains(kind) || *kind == Type::UUID;
        match kinds[..] {
            [] => Ok(Self::Nothing),
            [id] if is_id(id) => Ok(Self::Ids),
            [id, outcome, message] if is_id(id) && is_text(outcome) && is_text(message) => {
                Ok(Self::Fates)
            }
            _ => {
                let found: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                Err(Fault::new(format!(
                    "the statement returns ({}); return nothing, the ids, or id, outcome and message: ids are texts, \
                     whole numbers or UUIDs, the others texts",
                    found.join(", ")
                )))
            }
        }
    }

    fn fate(self, row: &Row) -> Result<Fate, Fault> {
        if self == Self::Ids {
            return Ok(Fate::Done);
        }
        let text = |index| row.get::<_, Option<&str>>(index).unwrap_or_default();
        let outcome = text(1);
        Fate::of(outcome, text(2).to_owned()).ok_or_else(|| {
            let problem = "the statement returns the outcome";
            Fault::new(format!("{problem} {}; there are {OUTCOMES}", quote(outcome)))
        })
    }
}

const WHOLE: [Type; 3] = [Type::INT2, Type::INT4, Type::INT8];

fn is_text(kind: &Type) -> bool {
    matches!(*kind, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME)
}

/// The text of an id; the type of its column was looked at before.
fn id(row: &Row) -> Result<String, Fault> {
    let kind = row.columns()[0].type_();
    let read = match *kind {
        Type::INT2 => row.try_get::<_, i16>(0).map(|id| id.to_string()),
        Type::INT4 => row.try_get::<_, i32>(0).map(|id| id.to_string()),
        Type::INT8 => row.try_get::<_, i64>(0).map(|id| id.to_string()),
        Type::UUID => row.try_get::<_, Uuid>(0).map(|id| id.to_string()),
        _ => row.try_get::<_, String>(0),
    };
    read.map_err(|_| Fault::new("the statement returns a null as an id"))
}
