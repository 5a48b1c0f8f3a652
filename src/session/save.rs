//! Saving models: inserting what is new, updating what is different.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::begin::Session;
use super::document::{Document, RowText};
use super::error::SessionError;
use super::record::{ask, cell, read_row};
use super::shape::{Columns, Shape, refused};
use super::statement;
use super::written::{SaveOutcome, Saved, Written};
use crate::action::{NewAction, Source};
use crate::hook::{Hook, RawRow, RowChange};
use crate::resource::ResourceRef;

/// Models that are sent in one statement. More are sent as several, in the same transaction and run.
pub const SAVE_LEN_MAX: usize = 1_000;
/// How often documents are sent without any of them being taken, before the session gives up.
const ATTEMPTS_MAX: u32 = 10;
/// Models from which a statement is planned for itself, which takes 2 ms. A plan that is kept may have been made when the
/// table was empty: it reads all of the table for each model, and a table that is being filled is not empty for long.
const PLAN_LEN_MIN: usize = 50;

/// A model as JSON, and the columns it has.
struct Sheet {
    text: String,
    columns: Vec<String>,
    /// Without a key the database makes one.
    keyed: Keyed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyed {
    ByModel,
    ByDatabase,
}

/// What became of one document.
struct Done<M> {
    row: M,
    outcome: SaveOutcome,
    actions: Vec<NewAction>,
}

impl Session<'_> {
    /// Saves a model: a new row where its key is not in the table, else an update of the columns that the struct has,
    /// where one of them is different. A row that is the same is not touched, and nothing is recorded.
    ///
    /// # Errors
    /// A stale version, a refusal of the hook, a model that does not fit its table, an action that cannot be stored, and
    /// the database's.
    pub async fn save<M: Hook>(&mut self, model: &M) -> Result<Saved<M>, SessionError> {
        self.enter()?;
        let mut shape = self.shape::<M>().await?;
        let sheets = [Sheet::of(model)?];
        let template = self.template(Source::Save);
        let mut saved = None;
        let mut written = Written::default();
        self.save_sheets(&mut shape, &sheets, &template, &mut written, |row| saved = Some(row))
            .await?;
        let (row, outcome) = saved.ok_or(SessionError::Unusable)?;
        self.leave();
        Ok(Saved { row, outcome, actions: written.actions })
    }

    /// Saves many models as [`Session::save`] does, in statements of up to 1,000, as one run. Where a key stands twice,
    /// the later one is saved after the earlier one.
    ///
    /// # Errors
    /// As [`Session::save`]; nothing of it is saved then.
    pub async fn save_all<M: Hook>(&mut self, models: &[M]) -> Result<Written, SessionError> {
        self.enter()?;
        let mut written = Written::default();
        if models.is_empty() {
            self.leave();
            return Ok(written);
        }
        let mut shape = self.shape::<M>().await?;
        let template = self.bulk_template(&mut written);
        for models in models.chunks(SAVE_LEN_MAX) {
            let sheets = models.iter().map(Sheet::of).collect::<Result<Vec<_>, _>>()?;
            // A statement has one list of columns: models that leave fields out are sent apart.
            for like in sheets.chunk_by(|a, b| a.keyed == b.keyed && a.columns == b.columns) {
                self.save_sheets(&mut shape, like, &template, &mut written, |_: (M, _)| ()).await?;
            }
        }
        self.leave();
        Ok(written.ended())
    }

    /// Saves documents of the same columns, until each of them is done.
    async fn save_sheets<M: Hook>(
        &mut self,
        shape: &mut Shape,
        sheets: &[Sheet],
        template: &NewAction,
        written: &mut Written,
        mut each: impl FnMut((M, SaveOutcome)),
    ) -> Result<(), SessionError> {
        let Some(first) = sheets.first() else { return Ok(()) };
        let names = first.columns.iter().map(String::as_str);
        let columns = self.columns(shape, names).await?;
        let sql = first.keyed.sql(shape, &columns)?;
        let mut pending: Vec<&Sheet> = sheets.iter().collect();
        let mut attempts = 0;
        while !pending.is_empty() {
            let contended = SessionError::Contended { table: shape.name, rows: pending.len() };
            if attempts == ATTEMPTS_MAX {
                return Err(contended);
            }
            let rows = self.send(shape, &sql, &pending).await?;
            if rows.len() < pending.len() {
                return Err(contended);
            }
            let (mut missed, mut actions) = (Vec::new(), Vec::new());
            for (n, row) in rows.iter().enumerate() {
                let Some(done) = done::<M>(first.keyed, template, row)? else {
                    missed.push(pending[n]);
                    continue;
                };
                written.count(done.outcome);
                actions.extend(done.actions);
                each((done.row, done.outcome));
            }
            written.actions += self.append(actions, self.store.now()).await?.len() as u64;
            attempts = if missed.len() < pending.len() { 0 } else { attempts + 1 };
            pending = missed;
        }
        Ok(())
    }

