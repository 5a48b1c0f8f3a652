//! Rows of a statement become actions in the log.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::begin::Session;
use super::error::SessionError;
use super::shape::refused;
use crate::action::{ActionId, InvalidAction, NewAction};
use crate::context::Context;
use crate::hook::{CaptureError, Captured, Hook, Model, RowChange, capture, read};
use crate::resource::ResourceRef;
use crate::store::{BATCH_LEN_MAX, Receipt, Rising, Stamped, Store, insert, insert_new};

/// What to do about an action that is too large, mostly because of a diff.
const LARGE: &str = "; give large columns a rule that excludes, masks or hashes them";

impl Session<'_> {
    /// Records actions; those without a time happened at `now`.
    pub(super) async fn append(
        &mut self,
        actions: Vec<NewAction>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ActionId>, SessionError> {
        let batch = stamp(&self.store, &self.ctx, &mut self.ids, (actions, now))?;
        let ids = batch.stamped.iter().map(|stamped| stamped.id).collect();
        append(&self.tx, batch).await?;
        Ok(ids)
    }
}

/// Asks the hook about a change of a row, and gives its actions the time of the change.
pub(super) fn ask<M: Hook>(
    template: &NewAction,
    change: RowChange<'_>,
    at: DateTime<Utc>,
) -> Result<Captured<M>, SessionError> {
    let mut captured = capture::<M>(template, change).map_err(of_capture::<M>)?;
    for action in &mut captured.actions {
        action.occurred_at.get_or_insert(at);
    }
    Ok(captured)
}

/// Actions that are ready to be stored.
pub(super) struct Batch {
    pub(super) stamped: Vec<Stamped>,
    /// Whether one of them had an id before, which the log may have already.
    has_given_ids: bool,
}

impl Batch {
    /// Whether [`append`] sends all of it when it is first polled, once statements are prepared.
    pub(super) fn is_one_statement(&self) -> bool {
        !self.has_given_ids && self.stamped.len() <= BATCH_LEN_MAX
    }
}

/// Gives actions their ids, and checks them; those without a time happened at `now`. Ids rise from one to the next of the
/// same microsecond, so that a stream has them in the order in which they were emitted.
pub(super) fn stamp(
    store: &Store,
    ctx: &Context,
    ids: &mut Rising,
    (actions, now): (Vec<NewAction>, DateTime<Utc>),
) -> Result<Batch, SessionError> {
    let mut batch = Batch { stamped: Vec::with_capacity(actions.len()), has_given_ids: false };
    for mut action in actions {
        if action.tenant != ctx.tenant {
            let (given, session) = (action.tenant.to_string(), ctx.tenant.to_string());
            return Err(SessionError::Tenant { given, session });
        }
        if action.id.is_some() {
            batch.has_given_ids = true;
        } else {
            let at = *action.occurred_at.get_or_insert(now);
            action.id = Some(ids.next(at));
        }
        let verb = action.verb.clone();
        let object = action.object.as_ref().map(|object| object.resource.clone());
        let wrong = |problem| of_action(verb, object, problem);
        batch.stamped.push(store.stamp(action).map_err(wrong)?);
    }
    Ok(batch)
}

/// The INSERT.
pub(super) async fn append(tx: &Transaction<'_>, batch: Batch) -> Result<(), SessionError> {
    for stamped in batch.stamped.chunks(BATCH_LEN_MAX) {
        if !batch.has_given_ids {
            insert_new(tx, stamped).await.map_err(SessionError::of_append)?;
            continue;
        }
        for receipt in insert(tx, stamped).await.map_err(SessionError::of_append)? {
            if let Receipt::Conflict(id) = receipt {
                return Err(SessionError::Conflict(id));
            }
        }
    }
    Ok(())
}

/// A row as the model.
pub(super) fn read_row<M: Model>(text: &str) -> Result<M, SessionError> {
    read(text).map_err(of_capture::<M>)
}

/// A column of a row that one of our statements returned.
pub(super) fn cell<'r, T: FromSql<'r>>(row: &'r Row, index: usize) -> Result<T, SessionError> {
    row.try_get(index).map_err(super::error::database("read the changed rows"))
}

fn of_capture<M: Model>(error: CaptureError) -> SessionError {
    match error {
        CaptureError::Refused { object, reason } => SessionError::Refused { object, reason },
        CaptureError::Misfit(problem) => refused(M::TABLE, problem),
    }
}

fn of_action(verb: String, object: Option<ResourceRef>, problem: InvalidAction) -> SessionError {
    let object = object.map_or_else(|| "nothing".to_owned(), |object| object.to_string());
    let advice = if matches!(problem, InvalidAction::Payload { .. }) { LARGE } else { "" };
    SessionError::Action { verb, object, problem: Box::new(problem), advice }
}
