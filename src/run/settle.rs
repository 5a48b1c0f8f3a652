//! What is committed with a piece: the counts, what became of the objects, messages, actions, and the end of the run.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use serde_json::json;
use tokio_postgres::types::ToSql;

use super::error::RunError;
use super::info::{Counts, RunState};
use super::job::{Task, place};
use super::list::counts;
use super::runs::{MESSAGES_MAX, RUN_END, Runs, cell, count, cut, query};
use crate::action::{Audience, NewAction, Outcome, Source};
use crate::definition::{Effect, Fate, Item, Message};

/// The fence: nothing is changed, and so nothing is committed, where somebody else holds the run by now, or it has ended.
const COUNT: &str = "-- run::settle::count
UPDATE gesta.run AS r
SET done = r.done + $4, skipped = r.skipped + $5, denied = r.denied + $6, failed = r.failed + $7,
    messages = r.messages + $8, attempts = 0, waiting = NULL
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'
RETURNING r.total, r.done, r.skipped, r.denied, r.failed, r.messages";

/// The primary key refuses an object that something became of before.
const ITEMS: &str = "-- run::settle::items
INSERT INTO gesta.run_item (tenant, run, place, object_key, object_id, name, outcome, note)
SELECT $1, $2, i.place, gesta.resource_key($1, $3, i.object_id), i.object_id, i.name, i.outcome, i.note
FROM unnest($4::integer[], $5::text[], $6::text[], $7::text[], $8::text[]) AS i (place, object_id, name, outcome, note)";

const MESSAGES: &str = "-- run::settle::messages
INSERT INTO gesta.run_message (tenant, run, number, level, content)
SELECT $1, $2, $3 + m.n, m.level, m.content
FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS m (level, content, n)";

const END: &str = "-- run::settle::end
UPDATE gesta.run AS r
SET state = $4, error = $5, ended_at = clock_timestamp(), secret_input = NULL, holder = NULL, held_until = NULL,
    waiting = NULL
WHERE r.tenant = $1 AND r.id = $2 AND r.holder = $3 AND r.state = 'running'
RETURNING r.total, r.done, r.skipped, r.denied, r.failed";

/// Objects of which the transaction has told since an action of its own.
const TOLD: &str = "-- run::settle::told
SELECT DISTINCT a.object_id
FROM gesta.action AS a
WHERE a.xid = pg_current_xact_id() AND a.seq > $4 AND a.tenant = $1 AND a.run_id = $2 AND a.object_type = $3";

const LAST_TOLD: &str = "-- run::settle::last_told
SELECT coalesce(max(a.seq), 0) AS last
FROM gesta.action AS a
WHERE a.xid = pg_current_xact_id()";

/// What a run is after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Somebody else's, or ended: roll back.
    Lost,
    /// Objects are pending.
    Open,
    /// Ended with this transaction.
    Ended,
}

/// Fates as counts.
pub(super) fn tally<'f>(fates: impl IntoIterator<Item = &'f Fate>) -> Counts {
    let mut counts = Counts::default();
    for fate in fates {
        counts.total += 1;
        match fate {
            Fate::Done => counts.done += 1,
            Fate::Skipped(_) => counts.skipped += 1,
            Fate::Denied(_) => counts.denied += 1,
            Fate::Failed(_) => counts.failed += 1,
        }
    }
    counts
}

