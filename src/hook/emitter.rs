//! What a hook writes to.

use super::diff::diff;
use super::{Change, Model, RawRow};
use crate::action::NewAction;
use crate::json::Json;
use crate::resource::{Resource, ResourceRef};

/// Takes the actions that a hook emits about one change. Actor, context, run, source and time are those of the session.
#[derive(Debug)]
pub struct Emitter<'a> {
    template: &'a NewAction,
    row: ResourceRef,
    changes: Option<Json>,
    actions: Vec<NewAction>,
    refusal: Option<String>,
}

impl<'a> Emitter<'a> {
    /// For a change of a row, with its diff after redaction.
    pub(super) fn new(template: &'a NewAction, row: ResourceRef, changes: Option<Json>) -> Self {
        Self { template, row, changes, actions: Vec::with_capacity(1), refusal: None }
    }

    /// Whether nothing is different that may be told.
    pub(super) fn is_idle(&self) -> bool {
        self.changes.is_none()
    }

    /// Records the default action: `create`, `update` or `delete`, with the diff.
    pub fn record<M: Model>(&mut self, change: Change<'_, M>) {
        self.action(change.verb(), change.model());
    }

    /// Records that something was done to a resource. The first action about the changed row carries its diff.
    pub fn action(&mut self, verb: impl Into<String>, object: &(impl Resource + ?Sized)) {
        let action = self.draft(verb, object);
        self.add(action);
    }

    /// Records that something was done to a model, with what is different between two states of it. Of the changed row
    /// that is the diff of the rows as the database returned them; of another model, of the two as they serialise.
    pub fn diff<M: Model>(&mut self, verb: impl Into<String>, before: &M, after: &M) {
        let mut action = self.draft(verb, after);
        action.changes = if after.resource() == self.row {
            self.changes.clone()
        } else {
            diff_of_models(before, after)
        };
        self.add(action);
    }

    /// An action about a resource, to be given a target, a description, data or an audience, and then to [`Emitter::add`].
    #[must_use]
    pub fn draft(&self, verb: impl Into<String>, object: &(impl Resource + ?Sized)) -> NewAction {
        let mut action = self.template.clone();
        action.verb = verb.into();
        action.object = Some(object.to_named());
        action
    }

    /// Records an action, about the changed row or about something else that the change means.
    pub fn add(&mut self, mut action: NewAction) {
        action.source = self.template.source;
        action.run = self.template.run;
        self.actions.push(action);
    }

    /// Refuses the change, with a reason for people: nothing of the session is committed.
    pub fn refuse(&mut self, reason: impl Into<String>) {
        self.refusal.get_or_insert(reason.into());
    }

    /// What was emitted, or why the change is refused. Nothing escapes: where the hook said nothing about the row itself,
    /// the default action is added, and one action about the row carries its diff.
    pub(super) fn finish<M: Model>(
        mut self,
        change: Change<'_, M>,
    ) -> Result<Vec<NewAction>, String> {
        if let Some(reason) = self.refusal {
            return Err(reason);
        }
        if !self.actions.iter().any(|action| is_about(action, &self.row)) {
            self.record(change);
        }
        let row = &self.row;
        let mut about = self.actions.iter_mut().filter(|action| is_about(action, row));
        if let Some(first) = about.next()
            && first.changes.is_none()
            && about.all(|action| action.changes.is_none())
        {
            first.changes = self.changes;
        }
        Ok(self.actions)
    }
}

fn is_about(action: &NewAction, row: &ResourceRef) -> bool {
    action.object.as_ref().is_some_and(|object| object.resource == *row)
}

/// Nothing where a model does not serialise to an object: it is then none whose row could have been fetched.
fn diff_of_models<M: Model>(before: &M, after: &M) -> Option<Json> {
    let (before, after) = (serde_json::to_string(before).ok()?, serde_json::to_string(after).ok()?);
    let (before, after) = (RawRow::parse(&before).ok()?, RawRow::parse(&after).ok()?);
    diff(M::RULES, Some(&before), Some(&after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Rule;
    use crate::{Context, Hook};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Account {
        id: u8,
        open: bool,
        pin: u16,
    }
    impl Resource for Account {
        fn resource(&self) -> ResourceRef {
            ResourceRef::new("account", self.id.to_string()).expect("valid")
        }
    }
    impl Model for Account {
        const TABLE: &'static str = "bank.account";
        const KEY: &'static str = "id";
        const RULES: &'static [Rule] = &[Rule::Mask("pin")];
    }
    impl Hook for Account {}

    fn account(id: u8, pin: u16) -> Account {
        Account { id, open: pin > 0, pin }
    }

    fn changes(actions: &[NewAction]) -> Vec<Option<&str>> {
        actions.iter().map(|action| action.changes.as_ref().map(Json::get)).collect()
    }

    fn emitted(hook: impl FnOnce(&mut Emitter<'_>)) -> Vec<NewAction> {
        let template = NewAction::new("", &Context::system("test").expect("valid"));
        let row = Json::from_text(r#"{"row":[1,2]}"#.to_owned());
        let mut emitter = Emitter::new(&template, account(1, 1).resource(), Some(row));
        hook(&mut emitter);
        emitter.finish(Change::Created(&account(1, 1))).expect("not refused")
    }

    #[test]
    fn diff_of_another_model_is_made_of_its_fields_and_redacted() {
        let actions = emitted(|emit| emit.diff("edit", &account(2, 0), &account(2, 4711)));
        let other = r#"{"open":[false,true],"pin":["***","***"]}"#;
        assert_eq!(changes(&actions), [Some(other), Some(r#"{"row":[1,2]}"#)]);
        assert_eq!(actions[1].verb, "create", "nothing was said about the row itself");
    }

    #[test]
    fn diff_of_the_row_is_told_once() {
        let actions = emitted(|emit| {
            emit.action("open", &account(1, 1));
            emit.diff("edit", &account(1, 0), &account(1, 1));
        });
        assert_eq!(changes(&actions), [None, Some(r#"{"row":[1,2]}"#)]);
        let actions = emitted(|emit| emit.action("open", &account(1, 1)));
        assert_eq!(changes(&actions), [Some(r#"{"row":[1,2]}"#)]);
    }
}
