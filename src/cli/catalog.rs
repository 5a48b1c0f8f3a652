//! What can be run, for all commands that run something or serve it.

use std::path::PathBuf;

use super::exit::Told;
use super::session::Session;
use crate::config;
use crate::definition::Catalog;
use crate::definition::file::{Outside, read};
use crate::error::chain;

/// Where the definitions are.
#[derive(clap::Args, Default)]
pub(super) struct ActionsArgs {
    #[arg(long, value_name = "FILE")]
    #[arg(help = "What can be run, TOML as in examples/actions/actions.toml [env: GESTA_ACTIONS]")]
    actions: Option<PathBuf>,
}

impl ActionsArgs {
    /// The definitions of the file, where one is named, else of the program itself. NATS is what `GESTA_NATS_URL` says; it
    /// is connected to in the background.
    pub(super) async fn catalog(&self, session: &Session) -> anyhow::Result<Catalog> {
        let Some(path) = self.actions.as_ref().or(session.environment.actions.as_ref()) else {
            return Ok(session.catalog.clone());
        };
        let name = path.display().to_string();
        let text = tokio::fs::read_to_string(path).await;
        let text = text.map_err(|error| Told::usage(format!("{name} cannot be read: {error}")))?;
        let nats = match session.environment.nats.options() {
            Ok(Some(options)) => Some(options.connect_later().await?),
            Ok(None) => None,
            Err(error) => return Err(Told::usage(chain(&error)).into()),
        };
        let outside = Outside { variable: &config::variable, nats };
        read(&name, &text, &outside).map_err(|error| Told::usage(error.to_string()).into())
    }
}
