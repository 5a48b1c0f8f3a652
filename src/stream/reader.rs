//! A reader: one tenant, and what may be seen there.

use std::time::Duration;

use futures_util::future::{join4, join5};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::cursor::CursorError;
use crate::action::Action;
use crate::resource::Tenant;
use crate::store::{Failure, Store, failed};

/// Sets what holds for one transaction: the tenant for row security, how plans are made, and no JIT, which would cost a
/// page more than it runs.
const SCOPE: &str = "-- stream::reader::scope
SELECT set_config('gesta.tenant', $1, true), set_config('plan_cache_mode', $2, true),
    set_config('enable_seqscan', $3, true), set_config('jit', 'off', true)";

/// The longest time limit that PostgreSQL takes: 24 days.
const MILLIS_MAX: u128 = 2_147_483_647;

/// How long the statement behind it may take, in milliseconds.
const LIMIT: &str = "-- stream::reader::scope
SELECT set_config('statement_timeout', $1, true)";

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The page length is out of range.
    #[error("a page of {given} is refused; give 1 to {max}")]
    Limit {
        /// What was given.
        given: usize,
        /// What is allowed.
        max: usize,
    },
    /// The cursor is none, or another query's.
    #[error("cursor: {0}")]
    Cursor(CursorError),
    /// The database did not answer.
    #[error("failed to read {what}")]
    Database {
        /// Which stream, feed or list.
        what: &'static str,
        /// Why.
        source: Failure,
    },
    /// The database would have taken too long.
    #[error(
        "{what} took longer than {limit:?} and was stopped; narrow it down: give a time such as \
         `occurred:>now-7d`, or an `actor:`, `object:`, `target:`, `about:` or `run:`"
    )]
    TooSlow {
        /// What was read.
        what: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// A text that is looked for has a NUL, which no text of the database has.
    #[error(
        "what is looked for in {what} has a NUL character, which no action can have; leave it out"
    )]
    Nul {
        /// Which stream, feed or list.
        what: &'static str,
    },
    /// The time zone is not known.
    #[error("{0}")]
    Zone(String),
    /// A row that no version of this program wrote. The source says which action it is, where it is one.
    #[error("failed to understand a row of {what}")]
    Row {
        /// Which stream, feed or list.
        what: &'static str,
        /// What is strange about it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How a statement is planned.
#[derive(Clone, Copy)]
pub(crate) enum Plan {
    /// Once for all parameters: the index is the right one whatever is asked for. It is the right one of a partition that
    /// is empty too: next year's will fill up while a connection keeps its plan.
    Generic,
    /// For these parameters: the right index depends on how common a type or verb is.
    Custom,
}

impl Plan {
    /// `plan_cache_mode` and `enable_seqscan`.
    fn settings(self) -> (&'static str, &'static str) {
        match self {
            Self::Generic => ("force_generic_plan", "off"),
            Self::Custom => ("force_custom_plan", "on"),
        }
    }
}

/// Which actions of a tenant somebody sees; what is `public` by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Those whose audience has one of these labels.
    Labels(Vec<String>),
    /// All of them: an auditor.
    Everything,
}

impl Sight {
    /// The labels; none for somebody who sees everything.
    #[must_use]
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Everything => None,
        }
    }
}

impl Default for Sight {
    fn default() -> Self {
        Self::Labels(vec!["public".to_owned()])
    }
}

/// Reads the streams of one tenant, as far as its labels allow. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    store: Store,
    tenant: Tenant,
    sight: Sight,
}

impl QueryError {
    /// What the database's failure means. Nothing that is stored can be what it complains of: it is what was asked for.
    fn of(what: &'static str, source: Failure) -> Self {
        let nul = [SqlState::CHARACTER_NOT_IN_REPERTOIRE, SqlState::UNTRANSLATABLE_CHARACTER];
        match source.code() {
            Some(code) if nul.contains(code) => Self::Nul { what },
            _ => Self::Database { what, source },
        }
    }
}

impl Reader {
    /// A reader who sees what is `public`.
    #[must_use]
    pub fn new(store: &Store, tenant: Tenant) -> Self {
        Self { store: store.clone(), tenant, sight: Sight::default() }
    }

