//! From the texts of a row to the actions about it.

use super::diff::diff;
use super::{Change, Emitter, Hook, Model, RawRow, plain};
use crate::action::NewAction;
use crate::resource::ResourceRef;

/// The texts of a row that changed, as the database returned them.
#[derive(Clone, Copy)]
pub(crate) enum RowChange<'a> {
    Created(&'a str),
    /// What is not in `before` is as in `after`.
    Updated {
        before: &'a str,
        after: &'a str,
    },
    Deleted(&'a str),
}

/// Why a change leads to no actions. Nothing in it is a value of the row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("{reason}")]
    Refused { object: ResourceRef, reason: String },
    #[error("{0}")]
    Misfit(String),
}

/// What a change led to.
pub(crate) struct Captured<M> {
    /// The row as it is now, or was before it was deleted.
    pub(crate) row: M,
    /// None where only excluded columns changed.
    pub(crate) actions: Vec<NewAction>,
}

/// Asks the model's hook what a change means.
pub(crate) fn capture<M: Hook>(
    template: &NewAction,
    change: RowChange<'_>,
) -> Result<Captured<M>, CaptureError> {
    match change {
        RowChange::Created(text) => {
            let (row, raw) = (read::<M>(text)?, take_apart(text)?);
            let emitter = emitter(template, &row, (None, Some(&raw)))?;
            let actions = ask(Change::Created(&row), emitter)?;
            Ok(Captured { row, actions })
        }
        RowChange::Deleted(text) => {
            let (row, raw) = (read::<M>(text)?, take_apart(text)?);
            let emitter = emitter(template, &row, (Some(&raw), None))?;
            let actions = ask(Change::Deleted(&row), emitter)?;
            Ok(Captured { row, actions })
        }
        RowChange::Updated { before, after } => {
            let row = read::<M>(after)?;
            let new = take_apart(after)?;
            let old = take_apart(before)?.over(&new);
            let emitter = emitter(template, &row, (Some(&old), Some(&new)))?;
            if emitter.is_idle() {
                return Ok(Captured { row, actions: Vec::new() });
            }
            let before = read(&old.to_text())?;
            let actions = ask(Change::Updated { before: &before, after: &row }, emitter)?;
            Ok(Captured { row, actions })
        }
    }
}

type Sides<'a> = (Option<&'a RawRow<'a>>, Option<&'a RawRow<'a>>);

/// An emitter with the diff. The id of the actions must be the text of the key: whoever looks for the actions of a row
/// knows nothing else.
fn emitter<'a, M: Hook>(
    template: &'a NewAction,
    row: &M,
    (old, new): Sides<'_>,
) -> Result<Emitter<'a>, CaptureError> {
    let resource = row.resource();
    let key = new.or(old).and_then(|raw| raw.value(M::KEY, 0)).map(plain);
    if key.as_deref() != Some(resource.id.as_str()) {
        return Err(CaptureError::Misfit(format!(
            "`Resource::resource` gives another id than the column `{}` of its row has",
            M::KEY
        )));
    }
    Ok(Emitter::new(template, resource, diff(M::RULES, old, new)))
}

fn ask<M: Hook>(
    change: Change<'_, M>,
    mut emitter: Emitter<'_>,
) -> Result<Vec<NewAction>, CaptureError> {
    M::on_save(change, &mut emitter);
    emitter.finish(change).map_err(|reason| {
        let object = change.model().resource();
        CaptureError::Refused { object, reason }
    })
}

fn take_apart(text: &str) -> Result<RawRow<'_>, CaptureError> {
    RawRow::parse(text).map_err(|_| CaptureError::Misfit("a row is no JSON object".to_owned()))
}

/// A row as the model.
pub(crate) fn read<M: Model>(text: &str) -> Result<M, CaptureError> {
    serde_json::from_str(text).map_err(|error| CaptureError::Misfit(misfit(text, &error)))
}

/// What does not fit, without the value: `serde_json`'s own message would quote it.
fn misfit(text: &str, error: &serde_json::Error) -> String {
    let message = error.to_string();
    if message.starts_with("missing field") || message.starts_with("unknown field") {
        let end = message.find(',').or(message.find(" at line")).unwrap_or(message.len());
        return format!("the struct does not fit the row: {}", &message[..end]);
    }
    let row = RawRow::parse(text).ok();
    let column = row.as_ref().filter(|_| error.line() == 1);
    match column.and_then(|row| row.column_at(text, error.column())) {
        Some(column) => format!("the value of column `{column}` does not fit the struct's field"),
        None => "a value of the row does not fit the struct's field".to_owned(),
    }
}
