//! The only writer: appending, transactions, migrations.
//!
//! A [`Store`] is a pool of connections with a registry and a clock. [`Store::append`] writes in the caller's
//! transaction; [`Writer`] gathers the appends of many callers into shared commits; [`Store::import`] loads files.
//! Start reading at `append.rs`.

mod append;
mod bell;
mod clock;
mod connect_error;
mod copy;
mod dsn;
mod import;
mod load;
mod migrate;
mod migrate_error;
pub(crate) mod path;
mod pool;
mod retry;
mod rows;
pub(crate) mod scope;
pub(crate) mod table;
#[cfg(feature = "tls")]
mod tls;
mod visibility;
mod writer;

#[cfg(feature = "server")]
pub(crate) use append::insert_all;
pub use append::{AppendError, BATCH_LEN_MAX, Receipt};
pub(crate) use append::{insert, insert_new, prepare_new};
pub use bell::Bell;
pub(crate) use bell::Ear;
pub use clock::Now;
pub(crate) use clock::Rising;
#[cfg(feature = "cli")]
pub(crate) use clock::system as system_clock;
pub use connect_error::{ConnectError, Reason};
pub use dsn::libpq_variables;
#[cfg(any(feature = "actions", feature = "nats"))]
pub(crate) use dsn::percent_decode;
pub use import::{
    ImportCounts, ImportEnd, ImportError, ImportObserver, ImportOptions, ImportProgress,
    ImportReport,
};
#[doc(hidden)]
pub use migrate::{Migration, migrate_with};
pub use migrate::{MigrationStatus, migrate, migration_sql, migration_status};
pub use migrate_error::MigrateError;
pub use pool::{Endpoint, PoolOptions};
#[cfg(feature = "server")]
pub(crate) use retry::ATTEMPTS_MAX;
#[cfg(feature = "actions")]
pub(crate) use retry::is_lost;
#[cfg(feature = "nats")]
pub(crate) use retry::spread;
pub(crate) use retry::wait as retry_pause;
pub(crate) use rows::Stamped;
pub use visibility::{AUDIENCE_CHANGED, AudienceError};
pub use writer::{WriteError, Writer};

use std::sync::Arc;

use deadpool_postgres::Pool;

use crate::registry::Registry;
use clock::Stamps;
use table::Tables;

/// Why the database did not do something: no connection, or a statement that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection could be had.
    #[error("no connection to the database")]
    Connection(#[source] deadpool_postgres::PoolError),
    /// A statement failed, or the connection broke.
    #[error("the database failed to {what}")]
    Statement {
        /// What was tried.
        what: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
    /// A row that no version of this program wrote. The source says which action it is, where it is one.
    #[error("a row cannot be understood")]
    Row(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// The SQLSTATE, where the database gave one.
    #[must_use]
    pub fn code(&self) -> Option<&tokio_postgres::error::SqlState> {
        match self {
            Self::Statement { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Whether it is about the content of a row: a constraint, a value that does not fit, a trigger that refuses it.
    #[must_use]
    pub fn is_of_row(&self) -> bool {
        retry::judge(self) == retry::Verdict::Row
    }

    /// Whether the database has undone the transaction for the sake of another one, so that the same may be tried again.
    #[cfg(feature = "server")]
    pub(crate) fn is_undone(&self) -> bool {
        self.code().is_some_and(|code| code.code().starts_with("40"))
    }

    /// Whether it may pass by itself: a lost connection, a restart of the server, no connection in time.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let late = matches!(self, Self::Connection(deadpool_postgres::PoolError::Timeout(_)));
        late || retry::judge(self) == retry::Verdict::Again
    }
}

/// `map_err(failed("read the stream"))`
pub(crate) fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Failure {
    move |source| Failure::Statement { what, source }
}

/// The log: a pool of connections, the registry, a clock. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pool: Pool,
    registry: Registry,
    stamps: Stamps,
    tables: Tables,
    bell: Bell,
}

impl Store {
    /// A store with an open registry. The pool's role should be `gesta_app` or a member of it.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self::with_registry(pool, Registry::default())
    }

    /// A store whose actions are checked against a registry.
    #[must_use]
    pub fn with_registry(pool: Pool, registry: Registry) -> Self {
        Self::with_clock(pool, registry, clock::system())
    }

    /// A store with a clock of the caller's, for tests.
    #[must_use]
    pub fn with_clock(pool: Pool, registry: Registry, now: Now) -> Self {
        Self(Arc::new(Inner {
            pool,
            registry,
            stamps: Stamps::new(now),
            tables: Tables::default(),
            bell: Bell::new(),
        }))
    }

    /// The pool, for the application's own transactions.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The time, by the store's clock.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.stamps.now()
    }

    fn tables(&self) -> &Tables {
        &self.0.tables
    }

    /// The bell that wakes those who follow the log in this process. A [`Writer`] rings it after each commit; ring it
    /// after a commit of your own, and they need not wait for their next look.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    pub(crate) fn stamps(&self) -> &Stamps {
        &self.0.stamps
    }

    /// A connection of the pool.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn client(&self) -> Result<deadpool_postgres::Client, Failure> {
        self.0.pool.get().await.map_err(Failure::Connection)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("pool", &self.0.pool.status()).finish_non_exhaustive()
    }
}
