//! The engine, and what all of its parts use.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Client, Transaction};
use tokio::sync::Notify;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

use super::error::{RunError, failed};
use crate::action::{Audience, NewAction, Source};
use crate::context::Context;
use crate::definition::Catalog;
use crate::resource::{Named, Resource, ResourceRef, ResourceType, Tenant};
use crate::store::{AppendError, Rising, Store, scope};

/// How long a run is left to whoever holds it and is not heard of: a worker that was killed is missed that long. Three
/// heartbeats fit in, so that one that is lost takes no run away.
pub const LEASE: Duration = Duration::from_secs(30);
/// Objects of a piece. As many as a session holds in memory at a time; more would make the transaction longer, and what a
/// crash undoes, and nothing faster.
pub const PIECE_LEN_MAX: usize = 1_000;
/// Messages of a run that are kept: what people read, not a log.
pub const MESSAGES_MAX: u32 = 1_000;
/// Bytes of a note or message; longer ones are cut.
const NOTE_LEN_MAX: usize = 4_096;

/// A run was recorded, and will be worked on.
pub const RUN_START: &str = "run.start";
/// A run has ended; its outcome is `ok` where no object failed or was denied.
pub const RUN_END: &str = "run.end";
/// A run was cancelled, and has ended by that.
pub const RUN_CANCEL: &str = "run.cancel";
/// Somebody asked for a run that they may not have.
pub const RUN_REFUSE: &str = "run.refuse";

/// What people run on selected objects: selections, plans, runs. Cheap to clone.
///
/// ```no_run
/// # use gesta::definition::{Asker, Catalog, Rights};
/// # use gesta::run::{Runs, Start, Which};
/// # use gesta::{Context, ResourceRef, ResourceType, Store};
/// # async fn example(store: Store, catalog: Catalog) -> Result<(), Box<dyn std::error::Error>> {
/// let runs = Runs::new(&store, catalog);
/// let alice = ResourceRef::new("user", "42")?;
/// let asker = Asker { context: Context::new(&alice).reason("ticket 7"), rights: Rights::all() };
/// let article = ResourceType::new("article")?;
///
/// let which = Which::Ids(vec!["7".to_owned(), "8".to_owned()]);
/// let selection = runs.select(&asker, &article, which, None).await?;
/// let input = serde_json::json!({});
/// let plan = runs.plan(&asker, &article, "publish", selection.id, input.clone()).await?;
/// let order = Start::new(article, "publish", selection.id).input(input).token(plan.token);
/// let started = runs.start(&asker, order).await?;
/// println!("{} of {}", started.run.counts.done, started.run.counts.total);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Runs {
    pub(super) store: Store,
    pub(super) catalog: Catalog,
    pub(super) lease: Duration,
    /// Rung where a run is recorded for a worker of this process.
    pub(super) wake: Arc<Notify>,
}

impl Runs {
    /// Runs of the definitions of a catalog. The store's role should be `gesta_app` or a member of it, and needs its own
    /// rights to the tables of the catalog's types; what it sees of them is what can be selected.
    #[must_use]
    pub fn new(store: &Store, catalog: Catalog) -> Self {
        Self { store: store.clone(), catalog, lease: LEASE, wake: Arc::new(Notify::new()) }
    }

    /// A run in the foreground is left to another one after this time; [`LEASE`] where nothing is said.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// What can be run.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(super) async fn client(&self) -> Result<Client, RunError> {
        self.store.client().await.map_err(failed("reach the database"))
    }

    /// The id of a run: it rises with time.
    pub(super) fn run_id(&self) -> Uuid {
        Rising::default().next(self.store.now()).uuid()
    }

    /// An action about a run, by somebody, for auditors.
    pub(super) fn told(
        verb: &str,
        ctx: &Context,
        (run, label): (Uuid, &str),
        (kind, name): (&ResourceType, &str),
    ) -> Result<NewAction, RunError> {
        let object = ResourceRef::new("run", run.to_string()).map_err(RunError::Id)?;
        let target = ResourceRef::new("action", format!("{kind}.{name}")).map_err(RunError::Id)?;
        let action = NewAction::new(verb, &ctx.clone().run(run)).object(&object.named(label));
        Ok(action.target(&target).source(Source::Run).audience(Audience::auditors()))
    }

    /// Appends actions in a transaction.
    pub(super) async fn append(
        &self,
        tx: &Transaction<'_>,
        actions: Vec<NewAction>,
    ) -> Result<(), RunError> {
        let appended = self.store.append_all(tx, actions).await;
        appended.map(drop).map_err(|error| match error {
            AppendError::Invalid { problem, .. } => RunError::Record(problem),
            AppendError::Database { source, .. } => failed("record the actions")(source),
            AppendError::Conflict(_) => RunError::Row("the ids of actions"),
        })
    }

    /// Commits what has actions, and wakes those who wait for them.
    pub(super) async fn commit(
        &self,
        tx: Transaction<'_>,
        what: &'static str,
    ) -> Result<(), RunError> {
        tx.commit().await.map_err(super::error::database(what))?;
        self.store.bell().ring();
        Ok(())
    }
}

/// A transaction that is bound to a tenant by row security.
pub(super) async fn begin<'c>(
    client: &'c mut Client,
    tenant: &Tenant,
) -> Result<Transaction<'c>, RunError> {
    let tx = client.transaction().await.map_err(super::error::database("begin"))?;
    scope::enter(&tx, tenant.as_str()).await.map_err(failed("set the tenant"))?;
    Ok(tx)
}

/// The tables of runs are filled faster than the planner hears of it: a plan that was made for an empty one would read all of
/// a full one. So what only reads them reads by their indexes.
const BY_INDEX: &str = "-- run::by_index
SELECT set_config('gesta.tenant', $1, true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)";

/// The same, for statements that only read tables of ours.
pub(super) async fn begin_by_index<'c>(
    client: &'c mut Client,
    tenant: &Tenant,
) -> Result<Transaction<'c>, RunError> {
    let tx = client.transaction().await.map_err(super::error::database("begin"))?;
    query(&tx, "set the tenant", BY_INDEX, &[&tenant.as_str()]).await?;
    Ok(tx)
}

/// Runs a statement that is prepared once a connection.
pub(super) async fn query(
    tx: &Transaction<'_>,
    what: &'static str,
    sql: &'static str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, RunError> {
    scope::query(tx, what, sql, params).await.map_err(failed(what))
}

/// A column of a row that one of our statements returned.
pub(super) fn cell<'r, T: FromSql<'r>>(row: &'r Row, name: &str) -> Result<T, RunError> {
    row.try_get(name).map_err(super::error::database("read the answer"))
}

/// A count, which the schema keeps in range.
pub(super) fn count(row: &Row, name: &str) -> Result<u32, RunError> {
    u32::try_from(cell::<i32>(row, name)?).map_err(|_| RunError::Row("a count"))
}

/// A resource from the columns that it stands in.
pub(super) fn resource(kind: &str, id: String, name: Option<String>) -> Result<Named, RunError> {
    let resource = ResourceRef::new(kind, id).map_err(|_| RunError::Row("a resource"))?;
    Ok(match name {
        Some(name) => resource.named(name),
        None => resource.to_named(),
    })
}

/// A text that is cut at its limit, between two characters, and that the database can hold.
pub(super) fn cut(text: &str) -> String {
    let mut text = text.replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(NOTE_LEN_MAX));
    text
}
