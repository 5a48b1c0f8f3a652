//! Bulk operations: one statement, whose rows are fetched and recorded piece by piece.

use std::pin::pin;

use deadpool_postgres::Transaction;
use futures_util::FutureExt as _;
use serde::Serialize;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Portal, Row, Statement};
use uuid::Uuid;

use super::begin::Session;
use super::document::{Document, Hidden, RowText};
use super::error::{SessionError, database};
use super::record::{append, ask, cell, read_row, stamp};
use super::selection::{SELECTION_LEN_MAX, Selection, Which};
use super::shape::{Shape, refused};
use super::statement;
use super::written::Written;
use crate::action::{NewAction, Source};
use crate::error::quote;
use crate::hook::{Hook, Model, RawRow, RowChange};
use crate::store::prepare_new;

/// Changed rows of a piece: they are fetched, their actions appended, and forgotten. Three pieces are held at a time, one that
/// hooks are asked about and two under way.
pub const FETCH_LEN_MAX: u16 = 1_000;

/// Tells from a row of the statement what became of a row of the table.
type Reader = fn(&Row) -> Result<RowChange<'_>, SessionError>;

impl Session<'_> {
    /// A row of a model's table by the text of its key. It is not locked.
    ///
    /// # Errors
    /// A model that does not fit its table, an id that is none of the key's type, and the database's.
    pub async fn find<M: Model>(&mut self, id: impl ToString) -> Result<Option<M>, SessionError> {
        self.enter()?;
        let shape = self.shape::<M>().await?;
        let id = id.to_string();
        let rows = self.query("read the row", &statement::find(&shape), &[&id]).await?;
        let row = match rows.first() {
            Some(row) => Some(read_row(cell::<RowText<'_>>(row, 0)?.0)?),
            None => None,
        };
        self.leave();
        Ok(row)
    }

    /// Sets columns of all selected rows: `session.update::<Article>(Selection::all(), &json!({ "state": "open" }))`. Rows
    /// that have these values already are not touched. One statement, and one run.
    ///
    /// # Errors
    /// A patch that is no object, or names the key, the version or no column; a refusal of the hook, an action that cannot
    /// be stored, and the database's. Nothing of it is done then.
    pub async fn update<M: Hook>(
        &mut self,
        selection: Selection<'_>,
        patch: &(impl Serialize + Sync),
    ) -> Result<Written, SessionError> {
        self.enter()?;
        let mut shape = self.shape::<M>().await?;
        let text = patch_text::<M>(patch)?;
        let raw = RawRow::parse(&text).map_err(|_| not_a_patch::<M>())?;
        let names = raw.fields().map(|(name, _)| name);
        let columns = self.columns(&mut shape, names.collect::<Vec<_>>().into_iter()).await?;
        if columns.set.is_empty() || columns.set.len() < raw.fields().count() {
            return Err(not_a_patch::<M>());
        }
        let filter = Filter::new(&shape, &selection)?;
        let sql = statement::update(&shape, &columns, &filter.condition, filter.params().len() + 1);
        let document = Document(&text);
        let mut params = filter.params();
        params.push(&document);
        let written = self.stream::<M>(&shape, &sql, &params, updated).await?;
        self.leave();
        Ok(written)
    }

    /// Deletes all selected rows. One statement, and one run.
    ///
    /// # Errors
    /// A refusal of the hook, an action that cannot be stored, and the database's. Nothing of it is done then.
    pub async fn delete<M: Hook>(
        &mut self,
        selection: Selection<'_>,
    ) -> Result<Written, SessionError> {
        self.enter()?;
        let shape = self.shape::<M>().await?;
        let filter = Filter::new(&shape, &selection)?;
        let sql = statement::delete(&shape, &filter.condition);
        let params = filter.params();
        let written = self.stream::<M>(&shape, &sql, &params, deleted).await?;
        self.leave();
        Ok(written)
    }

    /// Runs a bulk statement through a portal: the database keeps its rows, and hands out some at a time.
    async fn stream<M: Hook>(
        &mut self,
        shape: &Shape,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        change: Reader,
    ) -> Result<Written, SessionError> {
        const WHAT: &str = "change the rows";
        let statement = self.prepare(shape, sql).await?;
        let portal = self.tx.bind(&statement, params).await.map_err(database(WHAT))?;
        let mut written = Written::default();
        let template = self.bulk_template(&mut written);
        // The first fetch runs the whole statement, with its triggers.
        let first = self.tx.query_portal(&portal, i32::from(FETCH_LEN_MAX));
        let fetched = self.marked(WHAT, &shape.table.sql, first).await;
        let rows = fetched.inspect_err(|error| self.doubt(shape, error))?;
        self.record_pieces::<M>(rows, &portal, &template, (&mut written, change)).await?;
        Ok(written.ended())
    }

    /// Records the rows of a statement, piece by piece. The database hands out the next piece behind the INSERT that it is
    /// at, while hooks are asked about this one; and this one's INSERT is sent before that one has ended. So the database
    /// always has something to do.
    async fn record_pieces<M: Hook>(
        &mut self,
        mut rows: Vec<Row>,
        portal: &Portal,
        template: &NewAction,
        (written, change): (&mut Written, Reader),
    ) -> Result<(), SessionError> {
        if !rows.is_empty() {
            prepare_new(&self.tx).await.map_err(SessionError::of_append)?;
        }
        let mut under_way = None;
        while !rows.is_empty() {
            let mut next = pin!(fetch(&self.tx, portal, rows.len()));
            let early = next.as_mut().now_or_never();
            let actions = actions::<M>(&rows, template, written, change)?;
            let batch = stamp(&self.store, &self.ctx, &mut self.ids, (actions, self.store.now()))?;
            written.actions += batch.stamped.len() as u64;
            let before = under_way.take();
            if batch.is_one_statement() {
                let mut insert = Box::pin(append(&self.tx, batch));
                let early = insert.as_mut().now_or_never();
                finish(before).await?;
                match early {
                    Some(ended) => ended?,
                    None => under_way = Some(insert),
                }
            } else {
                // Several statements: none of a later piece may come between them.
                finish(before).await?;
                append(&self.tx, batch).await?;
            }
            rows = match early {
                Some(fetched) => fetched?,
                None => next.await?,
            };
        }
        finish(under_way).await
    }

    /// The template of a bulk operation's actions, and its run: the context's, or a new one.
    pub(super) fn bulk_template(&mut self, written: &mut Written) -> NewAction {
        let run: Uuid = self.ctx.run.unwrap_or_else(|| self.ids.next(self.store.now()).uuid());
        written.run = Some(run);
        let mut template = self.template(Source::Bulk);
        template.run = Some(run);
        template
    }

    pub(super) async fn prepare(
        &self,
        shape: &Shape,
        sql: &str,
    ) -> Result<Statement, SessionError> {
        let statement = self.tx.prepare_cached(sql).await.map_err(database("prepare a statement"));
        statement.inspect_err(|error| self.doubt(shape, error))
    }

    /// After an error about names, what is known of the table may be out of date.
    pub(super) fn doubt(&self, shape: &Shape, error: &SessionError) {
        if error.code().is_some_and(|code| code.code().starts_with("42")) {
            self.store.forget_table(shape.name);
        }
    }
}

/// The next piece; none after one that was not full.
async fn fetch(
    tx: &Transaction<'_>,
    portal: &Portal,
    before: usize,
) -> Result<Vec<Row>, SessionError> {
    if before < usize::from(FETCH_LEN_MAX) {
        return Ok(Vec::new());
    }
    let fetch = tx.query_portal(portal, i32::from(FETCH_LEN_MAX));
    fetch.await.map_err(database("fetch the changed rows"))
}

/// Waits for an INSERT that is under way.
async fn finish(
    under_way: Option<impl Future<Output = Result<(), SessionError>>>,
) -> Result<(), SessionError> {
    match under_way {
        Some(insert) => insert.await,
        None => Ok(()),
    }
}

/// Asks the hook about each row of a piece.
fn actions<M: Hook>(
    rows: &[Row],
    template: &NewAction,
    written: &mut Written,
    change: Reader,
) -> Result<Vec<NewAction>, SessionError> {
    let mut actions = Vec::with_capacity(rows.len());
    for row in rows {
        let change = change(row)?;
        match change {
            RowChange::Created(_) => written.created += 1,
            RowChange::Updated { .. } => written.updated += 1,
            RowChange::Deleted(_) => written.deleted += 1,
        }
        actions.extend(ask::<M>(template, change, cell(row, row.len() - 1)?)?.actions);
    }
    Ok(actions)
}

fn updated(row: &Row) -> Result<RowChange<'_>, SessionError> {
    let [before, after] = [cell::<RowText<'_>>(row, 0)?.0, cell::<RowText<'_>>(row, 1)?.0];
    Ok(RowChange::Updated { before, after })
}

