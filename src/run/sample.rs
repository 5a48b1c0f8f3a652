//! The first objects of a selection, done for real and rolled back.

use std::collections::HashMap;

use deadpool_postgres::{Client, Transaction};
use serde_json::Value;
use tokio_postgres::types::ToSql;

use super::attempt::{Attempt, Tried};
use super::error::{RunError, database};
use super::info::Counts;
use super::job::item;
use super::open::Opened;
use super::plan::{PLAN_LEN_MAX, Planned, PlannedAction};
use super::runs::{Runs, begin, cell, cut, query};
use super::settle::tally;
use crate::definition::{
    Asker, Consequences, Definition, Effect, Fate, Fault, Item, Level, Message,
};
use crate::error::chain;
use crate::resource::{Resource, ResourceType};

/// Objects that are shown of each kind of fate.
const SHOWN_MAX: usize = 5;
/// Milliseconds that a statement of a plan may take: somebody waits, and rows are locked.
const TIMEOUT: &str = "10000";

const LIMIT: &str = "-- run::sample::limit
SELECT set_config('statement_timeout', $1, true)";

const FIRST: &str = "-- run::sample::first
SELECT s.place, s.object_id, s.name
FROM gesta.selected AS s
WHERE s.tenant = $1 AND s.selection = $2
ORDER BY s.place
LIMIT $3";

const ACTIONS: &str = "-- run::sample::actions
SELECT a.object_id, a.verb, a.changes
FROM gesta.action AS a
WHERE a.tenant = $1 AND a.run_id = $2 AND a.object_type = $3 AND a.object_id = ANY ($4)
ORDER BY a.id
LIMIT 200";

/// What is tried.
pub(super) struct Sample<'a> {
    pub(super) runs: &'a Runs,
    pub(super) asker: &'a Asker,
    pub(super) kind: &'a ResourceType,
    pub(super) definition: &'a Definition,
    pub(super) input: &'a Value,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) counts: Counts,
    pub(super) planned: Vec<Planned>,
    pub(super) messages: Vec<Message>,
    pub(super) consequences: Consequences,
}

impl Sample<'_> {
    /// Tries it with the first objects.
    pub(super) async fn take(
        &self,
        client: &mut Client,
        opened: &Opened,
    ) -> Result<Taken, RunError> {
        let Effect::Local(local) = &self.definition.effect else { return Ok(Taken::default()) };
        let run = self.runs.run_id();
        let context = self.asker.context.clone().run(run);
        let asker = Asker { context, rights: self.asker.rights.clone() };
        let tenant = &asker.context.tenant;
        let mut tx = begin(client, tenant).await?;
        query(&tx, "limit the time", LIMIT, &[&TIMEOUT]).await?;
        let len = i64::try_from(PLAN_LEN_MAX).unwrap_or(i64::MAX);
        let params: [&(dyn ToSql + Sync); 3] = [&tenant.as_str(), &opened.info.id, &len];
        let rows = query(&tx, "read the objects", FIRST, &params).await?;
        let items = rows.iter().map(|row| item(self.kind, row)).collect::<Result<Vec<_>, _>>()?;
        let Runs { store, catalog, .. } = self.runs;
        let (kind, input) = (self.kind, self.input);
        let attempt = Attempt { store, catalog, asker: &asker, kind, local: &**local, input };
        let found = attempt.consequences(&mut tx, &items).await?;
        let Tried { fates, mut messages } = attempt.divided(&mut tx, &items).await?;
        let consequences = told(found, items.len(), opened, &mut messages);
        let counts = tally(&fates);
        let shown = shown(items, fates);
        let mut actions = self.actions(&tx, run, &shown).await?;
        tx.rollback().await.map_err(database("roll the plan back"))?;
        let planned = shown.into_iter().map(|(item, fate)| Planned {
            actions: match actions.remove(item.object.id.as_str()) {
                Some(actions) => actions,
                // Of what the operation tells nothing, the run does.
                None if fate == Fate::Done => vec![self.action()],
                None => Vec::new(),
            },
            object: match item.name {
                Some(name) => item.object.named(name),
                None => item.object.to_named(),
            },
            fate,
        });
        Ok(Taken { counts, planned: planned.collect(), messages, consequences })
    }

    fn action(&self) -> PlannedAction {
        PlannedAction { verb: self.definition.name.clone(), changes: None }
    }

    async fn actions(
        &self,
        tx: &Transaction<'_>,
        run: uuid::Uuid,
        shown: &[(Item, Fate)],
    ) -> Result<HashMap<String, Vec<PlannedAction>>, RunError> {
        let ids: Vec<_> = shown.iter().map(|(item, _)| item.object.id.as_str()).collect();
        let tenant = self.asker.context.tenant.as_str();
        let params: [&(dyn ToSql + Sync); 4] = [&tenant, &run, &self.kind.as_str(), &ids];
        let mut actions: HashMap<String, Vec<PlannedAction>> = HashMap::new();
        for row in query(tx, "read the actions", ACTIONS, &params).await? {
            let action =
                PlannedAction { verb: cell(&row, "verb")?, changes: cell(&row, "changes")? };
            actions.entry(cell(&row, "object_id")?).or_default().push(action);
        }
        Ok(actions)
    }
}

/// What else would happen, of the objects that were looked at; that it cannot be told is a message.
fn told(
    found: Result<Consequences, Fault>,
    looked_at: usize,
    opened: &Opened,
    messages: &mut Vec<Message>,
) -> Consequences {
    let is_all = usize::try_from(opened.info.total).is_ok_and(|total| total <= looked_at);
    match found {
        Ok(found) => Consequences { is_whole: found.is_whole && is_all, ..found },
        Err(fault) => {
            let text = format!("what else would happen cannot be told: {}", chain(&fault));
            messages.push(Message { level: Level::Warning, text: cut(&text) });
            Consequences { all: Vec::new(), is_whole: false }
        }
    }
}

/// A few objects of each kind of fate, in their order.
fn shown(items: Vec<Item>, fates: Vec<Fate>) -> Vec<(Item, Fate)> {
    let mut seen = HashMap::new();
    let is_shown = |(_, fate): &(Item, Fate)| {
        let count = seen.entry(std::mem::discriminant(fate)).or_insert(0);
        *count += 1;
        *count <= SHOWN_MAX
    };
    items.into_iter().zip(fates).filter(is_shown).collect()
}
