//! The only writer: one INSERT into `gesta.action`, in the caller's transaction.
//!
//! The action exists if and only if that transaction commits. A repeated id is told apart per row: with the same content
//! it is a duplicate, with other content a conflict; nothing is ever overwritten. Two transactions that append the same
//! id at the same time are told apart as well: the second INSERT waits for the first to end, and the comparison is a
//! statement of its own, whose snapshot sees what the first committed.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::rows::{Columns, Stamped};
use super::{Failure, Store, failed, scope};
use crate::action::{ActionId, InvalidAction, NewAction};

/// Actions of one statement. More are sent as several statements of the same transaction.
pub const BATCH_LEN_MAX: usize = 10_000;

/// The one INSERT into the log, from a batch or from the staging table of an import, and what comes of ids that are there
/// already. A macro, so that the text stays one and a constant.
macro_rules! insert_action {
    ($head:literal, ($($from:tt)*), $ids:literal) => {
        concat!(
            $head,
            "
INSERT INTO gesta.action (tenant, id, actor_type, actor_id, verb, object_type, object_id, target_type, target_id,
    occurred_at, run_id, source, outcome, description, changes, data, names, context, audience)
SELECT $1, r.id, r.actor_type, r.actor_id, r.verb, r.object_type, r.object_id, r.target_type, r.target_id,
    r.occurred_at, r.run_id, r.source, r.outcome, r.description, r.changes, r.data, r.names, r.context,
    r.audience::text[]
FROM ",
            $($from)*,
            $ids
        )
    };
}
pub(crate) use insert_action;

/// Whether the stored row is the one that was given, column by column; only columns that the writer gives count. Of what
/// came over HTTP, `context.api` is what the server saw of the request, and a repeated request is another one. LIMIT
/// keeps the planner to one probe of the primary key a row: of a large batch it would rather read the whole log, since it
/// counts a probe of every partition where only one is made.
macro_rules! compare_action {
    ($head:literal, $($from:tt)*) => {
        concat!(
            $head,
            "
SELECT r.n, stored.same
FROM ",
            $($from)*,
            "
CROSS JOIN LATERAL (
    SELECT (a.actor_type, a.actor_id, a.verb, a.object_type, a.object_id, a.target_type, a.target_id, a.occurred_at,
        a.run_id, a.source, a.outcome, a.description, a.changes, a.data, a.names, a.audience)
        IS NOT DISTINCT FROM (r.actor_type, r.actor_id, r.verb, r.object_type, r.object_id, r.target_type, r.target_id,
        r.occurred_at, r.run_id, r.source, r.outcome, r.description, r.changes, r.data, r.names, r.audience::text[])
        AND CASE
            WHEN a.source = 'api' AND jsonb_typeof(a.context) = 'object' AND jsonb_typeof(r.context) = 'object'
                THEN a.context - 'api' = r.context - 'api'
            ELSE a.context IS NOT DISTINCT FROM r.context
        END AS same
    FROM gesta.action AS a
    WHERE a.tenant = $1 AND a.id = r.id
    LIMIT 1
) AS stored"
        )
    };
}
pub(crate) use compare_action;

/// A batch as numbered rows.
macro_rules! batch {
    () => {
        "unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[], $11::uuid[], $12::text[], $13::text[], $14::text[], $15::jsonb[], $16::jsonb[], $17::jsonb[],
    $18::jsonb[], $19::text[]) WITH ORDINALITY AS r (id, actor_type, actor_id, verb, object_type, object_id, target_type,
    target_id, occurred_at, run_id, source, outcome, description, changes, data, names, context, audience, n)"
    };
}

/// The tenant's setting, which row security checks the new rows against, comes from the same statement.
const APPEND: &str = insert_action!(
    "-- store::append
WITH scope AS (SELECT set_config('gesta.tenant', $1, true))",
    ("scope, ", batch!()),
    "
ON CONFLICT (tenant, id) DO NOTHING
RETURNING id"
);

/// For ids that were made for these rows: to ask whether they are there already would cost a seventh of the statement, and
/// if one should be there against all odds, the statement fails.
const APPEND_NEW: &str = insert_action!(
    "-- store::append::new
WITH scope AS (SELECT set_config('gesta.tenant', $1, true))",
    ("scope, ", batch!()),
    ""
);