    /// Sees this.
    #[must_use]
    pub fn seeing(self, sight: Sight) -> Self {
        Self { sight, ..self }
    }

    /// Sees what has one of these labels; `public` is not among them unless it is named.
    #[must_use]
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.sight = Sight::Labels(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Sees everything of the tenant.
    #[must_use]
    pub fn auditor(mut self) -> Self {
        self.sight = Sight::Everything;
        self
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The store that it reads from.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether it sees an action, by the audience that the action carries: the rule of every query here, for those who have
    /// the action already. It knows nothing of an audience that was changed after the action was read.
    #[must_use]
    pub fn sees(&self, action: &Action) -> bool {
        let is_in =
            |labels: &[String]| action.audience.0.iter().any(|label| labels.contains(label));
        self.sight.labels().is_none_or(is_in) && action.tenant == self.tenant
    }

    /// Whether everything is seen, and else the labels: parameters of every query.
    pub(crate) fn sight(&self) -> (bool, &[String]) {
        match &self.sight {
            Sight::Labels(labels) => (false, labels),
            Sight::Everything => (true, &[]),
        }
    }

    /// The parts of a query's fingerprint that are the reader's.
    pub(crate) fn parts(&self) -> Vec<String> {
        let (everything, labels) = self.sight();
        vec![self.tenant.to_string(), serde_json::json!([everything, labels]).to_string()]
    }

    /// One read-only transaction around one query. The four messages leave in one flight, and the first poll sends them
    /// all, so a future that is dropped leaves no transaction open behind it.
    pub(crate) async fn query(
        &self,
        what: &'static str,
        plan: Plan,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, QueryError> {
        self.rows(plan, sql, params).await.map_err(|source| QueryError::of(what, source))
    }

    /// As [`Reader::query`], for a statement that is not worth to be kept prepared, and that is stopped when it takes longer
    /// than this.
    pub(crate) async fn query_within(
        &self,
        what: &'static str,
        plan: Plan,
        limit: Duration,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, QueryError> {
        self.rows_within(plan, limit, sql, params).await.map_err(|source| match source.code() {
            Some(&SqlState::QUERY_CANCELED) => QueryError::TooSlow { what, limit },
            _ => QueryError::of(what, source),
        })
    }

    async fn rows_within(
        &self,
        plan: Plan,
        limit: Duration,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Failure> {
        let (mode, scans) = plan.settings();
        let client = self.store.client().await?;
        let scope = client.prepare_cached(SCOPE).await.map_err(failed("prepare"))?;
        let limited = client.prepare_cached(LIMIT).await.map_err(failed("prepare"))?;
        let tenant = self.tenant.as_str();
        // Zero would mean no limit.
        let millis = limit.as_millis().clamp(1, MILLIS_MAX).to_string();
        let (begun, scoped, limited, rows, ended) = join5(
            client.batch_execute("BEGIN READ ONLY"),
            client.query_one(&scope, &[&tenant, &mode, &scans]),
            client.query_one(&limited, &[&millis]),
            client.query_typed(sql, params),
            client.batch_execute("COMMIT"),
        )
        .await;
        begun.map_err(failed("begin"))?;
        scoped.map_err(failed("set the tenant"))?;
        limited.map_err(failed("set the time limit"))?;
        let rows = rows.map_err(failed("answer"))?;
        ended.map_err(failed("end the transaction"))?;
        Ok(rows)
    }

    async fn rows(
        &self,
        plan: Plan,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let (mode, scans) = plan.settings();
        let client = self.store.client().await?;
        let scope = client.prepare_cached(SCOPE).await.map_err(failed("prepare"))?;
        let statement = client.prepare_cached(sql).await.map_err(failed("prepare"))?;
        let tenant = self.tenant.as_str();
        let (begun, scoped, rows, ended) = join4(
            client.batch_execute("BEGIN READ ONLY"),
            client.query_one(&scope, &[&tenant, &mode, &scans]),
            client.query(&statement, params),
            client.batch_execute("COMMIT"),
        )
        .await;
        begun.map_err(failed("begin"))?;
        scoped.map_err(failed("set the tenant"))?;
        let rows = rows.map_err(failed("answer"))?;
        ended.map_err(failed("end the transaction"))?;
        Ok(rows)
    }
}
