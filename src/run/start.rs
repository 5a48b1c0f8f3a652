//! Starting a run: at most once, whatever is sent twice.

use std::future::pending;

use serde_json::{Value, json};
use uuid::Uuid;

use super::begun::Begun;
use super::error::RunError;
use super::info::Started;
use super::open;
use super::record::{self, Key, Recorded};
use super::runs::{Runs, begin};
use super::token::{Confirmation, Request};
use super::version;
use crate::definition::{Asker, Mode, Offer, Risk};
use crate::resource::ResourceType;

/// Bytes of an idempotency key.
const KEY_LEN_MAX: usize = 255;

/// What somebody wants to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The type of the objects.
    pub kind: ResourceType,
    /// The definition's name.
    pub name: String,
    /// The objects.
    pub selection: Uuid,
    /// What the definition is given besides.
    pub input: Value,
    /// The plan that was confirmed, where the definition asks for that.
    pub token: Option<String>,
    /// What the request calls itself: sent again, it finds the run that it started.
    pub idempotency_key: Option<String>,
    /// A SHA-256 of the request as its sender wrote it, by which the key tells whether it is the same one. Without it, the
    /// selection and the input are compared, which differ where each request makes a selection of its own.
    pub fingerprint: Option<[u8; 32]>,
    /// When it runs, where it is not as the definition says.
    pub mode: Option<Mode>,
}

impl Start {
    /// A definition over a selection, without an input.
    #[must_use]
    pub fn new(kind: ResourceType, name: &str, selection: Uuid) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            selection,
            input: json!({}),
            token: None,
            idempotency_key: None,
            fingerprint: None,
            mode: None,
        }
    }

    /// With this input.
    #[must_use]
    pub fn input(self, input: Value) -> Self {
        Self { input, ..self }
    }

    /// After this plan.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    /// By this name.
    #[must_use]
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        Self { idempotency_key: Some(key.into()), ..self }
    }

    /// The same request has this SHA-256, and another one has not.
    #[must_use]
    pub fn fingerprint(self, sha256: [u8; 32]) -> Self {
        Self { fingerprint: Some(sha256), ..self }
    }

    /// Now, or by a worker.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode: Some(mode), ..self }
    }
}

impl Runs {
    /// Starts a run. In the foreground it has ended when this returns, unless its caller is gone before: then a worker
    /// takes it up after the lease.
    ///
    /// The same request again finds its run, by its idempotency key or by its token, and starts none.
    ///
    /// # Errors
    /// What the asker may not run (which is recorded), an input that does not fit, a confirmation that is missing, wrong or
    /// expired, objects that have changed since; a key that another request has used; the database's. Only the last one may
    /// leave a run behind, which a worker takes up.
    pub async fn start(&self, asker: &Asker, order: Start) -> Result<Started, RunError> {
        self.begin(asker, order).await?.finish(pending()).await
    }

    /// The same as far as the run is recorded.
    pub(crate) async fn begin(&self, asker: &Asker, order: Start) -> Result<Begun, RunError> {
        let Some(offer) = self.catalog.find(asker, &order.kind, &order.name) else {
            return Err(self.refuse(asker, &order.kind, &order.name).await);
        };
        offer.definition.check(&order.input).map_err(RunError::Input)?;
        if let Some(key) = &order.idempotency_key
            && !(1..=KEY_LEN_MAX).contains(&key.len())
        {
            return Err(RunError::Key(key.clone()));
        }
        let recorded = self.record(asker, &order, &offer).await?;
        Ok(Begun::new(self, &asker.context.tenant, recorded))
    }

    /// The run that a request has started before, by its key and fingerprint: for whoever would otherwise select objects
    /// first, only to find that out.
    ///
    /// # Errors
    /// Where the key has started another request's run; the database's.
    pub async fn started_before(
        &self,
        asker: &Asker,
        idempotency_key: &str,
        fingerprint: [u8; 32],
    ) -> Result<Option<Started>, RunError> {
        let mut client = self.client().await?;
        let tx = begin(&mut client, &asker.context.tenant).await?;
        let found = record::find_by_key(&tx, asker, idempotency_key, &fingerprint).await?;
        let Some(id) = found else { return Ok(None) };
        drop(tx);
        drop(client);
        let run = self.run(&asker.context.tenant, id).await?;
        Ok(Some(Started { run, is_new: false }))
    }

    /// Checks what only the database knows, and records the run, in one transaction.
    async fn record(
        &self,
        asker: &Asker,
        order: &Start,
        offer: &Offer<'_>,
    ) -> Result<Recorded, RunError> {
        let definition = offer.definition;
        let (ctx, kind) = (&asker.context, &order.kind);
        let request = Request::new(ctx, kind, definition, order.selection, &order.input)
            .known_by(order.fingerprint);
        let mut key = Key { name: order.idempotency_key.as_deref(), token: None };
        let mut client = self.client().await?;
        let tx = begin(&mut client, &ctx.tenant).await?;
        // Before anything else that may have changed since: the first request passed it all.
        if let Some(found) = record::find(&tx, asker, &key, &request).await? {
            return Ok(found);
        }
        let confirmation = match &order.token {
            None if definition.risk > Risk::None => {
                return Err(RunError::ConfirmationNeeded { name: order.name.clone() });
            }
            None => None,
            Some(token) => {
                let secret = open::secret(&tx).await?;
                Some(Confirmation::open(token, &secret, &request).ok_or(RunError::TokenInvalid)?)
            }
        };
        key.token = confirmation.map(|it| it.id);
        let by_token = Key { name: None, ..key };
        if let Some(found) = record::find(&tx, asker, &by_token, &request).await? {
            return Ok(found);
        }
        let selection = open::for_run(&tx, asker, order.selection, (kind, definition)).await?;
        // Whoever sent the same at the same moment had the selection locked until their run was recorded.
        if let Some(found) = record::find(&tx, asker, &key, &request).await? {
            return Ok(found);
        }
        if let Some(confirmation) = confirmation {
            if confirmation.expires_at < selection.now.timestamp() {
                return Err(RunError::TokenExpired);
            }
            if let Some(spec) = self.catalog.resource(kind) {
                let (store, revision) = (&self.store, confirmation.revision);
                version::compare(store, &tx, &ctx.tenant, spec, &selection, revision).await?;
            }
        }
        let new = record::NewRun {
            asker,
            offer,
            kind,
            selection: &selection.info,
            input: &order.input,
            mode: order.mode.unwrap_or(definition.mode),
            retry_of: None,
        };
        let recorded = self.insert(&tx, &new, &key, &request).await?;
        if recorded.is_new {
            self.commit(tx, "record the run").await?;
        }
        Ok(recorded)
    }
}