/// The same for a batch whose actions differ in their ids, times, objects' ids and names, and changes only, as those of a
/// bulk operation do. What they share travels once, and five arrays are taken apart instead of eighteen.
const APPEND_ALIKE: &str = insert_action!(
    "-- store::append::alike
WITH scope AS (SELECT set_config('gesta.tenant', $1, true))",
    (
        "scope, (
    SELECT u.id, u.object_id, u.occurred_at, u.changes, u.names, $7::text AS actor_type, $8::text AS actor_id,
        $9::text AS verb, $10::text AS object_type, $11::text AS target_type, $12::text AS target_id, $13::uuid AS run_id,
        $14::text AS source, $15::text AS outcome, $16::text AS description, $17::jsonb AS data, $18::jsonb AS context,
        (SELECT $19::text::text[]) AS audience
    FROM (SELECT unnest($2::uuid[]) AS id, unnest($3::text[]) AS object_id, unnest($4::timestamptz[]) AS occurred_at,
        unnest($5::jsonb[]) AS changes, unnest($6::jsonb[]) AS names) AS u
) AS r"
    ),
    ""
);

/// Runs after `APPEND` in the same transaction, so the tenant is set.
const COMPARE: &str = compare_action!("-- store::append::compare", batch!());

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a conflict means that another action has this id, and this one was not stored"]
pub enum Receipt {
    /// It is stored if the transaction commits.
    Appended(ActionId),
    /// The same action was there already.
    Duplicate(ActionId),
    /// Another action has this id; this one is not stored.
    Conflict(ActionId),
}

impl Receipt {
    /// The id, as it was given or made.
    #[must_use]
    pub fn id(self) -> ActionId {
        match self {
            Self::Appended(id) | Self::Duplicate(id) | Self::Conflict(id) => id,
        }
    }
}

/// Why an action is not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The action cannot be stored as it is.
    #[error("action {} of {of} is refused: {problem}", index + 1)]
    Invalid {
        /// Its place in the batch, from 0.
        index: usize,
        /// How many actions the batch has.
        of: usize,
        /// What is wrong.
        problem: InvalidAction,
    },
    /// Another action has this id.
    #[error(
        "another action has the id {0} already; nothing was overwritten: give this one an id of its own"
    )]
    Conflict(ActionId),
    /// The database did not do it. The transaction has to be rolled back.
    #[error("failed to append {len} actions")]
    Database {
        /// How many.
        len: usize,
        /// Why.
        source: Failure,
    },
}

impl Store {
    /// Appends an action in the caller's transaction: it exists if and only if `tx` commits. The same action a second
    /// time is a duplicate and no error.
    ///
    /// # Errors
    /// When a field cannot be stored, or another action has this id; the transaction goes on. When the database fails;
    /// then the transaction is lost.
    ///
    /// # Cancel safety
    /// Dropped, the statement may or may not have run: roll `tx` back.
    pub async fn append(
        &self,
        tx: &Transaction<'_>,
        action: NewAction,
    ) -> Result<Receipt, AppendError> {
        match self.append_all(tx, vec![action]).await?.first() {
            Some(Receipt::Conflict(id)) => Err(AppendError::Conflict(*id)),
            Some(receipt) => Ok(*receipt),
            None => unreachable!("one receipt an action"),
        }
    }

    /// Appends many actions in the caller's transaction, and answers for each in the order given. They are sent in
    /// statements of up to 10,000.
    ///
    /// # Errors
    /// When a field cannot be stored: nothing was sent then. When the database fails: the transaction is lost.
    /// Conflicts are no error here, they are told by the receipts.
    ///
    /// # Cancel safety
    /// Dropped, part of the statements may have run: roll `tx` back.
    pub async fn append_all(
        &self,
        tx: &Transaction<'_>,
        actions: Vec<NewAction>,
    ) -> Result<Vec<Receipt>, AppendError> {
        insert_all(tx, &self.stamp_all(actions)?).await
    }

    /// All of them, or which one cannot be stored.
    pub(crate) fn stamp_all(&self, actions: Vec<NewAction>) -> Result<Vec<Stamped>, AppendError> {
        let of = actions.len();
        let stamped = actions.into_iter().enumerate().map(|(index, action)| {
            self.stamp(action).map_err(|problem| AppendError::Invalid { index, of, problem })
        });
        stamped.collect()
    }

