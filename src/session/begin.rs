//! Beginning and ending a session, and what is emitted in between.

use deadpool_postgres::{Client, Transaction};
use futures_util::future::{join, join3};
use futures_util::{FutureExt as _, TryStreamExt as _};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::error::{SessionError, database};
use super::record::cell;
use super::statement::{CLOCK, MARK, UNMARK};
use crate::action::{ActionId, NewAction, Source};
use crate::context::Context;
use crate::store::{Rising, Store};

/// The tenant for row security, and who acts for triggers. Both end with the transaction.
const ENTER: &str = "-- session::enter
SELECT set_config('gesta.tenant', $1, true), set_config('gesta.context', $2, true), set_config('gesta.recorded', '', true)";

/// Fails where an earlier statement has failed; COMMIT would then roll back, and call that a success.
const ALIVE: &str = "-- session::commit
SELECT";

/// A transaction with a [`Context`]: what it changes is recorded in it. See the [module](super).
///
/// ```no_run
/// # use gesta::{Context, NewAction, Session, Store};
/// # async fn example(store: &Store, ctx: &Context) -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = store.client().await?;
/// let mut session = Session::begin(store, &mut client, ctx).await?;
/// session.emit(NewAction::new("logged in", ctx)).await?;
/// session.commit().await?;
/// # Ok(()) }
/// ```
///
/// # Cancel safety
/// A method whose future is dropped leaves a session that can only be dropped. Dropped, a session is rolled back.
#[must_use = "a session that is not committed is rolled back"]
pub struct Session<'c> {
    pub(super) store: Store,
    pub(super) tx: Transaction<'c>,
    pub(super) ctx: Context,
    pub(super) ids: Rising,
    state: State,
}

/// Whether the transaction holds what the methods said it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// A method has begun and has not ended well.
    Broken,
}

impl<'c> Session<'c> {
    /// Begins a transaction on a connection. One round trip: the settings follow BEGIN without an answer being awaited,
    /// and if they should fail, so does everything after them.
    ///
    /// # Errors
    /// A context that cannot be stored; no connection.
    pub async fn begin(
        store: &Store,
        client: &'c mut Client,
        ctx: &Context,
    ) -> Result<Self, SessionError> {
        let tx = client.transaction().await.map_err(database("begin the session"))?;
        Self::within(store, tx, ctx)
    }

    /// Makes a session of the caller's transaction, or of a savepoint in it: [`Session::commit`] commits or releases it.
    /// For another isolation level than READ COMMITTED, or for work that was begun before.
    ///
    /// # Errors
    /// A context that cannot be stored; the transaction is dropped then.
    pub fn within(store: &Store, tx: Transaction<'c>, ctx: &Context) -> Result<Self, SessionError> {
        let setting = ctx.to_setting().map_err(SessionError::Context)?;
        let (tenant, setting) = (ctx.tenant.as_str(), setting.get());
        // The first poll sends the statement. Its answer is not needed: a failure ends the transaction.
        let _sent =
            tx.query_typed(ENTER, &[(&tenant, Type::TEXT), (&setting, Type::TEXT)]).now_or_never();
        let (store, ctx) = (store.clone(), ctx.clone());
        Ok(Self { store, tx, ctx, ids: Rising::default(), state: State::Open })
    }

    /// The transaction, for SQL of the caller's own. What it changes is recorded by the triggers of tracked tables, in
    /// this session's context; nothing else sees it.
    ///
    /// It must not be committed or rolled back by a statement, and `gesta.` settings must be left alone.
    #[must_use]
    pub fn transaction(&self) -> &Transaction<'c> {
        &self.tx
    }

    /// The context.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Records an action that no change of a row says.
    ///
    /// # Errors
    /// An action that cannot be stored, or of another tenant; an id that another action has; the database's.
    pub async fn emit(&mut self, action: NewAction) -> Result<ActionId, SessionError> {
        let ids = self.emit_all(vec![action]).await?;
        ids.first().copied().ok_or(SessionError::Unusable)
    }

    /// Records many actions, in statements of up to 10,000, and gives their ids in the same order. The time of those that
    /// have none is the database's.
    ///
    /// # Errors
    /// As [`Session::emit`]; nothing of it is recorded then.
    pub async fn emit_all(
        &mut self,
        actions: Vec<NewAction>,
    ) -> Result<Vec<ActionId>, SessionError> {
        self.enter()?;
        let rows = self.query("read the clock", CLOCK, &[]).await?;
        let now = cell(rows.first().ok_or(SessionError::Unusable)?, 0)?;
        let ids = self.append(actions, now).await?;
        self.leave();
        Ok(ids)
    }

    /// Commits the changes and their actions.
    ///
    /// # Errors
    /// When a method has failed before, or a statement of the caller's own: all of it is rolled back then. When the
    /// database fails; after a lost connection nobody knows whether it was committed.
    pub async fn commit(self) -> Result<(), SessionError> {
        const WHAT: &str = "commit the session";
        if self.state == State::Broken {
            return Err(SessionError::Unusable);
        }
        let alive = self.tx.client().simple_query_raw(ALIVE).await.map_err(database(WHAT))?;
        let mut answers = std::pin::pin!(alive);
        let alive = async {
            while answers.try_next().await?.is_some() {}
            Ok(())
        };
        // Both in one flight; the answers are read side by side, or the second would wait behind the first.
        let (alive, ended): (Result<(), tokio_postgres::Error>, _) =
            join(alive, self.tx.commit()).await;
        alive.map_err(database(WHAT))?;
        ended.map_err(database(WHAT))?;
        self.store.bell().ring();
        Ok(())
    }

    /// Rolls everything back. Dropping the session does the same without an answer.
    ///
    /// # Errors
    /// When the connection is lost; it is rolled back all the same.
    pub async fn rollback(self) -> Result<(), SessionError> {
        self.tx.rollback().await.map_err(database("roll the session back"))
    }

    /// Until [`Session::leave`], whatever happens leaves the session broken.
    pub(super) fn enter(&mut self) -> Result<(), SessionError> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Open => Ok(()),
            State::Broken => Err(SessionError::Unusable),
        }
    }

    /// All went well.
    pub(super) fn leave(&mut self) {
        self.state = State::Open;
    }

    /// An action that others are copies of: the session's actor and circumstances.
    pub(super) fn template(&self, source: Source) -> NewAction {
        NewAction::new("", &self.ctx).source(source)
    }

    /// Runs a statement that is prepared once a connection.
    pub(super) async fn query(
        &self,
        what: &'static str,
        sql: &str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, SessionError> {
        let statement =
            self.tx.prepare_cached(sql).await.map_err(database("prepare a statement"))?;
        self.tx.query(&statement, params).await.map_err(database(what))
    }

    /// Runs a change of a model's table, marked as the session's own for as long as it runs. The three messages leave in
    /// one flight: `change` sends its own when it is first polled.
    pub(super) async fn marked<T>(
        &self,
        what: &'static str,
        table: &str,
        change: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, SessionError> {
        let prepare = database("prepare a statement");
        let mark = self.tx.prepare_cached(MARK).await.map_err(&prepare)?;
        let unmark = self.tx.prepare_cached(UNMARK).await.map_err(&prepare)?;
        let (marked, changed, unmarked) =
            join3(self.tx.query(&mark, &[&table]), change, self.tx.query(&unmark, &[])).await;
        let mark = database("mark the table");
        marked.map_err(&mark)?;
        let changed = changed.map_err(database(what))?;
        unmarked.map_err(&mark)?;
        Ok(changed)
    }
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}
