//! What can be run, for all commands that run something or serve it.

use std::path::PathBuf;

use super::exit::Told;
use super::nats;
use super::session::Session;
use crate::config::{self, Place};
use crate::definition::Catalog;
use crate::definition::file::{Nats, Outside, needs_nats, read};

/// Where the definitions are.
#[derive(clap::Args, Default)]
pub(super) struct ActionsArgs {
    #[arg(long, value_name = "FILE")]
    #[arg(help = "What can be run, TOML as in examples/actions/actions.toml [env: GESTA_ACTIONS]")]
    actions: Option<PathBuf>,
}

/// What can be run, and what that needs to be there.
pub(super) struct Loaded {
    pub(super) catalog: Catalog,
    /// Where orders go.
    pub(super) nats: Option<nats::Server>,
}

/// What a command does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It gives orders to workers itself.
    Run,
    /// It looks at what there is, or leaves it to a server.
    Look,
}

impl ActionsArgs {
    /// The definitions of the file, where one is named, else of the program itself. Where the file has orders for workers, NATS
    /// is what `GESTA_NATS_URL` says, or else a private server beside a private database; it is connected to in the background.
    pub(super) async fn load(&self, purpose: Use, session: &Session) -> anyhow::Result<Loaded> {
        let Some(path) = self.actions.as_ref().or(session.environment.actions.as_ref()) else {
            return Ok(Loaded { catalog: session.catalog.clone(), nats: None });
        };
        let name = path.display().to_string();
        let text = tokio::fs::read_to_string(path).await;
        let text = text.map_err(|error| Told::usage(format!("{name} cannot be read: {error}")))?;
        let is_private = matches!(session.place()?, Place::Home(_));
        let (to, server) = match &session.environment.nats {
            keys if keys.url.is_none() && is_private && purpose == Use::Look => (Nats::Later, None),
            keys if needs_nats(&text) => match nats::Server::open(keys, session).await? {
                Some(server) => {
                    (Nats::At(server.options.clone().connect_later().await?), Some(server))
                }
                None => (Nats::None, None),
            },
            _ => (Nats::None, None),
        };
        let outside = Outside { variable: &config::variable, nats: to };
        let catalog = read(&name, &text, &outside);
        let catalog = catalog.map_err(|error| Told::usage(error.to_string()))?;
        Ok(Loaded { catalog, nats: server })
    }
}