    async fn send(
        &self,
        shape: &Shape,
        sql: &str,
        sheets: &[&Sheet],
    ) -> Result<Vec<Row>, SessionError> {
        const WHAT: &str = "save the rows";
        let mut documents = String::with_capacity(sheets.iter().map(|s| s.text.len() + 1).sum());
        for sheet in sheets {
            documents.push(if documents.is_empty() { '[' } else { ',' });
            documents.push_str(&sheet.text);
        }
        documents.push(']');
        let document = Document(&documents);
        let rows = if sheets.len() < PLAN_LEN_MIN {
            let statement = self.prepare(shape, sql).await?;
            let params: [&(dyn ToSql + Sync); 1] = [&document];
            let query = self.tx.query(&statement, &params);
            self.marked(WHAT, &shape.table.sql, query).await
        } else {
            let params: [(&(dyn ToSql + Sync), Type); 1] = [(&document, Type::JSON)];
            let query = self.tx.query_typed(sql, &params);
            self.marked(WHAT, &shape.table.sql, query).await
        };
        rows.inspect_err(|error| self.doubt(shape, error))
    }
}

/// What became of a document, from the row that tells of it; nothing where it has to be sent again.
fn done<M: Hook>(
    keyed: Keyed,
    template: &NewAction,
    row: &Row,
) -> Result<Option<Done<M>>, SessionError> {
    if keyed == Keyed::ByDatabase {
        let change = RowChange::Created(cell::<RowText<'_>>(row, 0)?.0);
        return changed(SaveOutcome::Created, template, change, cell(row, 1)?).map(Some);
    }
    let old = cell::<Option<RowText<'_>>>(row, 3)?.map(|text| text.0);
    let new = cell::<Option<RowText<'_>>>(row, 4)?.map(|text| text.0);
    let (given, found): (Option<&str>, Option<&str>) = (cell(row, 1)?, cell(row, 2)?);
    match (old, new) {
        (None, None) => Ok(None),
        (Some(old), _) if given != found => Err(stale::<M>(old, given, found)?),
        (Some(old), None) => {
            let row = read_row(old)?;
            Ok(Some(Done { row, outcome: SaveOutcome::Unchanged, actions: Vec::new() }))
        }
        (None, Some(new)) => {
            let change = RowChange::Created(new);
            changed(SaveOutcome::Created, template, change, cell(row, 5)?).map(Some)
        }
        (Some(before), Some(after)) => {
            let change = RowChange::Updated { before, after };
            changed(SaveOutcome::Updated, template, change, cell(row, 5)?).map(Some)
        }
    }
}

fn changed<M: Hook>(
    outcome: SaveOutcome,
    template: &NewAction,
    change: RowChange<'_>,
    at: DateTime<Utc>,
) -> Result<Done<M>, SessionError> {
    let captured = ask::<M>(template, change, at)?;
    Ok(Done { row: captured.row, outcome, actions: captured.actions })
}

impl Sheet {
    /// A key that is null or left out is made by the database.
    fn of<M: Hook>(model: &M) -> Result<Self, SessionError> {
        let problem = "it does not serialise to a JSON object, as a struct with named fields does";
        let wrong = |_| refused(M::TABLE, problem.to_owned());
        let text = serde_json::to_string(model).map_err(wrong)?;
        let raw = RawRow::parse(&text).map_err(wrong)?;
        let given = raw.value(M::KEY, 0).is_some_and(|key| key != "null");
        let keyed = if given { Keyed::ByModel } else { Keyed::ByDatabase };
        let names = raw.fields().map(|(name, _)| name);
        let columns = names.filter(|name| given || *name != M::KEY).map(str::to_owned).collect();
        Ok(Self { text, columns, keyed })
    }
}

impl Keyed {
    fn sql(self, shape: &Shape, columns: &Columns) -> Result<String, SessionError> {
        match self {
            Self::ByModel => Ok(statement::save(shape, columns)),
            Self::ByDatabase if columns.insert.is_empty() => {
                let problem = "there is nothing to insert: the model has neither a key nor a value";
                Err(refused(shape.name, problem.to_owned()))
            }
            Self::ByDatabase => Ok(statement::insert(shape, columns)),
        }
    }
}

impl Written {
    fn count(&mut self, outcome: SaveOutcome) {
        match outcome {
            SaveOutcome::Created => self.created += 1,
            SaveOutcome::Updated => self.updated += 1,
            SaveOutcome::Unchanged => self.unchanged += 1,
        }
    }
}

/// The object is named by the row, for the model need not have its key as the database writes it.
fn stale<M: Hook>(
    row: &str,
    given: Option<&str>,
    found: Option<&str>,
) -> Result<SessionError, SessionError> {
    let object: ResourceRef = read_row::<M>(row)?.resource();
    let text = |version: Option<&str>| version.unwrap_or("none").to_owned();
    Ok(SessionError::Stale { object, given: text(given), found: text(found) })
}