    /// Fills in what the writer left out, and checks the whole.
    pub(crate) fn stamp(&self, mut action: NewAction) -> Result<Stamped, InvalidAction> {
        self.registry().check(&action)?;
        let (id, occurred_at) = self.stamps().stamp(&mut action);
        action.check()?;
        Ok(Stamped { id, occurred_at, action })
    }
}

/// In statements of up to 10,000; answers for each in the order given.
pub(crate) async fn insert_all(
    tx: &Transaction<'_>,
    actions: &[Stamped],
) -> Result<Vec<Receipt>, AppendError> {
    let mut receipts = Vec::with_capacity(actions.len());
    // A statement holds the actions of one tenant, in their order.
    for batch in actions.chunk_by(|a, b| a.action.tenant == b.action.tenant) {
        for batch in batch.chunks(BATCH_LEN_MAX) {
            receipts.extend(insert(tx, batch).await?);
        }
    }
    Ok(receipts)
}

/// One statement, and a second one where ids were there already.
pub(crate) async fn insert(
    tx: &Transaction<'_>,
    batch: &[Stamped],
) -> Result<Vec<Receipt>, AppendError> {
    let failed = |source| AppendError::Database { len: batch.len(), source };
    let Some(first) = batch.first() else { return Ok(Vec::new()) };
    let tenant = first.action.tenant.as_str();
    let mut seen = HashSet::with_capacity(batch.len());
    let (fresh, repeated): (Vec<_>, Vec<_>) =
        (0..batch.len()).partition(|&n| seen.insert(batch[n].id));
    let columns = Columns::of(fresh.iter().map(|&n| &batch[n]));
    let stored = query(tx, "insert", APPEND, tenant, &columns.params()).await.map_err(failed)?;
    let mut receipts: Vec<_> = batch.iter().map(|stamped| Receipt::Appended(stamped.id)).collect();
    if stored.len() == batch.len() {
        return Ok(receipts);
    }
    let stored: HashSet<_> = stored.iter().map(|row| row.get::<_, uuid::Uuid>(0)).collect();
    let mut doubtful = repeated;
    doubtful.extend(fresh.into_iter().filter(|&n| !stored.contains(&batch[n].id.uuid())));
    let columns = Columns::of(doubtful.iter().map(|&n| &batch[n]));
    for row in query(tx, "compare", COMPARE, tenant, &columns.params()).await.map_err(failed)? {
        let (ordinal, same): (i64, bool) = (row.get(0), row.get(1));
        let n = doubtful[usize::try_from(ordinal - 1).unwrap_or_default()];
        let id = batch[n].id;
        receipts[n] = if same { Receipt::Duplicate(id) } else { Receipt::Conflict(id) };
    }
    Ok(receipts)
}

/// After this, [`insert_new`] sends its statement when it is first polled.
pub(crate) async fn prepare_new(tx: &Transaction<'_>) -> Result<(), AppendError> {
    for sql in [APPEND_ALIKE, APPEND_NEW] {
        let prepared = tx.prepare_cached(sql).await.map_err(failed("prepare"));
        prepared.map_err(|source| AppendError::Database { len: 0, source })?;
    }
    Ok(())
}

/// One statement, for a batch of one tenant whose ids were all made for it.
pub(crate) async fn insert_new(tx: &Transaction<'_>, batch: &[Stamped]) -> Result<(), AppendError> {
    let Some(first) = batch.first() else { return Ok(()) };
    let (tenant, columns) = (first.action.tenant.as_str(), Columns::of(batch.iter()));
    let stored = match columns.alike() {
        Some(params) => query(tx, "insert", APPEND_ALIKE, tenant, &params).await,
        None => query(tx, "insert", APPEND_NEW, tenant, &columns.params()).await,
    };
    stored.map(drop).map_err(|source| AppendError::Database { len: batch.len(), source })
}

async fn query(
    tx: &Transaction<'_>,
    what: &'static str,
    sql: &'static str,
    tenant: &str,
    columns: &[&(dyn ToSql + Sync)],
) -> Result<Vec<tokio_postgres::Row>, Failure> {
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant];
    params.extend(columns);
    scope::query(tx, what, sql, &params).await
}
