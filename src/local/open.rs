//! A private server with Gesta's database in it, ready to use.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Home, LocalError, Options, SUPERUSER, Server};
use crate::store::{ConnectError, Endpoint, MigrateError, PoolOptions, Reason, Store, migrate};

/// The database in the private server.
pub const DATABASE: &str = "gesta";

const CREATE_DATABASE: &str = "-- local::open::create_database
CREATE DATABASE gesta";

/// Why a private database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no server to be had, or it does not start.
    #[error("failed to run the private PostgreSQL")]
    Server(#[source] LocalError),
    /// The server runs, but cannot be reached.
    #[error("failed to reach the private PostgreSQL")]
    Connect(#[source] ConnectError),
    /// The database cannot be created.
    #[error("failed to create the database `{DATABASE}`")]
    Create(#[source] tokio_postgres::Error),
    /// The schema cannot be brought up to date.
    #[error("failed to bring the schema up to date")]
    Migrate(#[source] MigrateError),
}

/// A log in a private server, for examples, for tests of an application, and for whoever needs no server of their own.
/// The server runs at least as long as this lives.
#[derive(Debug)]
pub struct Private {
    /// The log, as the role `gesta_app`.
    pub store: Store,
    /// The server.
    pub server: Server,
}

impl Private {
    /// Starts or joins the server of a home, makes the database where it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// When no server can be had, or the schema belongs to a newer version.
    pub async fn open(home: &Home, options: &Options) -> Result<Self, OpenError> {
        let server = Server::start(home, options).await.map_err(OpenError::Server)?;
        let mut operator = operator(&server).await?;
        migrate(&mut operator).await.map_err(OpenError::Migrate)?;
        let endpoint = Endpoint::from(server.config("gesta_app", DATABASE));
        let pool = endpoint.pool(&PoolOptions::default()).await.map_err(OpenError::Connect)?;
        Ok(Self { store: Store::new(pool), server })
    }
}

/// A superuser's connection to the private database, which is created if it is missing.
///
/// # Errors
/// When the server cannot be reached, or the database cannot be created.
pub async fn admin(server: &Server) -> Result<Client, OpenError> {
    drop(operator(server).await?);
    let endpoint = Endpoint::from(server.config(SUPERUSER, DATABASE));
    endpoint.connect().await.map_err(OpenError::Connect)
}

/// The same for statements of ours, which no function or operator of somebody else's may come into.
pub(crate) async fn operator(server: &Server) -> Result<Client, OpenError> {
    let endpoint = Endpoint::from(server.config(SUPERUSER, DATABASE));
    match endpoint.connect_guarded().await {
        Err(ConnectError::Failed { reason: Reason::UnknownDatabase, .. }) => {}
        result => return result.map_err(OpenError::Connect),
    }
    let first = Endpoint::from(server.config(SUPERUSER, "postgres"));
    let first = first.connect_guarded().await.map_err(OpenError::Connect)?;
    match first.batch_execute(CREATE_DATABASE).await {
        // Another process may be at it too.
        Err(error) if was_faster(&error) => {}
        result => result.map_err(OpenError::Create)?,
    }
    endpoint.connect_guarded().await.map_err(OpenError::Connect)
}

fn was_faster(error: &tokio_postgres::Error) -> bool {
    let taken = [SqlState::DUPLICATE_DATABASE, SqlState::UNIQUE_VIOLATION];
    error.code().is_some_and(|code| taken.contains(code))
}