fn deleted(row: &Row) -> Result<RowChange<'_>, SessionError> {
    Ok(RowChange::Deleted(cell::<RowText<'_>>(row, 0)?.0))
}

/// A selection as a condition and its parameters.
struct Filter<'a> {
    condition: String,
    ids: Option<&'a [String]>,
    hidden: Vec<Hidden<'a>>,
}

impl<'a> Filter<'a> {
    fn new(shape: &Shape, selection: &'a Selection<'a>) -> Result<Self, SessionError> {
        let (condition, ids, params): (_, _, &[&(dyn ToSql + Sync)]) = match &selection.0 {
            Which::All => ("true".to_owned(), None, &[]),
            Which::Ids(ids) if ids.len() > SELECTION_LEN_MAX => {
                let (given, max) = (ids.len(), SELECTION_LEN_MAX);
                return Err(SessionError::Selection { given, max });
            }
            Which::Ids(ids) => {
                let condition = format!("t.{} = ANY ($1::text[]::{}[])", shape.key, shape.key_kind);
                (condition, Some(ids.as_slice()), &[])
            }
            Which::Matching(condition, params) => ((*condition).to_owned(), None, params),
        };
        let hidden = params.iter().map(|param| Hidden(*param)).collect();
        Ok(Self { condition, ids, hidden })
    }

    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        let ids = self.ids.iter().map(|ids| ids as &(dyn ToSql + Sync));
        ids.chain(self.hidden.iter().map(|param| param as &(dyn ToSql + Sync))).collect()
    }
}

fn patch_text<M: Model>(patch: &impl Serialize) -> Result<String, SessionError> {
    serde_json::to_string(patch).map_err(|_| not_a_patch::<M>())
}

fn not_a_patch<M: Model>() -> SessionError {
    let version =
        M::VERSION.map(|name| format!(", the version {}", quote(name))).unwrap_or_default();
    refused(
        M::TABLE,
        format!(
            "a patch is an object of columns and their new values, such as {{\"state\": \"open\"}}, without the key \
             {}{version} and generated columns",
            quote(M::KEY)
        ),
    )
}
