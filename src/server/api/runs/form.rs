//! Runs as JSON.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::action::form::{GivenParty, Party, time};
use crate::json::Json;
use crate::run::{Counts, ItemInfo, MessageInfo, RunInfo};

/// How many objects a run has, and what became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RunCounts)]
pub(crate) struct CountsForm {
    /// All of them.
    pub(crate) total: u32,
    /// Those of which nothing is known yet, or never will be where the run has ended.
    pub(crate) pending: u32,
    /// Those that were done.
    pub(crate) done: u32,
    /// Those with which there was nothing to do.
    pub(crate) skipped: u32,
    /// Those that the asker may not do it to.
    pub(crate) denied: u32,
    /// Those that failed.
    pub(crate) failed: u32,
}

impl From<Counts> for CountsForm {
    fn from(counts: Counts) -> Self {
        Self {
            total: counts.total,
            pending: counts.pending(),
            done: counts.done,
            skipped: counts.skipped,
            denied: counts.denied,
            failed: counts.failed,
        }
    }
}

/// One execution of an action.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunForm {
    /// Its id, which is the `run_id` of all that it did.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: Uuid,
    /// The type of its objects.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The name of the action.
    pub(crate) action: String,
    /// What people call that.
    pub(crate) label: String,
    /// `queued`, `running`; ended: `succeeded`, `partial` (some were not done), `failed`, `cancelled`, `refused`.
    pub(crate) state: &'static str,
    /// Whether it has ended.
    pub(crate) is_ended: bool,
    /// Who asked for it.
    #[schema(value_type = GivenParty)]
    pub(crate) actor: Value,
    /// Why.
    #[schema(required)]
    pub(crate) reason: Option<String>,
    /// The input, with `***` in place of secrets.
    #[schema(value_type = Json)]
    pub(crate) input: Value,
    /// What became of its objects.
    pub(crate) counts: CountsForm,
    /// When it was asked for.
    pub(crate) created_at: String,
    /// When it began; null before.
    #[schema(required)]
    pub(crate) started_at: Option<String>,
    /// When it ended; null before.
    #[schema(required)]
    pub(crate) ended_at: Option<String>,
    /// Whether a worker runs it.
    pub(crate) is_background: bool,
    /// The selection of its objects.
    #[schema(required, value_type = Option<String>, format = "uuid")]
    pub(crate) selection: Option<Uuid>,
    /// The run whose failed objects it tries again; null for none.
    #[schema(required, value_type = Option<String>, format = "uuid")]
    pub(crate) retry_of: Option<Uuid>,
    /// Who cancelled it, `TYPE:ID`; null where nobody did.
    #[schema(required)]
    pub(crate) cancelled_by: Option<String>,
    /// Why it failed as a whole; null where it did not.
    #[schema(required)]
    pub(crate) error: Option<String>,
    /// What it waits for at present: a worker elsewhere that is not there; null where it goes on.
    #[schema(required)]
    pub(crate) waiting: Option<String>,
    /// The permission that allowed it; null where it takes none.
    #[schema(required)]
    pub(crate) permission: Option<String>,
}

impl From<&RunInfo> for RunForm {
    fn from(run: &RunInfo) -> Self {
        Self {
            id: run.id,
            kind: run.kind.to_string(),
            action: run.name.clone(),
            label: run.label.clone(),
            state: run.state.as_str(),
            is_ended: run.state.is_ended(),
            actor: json!(Party::from(&run.actor)),
            reason: run.reason.clone(),
            input: run.input.clone(),
            counts: run.counts.into(),
            created_at: time(run.created_at),
            started_at: run.started_at.map(time),
            ended_at: run.ended_at.map(time),
            is_background: run.is_background,
            selection: run.selection,
            retry_of: run.retry_of,
            cancelled_by: run.cancelled_by.as_ref().map(ToString::to_string),
            error: run.error.clone(),
            waiting: run.waiting.clone(),
            permission: run.permission.clone(),
        }
    }
}

/// An object of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunItem)]
pub(crate) struct ItemForm {
    /// Its place in the selection, from 0.
    pub(crate) place: u32,
    /// The object, as it was called when it was selected.
    #[schema(value_type = GivenParty)]
    pub(crate) object: Value,
    /// What became of it: `pending`, `done`, `skipped`, `denied` or `failed`.
    pub(crate) outcome: &'static str,
    /// Why; null where it was done.
    #[schema(required)]
    pub(crate) note: Option<String>,
    /// When; null where it is pending.
    #[schema(required)]
    pub(crate) settled_at: Option<String>,
}

impl From<&ItemInfo> for ItemForm {
    fn from(item: &ItemInfo) -> Self {
        Self {
            place: item.place,
            object: json!({ "type": item.object.kind, "id": item.object.id, "name": item.name }),
            outcome: item.outcome.as_str(),
            note: item.note.clone(),
            settled_at: item.settled_at.map(time),
        }
    }
}

/// A message of a run to whoever asked for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunMessage)]
pub(crate) struct MessageForm {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// How much it matters: `debug`, `info`, `success`, `warning` or `error`.
    pub(crate) level: &'static str,
    /// The text.
    pub(crate) text: String,
    /// When it was told.
    pub(crate) told_at: String,
}

impl From<&MessageInfo> for MessageForm {
    fn from(message: &MessageInfo) -> Self {
        Self {
            number: message.number,
            level: message.level.as_str(),
            text: message.text.clone(),
            told_at: time(message.told_at),
        }
    }
}

/// An example of a run that has ended.
pub(super) fn example() -> Value {
    json!({
        "id": "0199f3c1-7a52-7b1e-9c54-0e4a5d1f2b3c",
        "type": "article",
        "action": "publish",
        "label": "Publish articles",
        "state": "partial",
        "is_ended": true,
        "actor": {"type": "user", "id": "ann", "name": "Ann"},
        "reason": "OPS-123",
        "input": {"notify": true},
        "counts": {"total": 43, "pending": 0, "done": 40, "skipped": 1, "denied": 0, "failed": 2},
        "created_at": "2026-11-20T14:03:20.123456Z",
        "started_at": "2026-11-20T14:03:20.125000Z",
        "ended_at": "2026-11-20T14:03:20.500000Z",
        "is_background": false,
        "selection": "0199f3c1-7a52-4b1e-9c54-0e4a5d1f2b3c",
        "retry_of": null,
        "cancelled_by": null,
        "error": null,
        "waiting": null,
        "permission": "article.publish",
    })
}

/// The same while it waits for a worker.
pub(super) fn queued() -> Value {
    let mut run = example();
    run["state"] = "queued".into();
    run["is_ended"] = false.into();
    run["is_background"] = true.into();
    run["counts"] =
        json!({"total": 43, "pending": 43, "done": 0, "skipped": 0, "denied": 0, "failed": 0});
    run["started_at"] = Value::Null;
    run["ended_at"] = Value::Null;
    run
}
