//! Keys: found by what a client shows.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_postgres::Row;

use super::cache::{Cache, Entry, Proof};
use super::credential::Credential;
use super::error::AccessError;
use super::identity::Identity;
use super::row;
use crate::store::{Failure, Store, failed};

/// The database compares the hashes (`schema/0007_access.sql`): nobody gets one out of it.
const OPEN: &str = "-- access::keys::open
SELECT k.tenant, k.scopes, k.labels, k.actor_type, k.actor_id, k.actor_name, k.is_actor, k.rate_per_minute, k.expires_at,
    k.is_revoked, k.is_used
FROM gesta.open_key($1, $2) AS k";

const TOUCH: &str = "-- access::keys::touch
SELECT gesta.touch_key($1, $2)";

/// The keys of a database: each is random, has scopes, perhaps an end, and can be revoked. Cheap to clone; clones share
/// what was found a moment ago.
///
/// A key that was found is believed for five seconds ([`super::REVOKED_WITHIN`]) without asking the database again. So
/// one that is revoked is refused at once where it was revoked, and within that time by every other process.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(super) store: Store,
    pub(super) cache: Arc<Cache>,
    touching: Arc<Semaphore>,
}

impl Keys {
    /// The keys of a store's database.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), cache: Arc::default(), touching: Arc::new(Semaphore::new(1)) }
    }

    /// Who shows this text. That a key is used is noted behind the answer, at most once a minute.
    ///
    /// # Errors
    /// When it is no key, or not known; when it has expired or was revoked, which only who has its secret is told; when
    /// the database does not answer.
    ///
    /// # Cancel safety
    /// Dropped, nothing has happened.
    pub async fn authenticate(&self, given: &str) -> Result<Identity, AccessError> {
        let credential = Credential::parse(given)?;
        let proof: Proof = Sha256::digest(given.as_bytes()).into();
        let now = self.store.now();
        if let Some(identity) = self.cache.find(&proof, now) {
            return Ok(identity);
        }
        let opened = self.open(&credential).await.map_err(AccessError::Database)?;
        let Some(row) = opened else { return Err(AccessError::Unknown) };
        let id = || credential.id().to_owned();
        if row.get("is_revoked") {
            return Err(AccessError::Revoked { id: id() });
        }
        let expires_at: Option<chrono::DateTime<chrono::Utc>> = row.get("expires_at");
        if expires_at.is_some_and(|end| end <= now) {
            return Err(AccessError::Expired { id: id() });
        }
        let identity = row::identity(credential.id(), &row).map_err(AccessError::Database)?;
        if !row.get::<_, bool>("is_used") {
            self.touch(&credential);
        }
        let entry = Entry { identity: identity.clone(), expires_at, asked_at: now };
        self.cache.keep(proof, entry, now);
        Ok(identity)
    }

    async fn open(&self, credential: &Credential) -> Result<Option<Row>, Failure> {
        let client = self.store.client().await?;
        let open = client.prepare_cached(OPEN).await.map_err(failed("prepare"))?;
        let hash = credential.hash();
        client
            .query_opt(&open, &[&credential.id(), &hash.as_slice()])
            .await
            .map_err(failed("look for the key"))
    }

    /// Notes in the background that a key is used. One is noted at a time, so that requests keep their connections; who is
    /// left out is noted at one of its next requests.
    fn touch(&self, credential: &Credential) {
        let Ok(turn) = Arc::clone(&self.touching).try_acquire_owned() else { return };
        let (store, id, hash) = (self.store.clone(), credential.id().to_owned(), credential.hash());
        tokio::spawn(async move {
            if let Err(failure) = touch(&store, &id, &hash).await {
                let error = crate::error::chain(&failure);
                tracing::warn!(key = id, %error, "the use of a key was not noted");
            }
            drop(turn);
        });
    }
}

async fn touch(store: &Store, id: &str, hash: &[u8]) -> Result<(), Failure> {
    let client = store.client().await?;
    let touch = client.prepare_cached(TOUCH).await.map_err(failed("prepare"))?;
    client.query(&touch, &[&id, &hash]).await.map_err(failed("note the use of a key")).map(drop)
}
