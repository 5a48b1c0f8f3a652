//! A plan as JSON.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::form::CountsForm;
use crate::action::form::{GivenParty, Party, time};
use crate::definition::{Consequence, Consequences};
use crate::json::Json;
use crate::resource::ResourceRef;
use crate::run::{Plan, Planned};
use crate::server::api::selections::{self, SelectionForm};

/// What would happen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanForm {
    /// The objects.
    pub(crate) selection: SelectionForm,
    /// What the action is called for so many objects.
    pub(crate) label: String,
    /// What became of the first objects, with which it was tried and undone. All are 0 where it cannot be tried, since it is
    /// done elsewhere.
    pub(crate) tried: CountsForm,
    /// Some of these objects, and what would be recorded of them.
    pub(crate) sample: Vec<PlannedForm>,
    /// What the action said.
    pub(crate) messages: Vec<SaidForm>,
    /// What else would happen, of the objects with which it was tried.
    pub(crate) consequences: ConsequencesForm,
    /// Objects that were changed by somebody since they were selected or last planned, up to 20.
    pub(crate) changed: Vec<ResourceRef>,
    /// Whether it runs with the token only.
    pub(crate) needs_confirmation: bool,
    /// What stands for this plan: for who asked, the selection, the input, and the objects as they are now.
    pub(crate) token: String,
    /// From when on the token is refused.
    pub(crate) expires_at: String,
}

/// What would happen to rows that were not selected.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consequences)]
pub(crate) struct ConsequencesForm {
    /// By what happens to them, then by table.
    pub(crate) items: Vec<ConsequenceForm>,
    /// Whether that is everything; otherwise the numbers are the least.
    pub(crate) is_whole: bool,
}

/// Rows of one table that were not selected.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Consequence)]
pub(crate) struct ConsequenceForm {
    /// What happens to them: they are `deleted` or `emptied` too, or they are `forbidding` it.
    pub(crate) impact: &'static str,
    /// Their table.
    pub(crate) table: String,
    /// The type whose objects they are.
    #[schema(required)]
    pub(crate) r#type: Option<String>,
    /// How many; null where that cannot be found out.
    #[schema(required)]
    pub(crate) rows: Option<u64>,
    /// The keys of a few of them, where they forbid it.
    pub(crate) keys: Vec<String>,
    /// The permission that it would take and that is missing: it is refused then.
    #[schema(required)]
    pub(crate) missing: Option<String>,
    /// Whether actions will tell of them.
    pub(crate) is_recorded: bool,
}

impl From<Consequences> for ConsequencesForm {
    fn from(found: Consequences) -> Self {
        let form = |it: Consequence| ConsequenceForm {
            impact: it.impact.as_str(),
            table: it.table,
            r#type: it.kind.map(String::from),
            rows: it.rows,
            keys: it.keys,
            missing: it.missing,
            is_recorded: it.is_recorded,
        };
        Self { items: found.all.into_iter().map(form).collect(), is_whole: found.is_whole }
    }
}

/// An object, and what would happen to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlannedItem)]
pub(crate) struct PlannedForm {
    /// The object.
    #[schema(value_type = GivenParty)]
    pub(crate) object: Value,
    /// What would become of it: `done`, `skipped`, `denied` or `failed`.
    pub(crate) outcome: &'static str,
    /// Why; null where it would be done.
    #[schema(required)]
    pub(crate) note: Option<String>,
    /// The actions that would be recorded of it.
    pub(crate) actions: Vec<PlannedActionForm>,
}

/// An action that would be recorded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlannedAction)]
pub(crate) struct PlannedActionForm {
    /// Its verb.
    pub(crate) verb: String,
    /// What would be different, `{field: [old, new]}`.
    #[schema(required)]
    pub(crate) changes: Option<Json>,
}

/// A message to whoever asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanMessage)]
pub(crate) struct SaidForm {
    /// How much it matters: `debug`, `info`, `success`, `warning` or `error`.
    pub(crate) level: &'static str,
    /// The text.
    pub(crate) text: String,
}

impl From<Plan> for PlanForm {
    fn from(plan: Plan) -> Self {
        let said = |message: crate::definition::Message| SaidForm {
            level: message.level.as_str(),
            text: message.text,
        };
        Self {
            selection: plan.selection.into(),
            label: plan.label,
            tried: plan.tried.into(),
            sample: plan.sample.into_iter().map(PlannedForm::from).collect(),
            messages: plan.messages.into_iter().map(said).collect(),
            consequences: plan.consequences.into(),
            changed: plan.changed,
            needs_confirmation: plan.needs_confirmation,
            token: plan.token,
            expires_at: time(plan.expires_at),
        }
    }
}

impl From<Planned> for PlannedForm {
    fn from(planned: Planned) -> Self {
        let (outcome, note) = planned.fate.told();
        let actions = planned.actions.into_iter();
        let actions = actions.map(|it| PlannedActionForm { verb: it.verb, changes: it.changes });
        Self {
            object: json!(Party::from(&planned.object)),
            outcome,
            note: note.map(str::to_owned),
            actions: actions.collect(),
        }
    }
}

/// An example.
pub(super) fn example() -> Value {
    let action = json!({"verb": "publish", "changes": {"state": ["draft", "published"]}});
    let item = json!({
        "object": {"type": "article", "id": "77", "name": "Storm ahead"},
        "outcome": "done",
        "note": null,
        "actions": [action],
    });
    json!({
        "selection": selections::example(),
        "label": "Publish articles",
        "tried": {"total": 43, "pending": 0, "done": 42, "skipped": 1, "denied": 0, "failed": 0},
        "sample": [item],
        "messages": [],
        "consequences": {"items": [], "is_whole": true},
        "changed": [],
        "needs_confirmation": true,
        "token": "AQ.5vO0dZ1cV2s",
        "expires_at": "2026-11-20T14:18:20.123456Z",
    })
}
