//! The objects of a run, and its messages.

use tokio_postgres::Row;
use uuid::Uuid;

use super::error::RunError;
use super::info::{ItemInfo, ItemOutcome, MessageInfo, RunInfo};
use super::job::item;
use super::list;
use super::runs::{Runs, begin_by_index, cell, count, query};
use crate::definition::Item;
use crate::resource::Tenant;

/// Objects that are told at a time.
const PAGE_LEN_MAX: usize = 1_000;
/// The same, where nothing is said.
const PAGE_LEN: usize = 50;

/// Objects that something became of.
const SETTLED: &str = "-- run::items::settled
SELECT i.place, i.object_id, i.name, i.outcome, i.note, i.settled_at
FROM gesta.run_item AS i
WHERE i.tenant = $1 AND i.run = $2 AND i.place > $3 AND ($5 = '' OR i.outcome = $5)
ORDER BY i.place
LIMIT $4";

/// Objects that nothing became of: those of the selection that have no row.
const PENDING: &str = "-- run::items::pending
SELECT s.place, s.object_id, s.name, 'pending'::text COLLATE \"C\" AS outcome, NULL::text AS note,
    NULL::timestamptz AS settled_at
FROM gesta.selected AS s
WHERE s.tenant = $1 AND s.selection = $5 AND s.place > $3
    AND (SELECT i.place FROM gesta.run_item AS i WHERE i.tenant = $1 AND i.run = $2 AND i.place = s.place) IS NULL
ORDER BY s.place
LIMIT $4";

const MESSAGES: &str = "-- run::items::messages
SELECT m.number, m.level, m.content, m.told_at
FROM gesta.run_message AS m
WHERE m.tenant = $1 AND m.run = $2
ORDER BY m.number";

/// Which objects of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemQuery {
    /// With this outcome; nothing for all.
    pub outcome: Option<ItemOutcome>,
    /// Behind this place: [`ItemPage::next`] of the page before.
    pub after: Option<u32>,
    /// How many, 1 to 1,000; 50 where nothing is said.
    pub limit: Option<usize>,
}

/// A page of objects, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemPage {
    /// The objects.
    pub items: Vec<ItemInfo>,
    /// What to go on after; nothing on the last page.
    pub next: Option<u32>,
}

impl Runs {
    /// Objects of a run.
    ///
    /// # Errors
    /// Where the tenant has no such run; the database's. A limit out of range is brought into it.
    pub async fn items(
        &self,
        tenant: &Tenant,
        id: Uuid,
        wanted: ItemQuery,
    ) -> Result<ItemPage, RunError> {
        let limit = wanted.limit.unwrap_or(PAGE_LEN).clamp(1, PAGE_LEN_MAX);
        let rows_max = i64::try_from(limit).unwrap_or_default() + 1;
        let after = wanted.after.map_or(-1, |place| i32::try_from(place).unwrap_or(i32::MAX));
        let mut client = self.client().await?;
        let tx = begin_by_index(&mut client, tenant).await?;
        let run = list::find(&tx, tenant, id).await?;
        let tenant = tenant.as_str();
        let mut rows = Vec::new();
        if wanted.outcome != Some(ItemOutcome::Pending) {
            let outcome = wanted.outcome.map_or("", ItemOutcome::as_str);
            let params = params(&tenant, &id, &after, &rows_max, &outcome);
            rows = query(&tx, "read the objects", SETTLED, &params).await?;
        }
        let is_pending = matches!(wanted.outcome, None | Some(ItemOutcome::Pending));
        if let Some(selection) = run.selection
            && is_pending
            && run.counts.pending() > 0
        {
            let params = params(&tenant, &id, &after, &rows_max, &selection);
            rows.extend(query(&tx, "read the objects", PENDING, &params).await?);
        }
        let mut items = rows.iter().map(|row| read(&run, row)).collect::<Result<Vec<_>, _>>()?;
        items.sort_by_key(|item| item.place);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(|item| item.place);
        Ok(ItemPage { items, next })
    }

    /// The messages of a run, the first 1,000.
    ///
    /// # Errors
    /// Where the tenant has no such run; the database's.
    pub async fn messages(&self, tenant: &Tenant, id: Uuid) -> Result<Vec<MessageInfo>, RunError> {
        let mut client = self.client().await?;
        let tx = begin_by_index(&mut client, tenant).await?;
        list::find(&tx, tenant, id).await?;
        let rows = query(&tx, "read the messages", MESSAGES, &[&tenant.as_str(), &id]).await?;
        rows.iter().map(message).collect()
    }
}

/// The parameters that both statements have.
fn params<'a>(
    tenant: &'a &str,
    run: &'a Uuid,
    after: &'a i32,
    limit: &'a i64,
    last: &'a (dyn tokio_postgres::types::ToSql + Sync),
) -> [&'a (dyn tokio_postgres::types::ToSql + Sync); 5] {
    [tenant, run, after, limit, last]
}

fn read(run: &RunInfo, row: &Row) -> Result<ItemInfo, RunError> {
    let outcome: &str = cell(row, "outcome")?;
    let Item { place, object, name } = item(&run.kind, row)?;
    Ok(ItemInfo {
        place,
        object,
        name,
        outcome: ItemOutcome::from_word(outcome).ok_or(RunError::Row("an outcome"))?,
        note: cell(row, "note")?,
        settled_at: cell(row, "settled_at")?,
    })
}

fn message(row: &Row) -> Result<MessageInfo, RunError> {
    let level: &str = cell(row, "level")?;
    Ok(MessageInfo {
        number: count(row, "number")?,
        level: level.parse().map_err(|_| RunError::Row("a level"))?,
        text: cell(row, "content")?,
        told_at: cell(row, "told_at")?,
    })
}