impl Task<'_> {
    /// Stores what became of objects. Where nothing is pending after that, the run ends.
    pub(super) async fn settle(
        &self,
        tx: &Transaction<'_>,
        items: &[Item],
        fates: &[Fate],
        messages: &[Message],
    ) -> Result<Settled, RunError> {
        let Some((after, told)) = self.count(tx, &tally(fates), messages.len()).await? else {
            return Ok(Settled::Lost);
        };
        self.write_items(tx, items, fates, 0).await?;
        self.write_messages(tx, messages, told).await?;
        if after.pending() == 0 {
            self.end(tx, state(after), None).await
        } else {
            Ok(Settled::Open)
        }
    }

    /// Adds to the counts. Gives them, and how many messages there were before; nothing where the run is lost.
    pub(super) async fn count(
        &self,
        tx: &Transaction<'_>,
        more: &Counts,
        messages: usize,
    ) -> Result<Option<(Counts, u32)>, RunError> {
        let [done, skipped, denied, failed] =
            [more.done, more.skipped, more.denied, more.failed].map(u32::cast_signed);
        let new = i32::try_from(messages).unwrap_or(i32::MAX);
        let job = &self.job;
        let params: [&(dyn ToSql + Sync); 8] =
            [&job.tenant.as_str(), &job.id, &job.holder, &done, &skipped, &denied, &failed, &new];
        let rows = query(tx, "count the objects", COUNT, &params).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let before = count(row, "messages")?.saturating_sub(new.unsigned_abs());
        Ok(Some((counts(row)?, before)))
    }

    /// Writes the rows of objects, and the actions of those of which the operation has not told since this action of the
    /// transaction.
    pub(super) async fn write_items(
        &self,
        tx: &Transaction<'_>,
        items: &[Item],
        fates: &[Fate],
        since: i64,
    ) -> Result<(), RunError> {
        let places: Vec<_> = items.iter().map(place).collect();
        let ids: Vec<_> = items.iter().map(|item| item.object.id.as_str()).collect();
        let names: Vec<_> = items.iter().map(|item| item.name.as_deref()).collect();
        let outcomes: Vec<_> = fates.iter().map(|fate| fate.told().0).collect();
        let notes: Vec<_> = fates.iter().map(|fate| fate.told().1.map(cut)).collect();
        let params: [&(dyn ToSql + Sync); 8] = [
            &self.job.tenant.as_str(),
            &self.job.id,
            &self.kind.as_str(),
            &places,
            &ids,
            &names,
            &outcomes,
            &notes,
        ];
        query(tx, "keep what became of the objects", ITEMS, &params).await?;
        let told = self.told_of(tx, fates, since).await?;
        let untold = items
            .iter()
            .zip(fates)
            .filter(|(item, fate)| **fate != Fate::Done || !told.contains(item.object.id.as_str()));
        let actions: Vec<_> = untold.filter_map(|(item, fate)| self.action(item, fate)).collect();
        if actions.is_empty() { Ok(()) } else { self.runs.append(tx, actions).await }
    }

    /// The objects of which the operation has told, by its session or by triggers. What is done elsewhere tells nothing.
    async fn told_of(
        &self,
        tx: &Transaction<'_>,
        fates: &[Fate],
        since: i64,
    ) -> Result<HashSet<String>, RunError> {
        let is_remote = matches!(self.definition.effect, Effect::Remote(_));
        if is_remote || !fates.contains(&Fate::Done) {
            return Ok(HashSet::new());
        }
        let job = &self.job;
        let params: [&(dyn ToSql + Sync); 4] =
            [&job.tenant.as_str(), &job.id, &self.kind.as_str(), &since];
        let rows = query(tx, "look for what was told", TOLD, &params).await?;
        rows.iter().map(|row| cell(row, "object_id")).collect()
    }

    /// The transaction's last action so far.
    pub(super) async fn last_told(&self, tx: &Transaction<'_>) -> Result<i64, RunError> {
        let rows = query(tx, "look for what was told", LAST_TOLD, &[]).await?;
        rows.first().map_or(Ok(0), |row| cell(row, "last"))
    }

    /// That something was done, failed or denied stands in the object's stream, whether the operation tells of it or not.
    fn action(&self, item: &Item, fate: &Fate) -> Option<NewAction> {
        let (outcome, why) = match fate {
            Fate::Done => (Outcome::Ok, None),
            Fate::Failed(why) => (Outcome::Failed, Some(why)),
            Fate::Denied(why) => (Outcome::Denied, Some(why)),
            Fate::Skipped(_) => return None,
        };
        let action = NewAction::new(self.definition.name.as_str(), &self.asker.context);
        let action = match &item.name {
            Some(name) => action.object(&item.object.clone().named(name.as_str())),
            None => action.object(&item.object),
        };
        let audience = match outcome {
            Outcome::Ok => self.definition.audience.clone(),
            Outcome::Failed | Outcome::Denied => Audience::auditors(),
        };
        let action = action.outcome(outcome).source(Source::Run).audience(audience);
        Some(match why {
            Some(why) => action.description(cut(why)),
            None => action,
        })
    }

    pub(super) async fn write_messages(
        &self,
        tx: &Transaction<'_>,
        messages: &[Message],
        told: u32,
    ) -> Result<(), RunError> {
        let room = usize::try_from(MESSAGES_MAX.saturating_sub(told)).unwrap_or_default();
        let kept = &messages[..messages.len().min(room)];
        if kept.is_empty() {
            return Ok(());
        }
        let levels: Vec<_> = kept.iter().map(|message| message.level.as_str()).collect();
        let texts: Vec<_> = kept.iter().map(|message| cut(&message.text)).collect();
        let (job, told) = (&self.job, i64::from(told));
        let params: [&(dyn ToSql + Sync); 5] =
            [&job.tenant.as_str(), &job.id, &told, &levels, &texts];
        query(tx, "keep the messages", MESSAGES, &params).await.map(drop)
    }

    /// Ends the run.
    pub(super) async fn end(
        &self,
        tx: &Transaction<'_>,
        state: RunState,
        error: Option<&str>,
    ) -> Result<Settled, RunError> {
        let (job, given) = (&self.job, error.map(cut));
        let params: [&(dyn ToSql + Sync); 5] =
            [&job.tenant.as_str(), &job.id, &job.holder, &state.as_str(), &given];
        let rows = query(tx, "end the run", END, &params).await?;
        let Some(row) = rows.first() else { return Ok(Settled::Lost) };
        let counts = counts(row)?;
        let about = (&self.kind, self.definition.name.as_str());
        let told = Runs::told(RUN_END, &self.asker.context, (job.id, &self.label), about)?;
        let outcome = if state == RunState::Succeeded { Outcome::Ok } else { Outcome::Failed };
        let mut told = told.outcome(outcome).data(summary(state, &counts));
        if state != RunState::Failed {
            told = told.audience(self.definition.audience.clone());
        }
        if let Some(error) = given {
            told = told.description(error);
        }
        self.runs.append(tx, vec![told]).await?;
        Ok(Settled::Ended)
    }
}

/// What a run's actions say of its end.
pub(super) fn summary(state: RunState, counts: &Counts) -> serde_json::Value {
    json!({
        "state": state.as_str(),
        "total": counts.total,
        "done": counts.done,
        "skipped": counts.skipped,
        "denied": counts.denied,
        "failed": counts.failed,
        "pending": counts.pending(),
    })
}

/// The end that follows from what became of the objects.
pub(super) fn state(counts: Counts) -> RunState {
    match (counts.done + counts.skipped, counts.failed + counts.denied) {
        (_, 0) => RunState::Succeeded,
        (0, _) => RunState::Failed,
        _ => RunState::Partial,
    }
}
