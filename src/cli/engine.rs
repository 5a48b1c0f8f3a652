//! What the commands about actions and runs share: what can be run, and who asks.

use anyhow::Context as _;
use serde_json::Value;
use uuid::Uuid;

use super::catalog::{ActionsArgs, Loaded, Use};
use super::exit::Told;
use super::nats;
use super::session::{Database, Session};
use crate::context::Context;
use crate::definition::{Asker, Offer, Rights};
use crate::error::{identity, quote};
use crate::resource::{ResourceRef, ResourceType, Tenant};
use crate::role::Roles;
use crate::run::Runs;

const WHO: &str = "-- cli::engine::who
SELECT session_user::text AS role";

/// Who asks.
#[derive(clap::Args, Default)]
pub(super) struct By {
    /// Who asks, with the permissions of their roles [default: the database's user, with all]
    #[arg(long, value_name = "TYPE:ID")]
    actor: Option<ResourceRef>,
    #[command(flatten)]
    actions: ActionsArgs,
}

/// The engine, and who asks it.
pub(super) struct Engine {
    pub(super) runs: Runs,
    pub(super) asker: Asker,
    pub(super) database: Database,
    _nats: Option<nats::Server>,
}

impl Engine {
    /// For a command that works on nothing itself.
    pub(super) async fn open(session: &Session, by: &By) -> anyhow::Result<Self> {
        Self::open_for(Use::Look, session, by).await
    }

    pub(super) async fn open_for(purpose: Use, session: &Session, by: &By) -> anyhow::Result<Self> {
        let Loaded { catalog, nats } = by.actions.load(purpose, session).await?;
        let database = session.open_for(&catalog, None).await?;
        let runs = Runs::new(&database.store, catalog);
        let asker = by.asker(&database, session).await?;
        Ok(Self { runs, asker, database, _nats: nats })
    }

    pub(super) fn tenant(&self) -> &Tenant {
        &self.asker.context.tenant
    }

    /// What they are about to run, by its name. That they may not is recorded.
    pub(super) async fn offer_to_run(
        &self,
        kind: &ResourceType,
        name: &str,
    ) -> anyhow::Result<Offer<'_>> {
        let offer = self.offer(kind, name);
        if offer.is_err() {
            self.runs.refuse(&self.asker, kind, name).await;
        }
        offer
    }

    /// What they may run, by its name.
    pub(super) fn offer(&self, kind: &ResourceType, name: &str) -> anyhow::Result<Offer<'_>> {
        let catalog = self.runs.catalog();
        if let Some(offer) = catalog.find(&self.asker, kind, name) {
            return Ok(offer);
        }
        if catalog.known(kind, name).is_some() {
            let who = &self.asker.context.actor.resource;
            let text = format!("{who} may not run {} of the type `{kind}`", quote(name));
            return Err(Told::permission(text).into());
        }
        let text = format!(
            "there is no action {} of the type `{kind}`; `gesta action ls` lists those that there are",
            quote(name)
        );
        Err(Told::not_found(text).into())
    }
}

impl By {
    async fn asker(&self, database: &Database, session: &Session) -> anyhow::Result<Asker> {
        let (context, rights) = if let Some(actor) = &self.actor {
            let roles = Roles::new(&database.store);
            (Context::new(actor), roles.rights(&session.tenant, actor, &[]).await?)
        } else {
            let client = database.store.client().await?;
            let row = client.query_one(WHO, &[]).await.context("failed to ask who this is")?;
            (Context::system(row.get("role"))?, Rights::all())
        };
        Ok(Asker { context: context.tenant(session.tenant.clone()), rights })
    }
}

/// A resource of a form: `article:77`.
pub(super) fn reference(party: &Value) -> String {
    let text = |name: &str| party[name].as_str().unwrap_or_default();
    format!("{}:{}", text("type"), text("id"))
}

/// The same with its name, where it has one: `Storm ahead (article:77)`. Nothing is hidden in it.
pub(super) fn called(party: &Value) -> String {
    let text = |name: &str| identity(party[name].as_str().unwrap_or_default());
    let id = format!("{}:{}", text("type"), text("id"));
    match party["name"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({id})", identity(name)),
        None => id,
    }
}

/// An id of a run, as `gesta run ls` prints it.
pub(super) fn run_id(text: &str) -> Result<Uuid, String> {
    text.parse()
        .map_err(|_| format!("{} is no id of a run; `gesta run ls` lists them", quote(text)))
}
