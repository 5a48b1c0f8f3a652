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
use crate::store::{BATCH_LEN_MAX, Receipt, Rising, Stamped, Store, insert};

/// What to do about an action that is too large, mostly because of a diff.
const LARGE: &str = "; give large columns a rule that excludes, masks or hashes them";

impl Session<'_> {
    /// Records actions; those without a time happened at `now`.
    pub(super) async fn append(
        &mut self,
        actions: Vec<NewAction>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ActionId>, SessionError> {
        let stamped = stamp(&self.store, &self.ctx, &mut self.ids, (actions, now))?;
        append(&self.tx, &stamped).await
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

/// Gives actions their ids, and checks them; those without a time happened at `now`. Ids rise from one to the next of the
/// same microsecond, so that a stream has them in the order in which they were emitted.
pub(super) fn stamp(
    store: &Store,
    ctx: &Context,
    ids: &mut Rising,
    (actions, now): (Vec<NewAction>, DateTime<Utc>),
) -> Result<Vec<Stamped>, SessionError> {
    let mut stamped = Vec::with_capacity(actions.len());
    for mut action in actions {
        if action.tenant != ctx.tenant {
            let (given, session) = (action.tenant.to_string(), ctx.tenant.to_string());
            return Err(SessionError::Tenant { given, session });
        }
        if action.id.is_none() {
            let at = *action.occurred_at.get_or_insert(now);
            action.id = Some(ids.next(at));
        }
        let verb = action.verb.clone();
        let object = action.object.as_ref().map(|object| object.resource.clone());
        let wrong = |problem| of_action(verb, object, problem);
        stamped.push(store.stamp(action).map_err(wrong)?);
    }
    Ok(stamped)
}

/// The INSERT, and the ids in the order of the actions.
pub(super) async fn append(
    tx: &Transaction<'_>,
    stamped: &[Stamped],
) -> Result<Vec<ActionId>, SessionError> {
    let mut ids = Vec::with_capacity(stamped.len());
    for batch in stamped.chunks(BATCH_LEN_MAX) {
        for receipt in insert(tx, batch).await.map_err(SessionError::of_append)? {
            match receipt {
                Receipt::Conflict(id) => return Err(SessionError::Conflict(id)),
                told => ids.push(told.id()),
            }
        }
    }
    Ok(ids)
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
