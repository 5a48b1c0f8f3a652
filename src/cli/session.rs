//! What all commands share: the global flags, and the database that they name.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use super::output::{Format, Out};
use super::say;
use crate::config::{Environment, Place, Secret};
use crate::definition::Catalog;
use crate::local::{DATABASE, Home, Server, operator};
use crate::resource::Tenant;
use crate::store::{
    Endpoint, MigrateError, PoolOptions, Store, migrate, migration_status, system_clock,
};
use crate::stream::Reader;

/// Connections of a command: one reads while others write.
const POOL_SIZE: usize = 4;
/// The relay comes back every few milliseconds, and tries again whatever fails.
const RELAY_VERIFIED_FOR: Duration = Duration::from_secs(1);

/// `gesta relay status` says for how long others have had a transaction open. On a server that is shared, who runs it decides.
const SEES_AGES: &str = "-- cli::session::sees_ages
GRANT pg_read_all_stats TO gesta_relay";

const IS_MEMBER: &str = "-- cli::session::is_member
SELECT coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = $1), false)";

/// As whom a command works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// An application: appends and reads.
    App,
    /// A bulk load, which COPY is open to.
    Import,
    /// A reader of all tenants that keeps how far it is.
    Relay,
    /// A reader of all tenants.
    Auditor,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::App => "gesta_app",
            Self::Import => "gesta_import",
            Self::Relay => "gesta_relay",
            Self::Auditor => "gesta_auditor",
        }
    }
}

/// The global flags with the environment behind them.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) environment: Environment,
    pub(crate) url: Option<Secret>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) tenant: Tenant,
    pub(crate) format: Option<Format>,
    /// What can be run, as the program says.
    pub(crate) catalog: Catalog,
}

/// An open database. The private server runs at least as long as this lives.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) reader: Reader,
    _server: Option<Server>,
}

impl Session {
    pub(crate) fn out(&self) -> Out {
        Out::new(self.format, self.environment.columns)
    }

    pub(crate) fn place(&self) -> anyhow::Result<Place> {
        let url = self.url.as_ref().map(Secret::reveal);
        Ok(Place::choose(url, self.home.as_deref(), &self.environment)?)
    }

    /// Opens the database that the flags name, with its schema in order, for statements of ours.
    pub(crate) async fn open(&self, role: Role) -> anyhow::Result<Database> {
        self.open_by(role, PoolOptions::default().size(POOL_SIZE).guarded()).await
    }

    /// The same for an application of what people run. Their statements, and triggers and policies of their tables, find
    /// things by the user's own search path; where nothing of the kind is defined, all statements are ours.
    pub(crate) async fn open_for(
        &self,
        catalog: &Catalog,
        size: Option<usize>,
    ) -> anyhow::Result<Database> {
        let options = PoolOptions::default().size(size.unwrap_or(POOL_SIZE));
        let is_empty = catalog.resources().next().is_none() && catalog.sites().next().is_none();
        self.open_by(Role::App, if is_empty { options.guarded() } else { options }).await
    }

    async fn open_by(&self, role: Role, options: PoolOptions) -> anyhow::Result<Database> {
        let (endpoint, options, server) = match self.place()? {
            Place::Home(home) => {
                let server = self.start(&home).await?;
                let mut operator = operator(&server).await?;
                migrate(&mut operator).await?;
                if role == Role::Relay {
                    // Where two processes do it at once, one of them succeeds.
                    let _ = operator.batch_execute(SEES_AGES).await;
                }
                let endpoint = Endpoint::from(server.config(role.name(), DATABASE));
                (endpoint, options, Some(server))
            }
            Place::Url { endpoint, .. } => {
                let role = self.check(&endpoint, role).await?;
                (*endpoint, options.role(role.name()), None)
            }
        };
        let known = if role == Role::Relay { RELAY_VERIFIED_FOR } else { Duration::ZERO };
        let pool = endpoint.pool(&options.verified_for(known)).await?;
        let store = Store::new(pool);
        // Whoever has the database's credentials sees all of the tenant; `--label` narrows it.
        let reader = Reader::new(&store, self.tenant.clone()).auditor();
        Ok(Database { store, reader, _server: server })
    }

    /// Starts or joins the private server; the first time takes some seconds, which is worth a word.
    pub(crate) async fn start(&self, home: &Home) -> anyhow::Result<Server> {
        if !home.data().exists() {
            say::note(&format!("making a private PostgreSQL in {}", home.path().display()));
        }
        let started = self.environment.start(home).await;
        started.context("failed to run the private PostgreSQL")
    }

    /// Whether the schema is there and up to date; gives the connection that was asked.
    pub(crate) async fn check_schema(&self, endpoint: &Endpoint) -> anyhow::Result<Client> {
        let mut client = endpoint.connect_guarded().await?;
        let status = migration_status(&mut client).await.map_err(|error| {
            let told = match &error {
                MigrateError::Newer { .. } => format!("{endpoint} has the schema of a newer gesta"),
                MigrateError::Changed { .. } => format!("{endpoint} has another schema"),
                _ => format!(
                    "{endpoint}: the state of the schema is not known; may this user read it? GRANT gesta_app TO it"
                ),
            };
            anyhow::Error::new(error).context(told)
        })?;
        match (status.applied.len(), status.pending.len()) {
            (_, 0) => {}
            (0, _) => bail!("{endpoint} has no schema `gesta` yet; run `gesta migrate` once"),
            (_, lacking) => bail!(
                "{endpoint} lacks {lacking} migrations ({}); run `gesta migrate`",
                status.pending.join(", ")
            ),
        }
        Ok(client)
    }

    /// The role that the URL's user may take, where the schema is in order.
    async fn check(&self, endpoint: &Endpoint, role: Role) -> anyhow::Result<Role> {
        let client = self.check_schema(endpoint).await?;
        // An import without its own role is slower, not impossible.
        if role == Role::Import && !is_member(&client, role.name()).await? {
            return Ok(Role::App);
        }
        Ok(role)
    }
}

/// The time, by the same clock as the store's.
pub(crate) fn now() -> DateTime<Utc> {
    system_clock()()
}

/// Whether the connection's user may take a role.
pub(crate) async fn is_member(client: &Client, role: &str) -> anyhow::Result<bool> {
    let row = client.query_one(IS_MEMBER, &[&role]).await;
    Ok(row.context("failed to look for the user's roles")?.get(0))
}
