//! Tracking, in the caller's transaction: each change of it is an action in the log.

use deadpool_postgres::Transaction;
use serde_json::json;

use super::options::Tracking;
use super::table::{Found, Table, run};
use super::{TrackError, Tracked, script, standing};
use crate::action::NewAction;
use crate::context::Context;
use crate::resource::ResourceRef;
use crate::store::path::OwnPath;
use crate::store::{Receipt, Store};

/// The verb of the action that tells that a table is tracked; its object is `table:SCHEMA.NAME`.
pub const TRACKED: &str = "track";
/// The verb of the action that tells that a table is tracked no longer.
pub const UNTRACKED: &str = "untrack";

impl Store {
    /// Tracks a table from the commit of this transaction on, or anew with other options; says how it stands
    /// then. For an operator: a superuser, or the table's owner with a membership in `gesta_owner`.
    /// The table is locked against writers until the transaction ends.
    ///
    /// # Errors
    /// When the options do not fit the table: nothing has been changed then, and only a name that is no name of SQL, or
    /// a failure of the database, loses the transaction.
    ///
    /// # Cancel safety
    /// Dropped, part of it may have run: roll `tx` back.
    pub async fn track(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        tracking: &Tracking,
    ) -> Result<Tracked, TrackError> {
        let found = Found::resolve(tx, &tracking.table).await?;
        let work = async {
            let table = Table::lock(tx, found).await?;
            table.fit()?;
            let options = table.check(tx, tracking).await?;
            let parts = table.parts(tx, &options).await?;
            run(tx, "make the triggers", &script::track(&table, &parts)).await?;
            let told = json!({ "key": options.key, "type": options.kind, "name": options.name,
                "exclude": options.exclude, "mask": options.mask, "hash": options.hash });
            let _receipt =
                self.tell_tracking(tx, &table, NewAction::new(TRACKED, ctx).data(told)).await?;
            let standing =
                standing::read(tx).await?.into_iter().find(|other| other.table == table.name);
            standing.ok_or_else(|| TrackError::NotTracked { table: table.shown() })
        };
        guarded(tx, work).await
    }

    /// The statements that [`track`](Self::track) would run. Changes nothing.
    ///
    /// # Errors
    /// As [`track`](Self::track).
    ///
    /// # Cancel safety
    /// Dropped, nothing has happened.
    pub async fn track_sql(
        &self,
        tx: &Transaction<'_>,
        tracking: &Tracking,
    ) -> Result<String, TrackError> {
        let found = Found::resolve(tx, &tracking.table).await?;
        let work = async {
            let table = Table::read(tx, found).await?;
            table.fit()?;
            let options = table.check(tx, tracking).await?;
            let parts = table.parts(tx, &options).await?;
            Ok(script::track(&table, &parts))
        };
        guarded(tx, work).await
    }

    /// Tracks a table no longer. What was recorded stays.
    ///
    /// # Errors
    /// When it is not tracked, or the database fails; then the transaction is lost.
    ///
    /// # Cancel safety
    /// Dropped, part of it may have run: roll `tx` back.
    pub async fn untrack(
        &self,
        tx: &Transaction<'_>,
        ctx: &Context,
        table: &str,
    ) -> Result<Receipt, TrackError> {
        let found = Found::resolve(tx, table).await?;
        let work = async {
            let table = Table::lock(tx, found).await?;
            if table.triggers.is_empty() {
                return Err(TrackError::NotTracked { table: table.shown() });
            }
            run(tx, "drop the triggers", &script::untrack(&table)).await?;
            self.tell_tracking(tx, &table, NewAction::new(UNTRACKED, ctx)).await
        };
        guarded(tx, work).await
    }

    /// All tracked tables, by name, and how each is.
    ///
    /// # Errors
    /// When the database fails.
    ///
    /// # Cancel safety
    /// Dropped, nothing has happened.
    pub async fn tracked(&self, tx: &Transaction<'_>) -> Result<Vec<Tracked>, TrackError> {
        guarded(tx, standing::read(tx)).await
    }

    async fn tell_tracking(
        &self,
        tx: &Transaction<'_>,
        table: &Table,
        action: NewAction,
    ) -> Result<Receipt, TrackError> {
        let shown = table.shown();
        let object = ResourceRef::new("table", table.name.clone())
            .map_err(|problem| TrackError::Object { table: shown.clone(), problem })?;
        let told = self.append(tx, action.object(&object)).await;
        told.map_err(|source| TrackError::Record { table: shown, source })
    }
}

/// Does what is done with the rights of an operator, out of reach of what others put into the caller's search path.
async fn guarded<T>(
    tx: &Transaction<'_>,
    work: impl Future<Output = Result<T, TrackError>>,
) -> Result<T, TrackError> {
    let own = OwnPath::guard(tx).await.map_err(TrackError::Database)?;
    let done = work.await;
    // Of a failed transaction nothing is left to put back, and why it failed is what is told.
    let back = own.put_back(tx).await.map_err(TrackError::Database);
    done.and_then(|done| back.map(|()| done))
}
