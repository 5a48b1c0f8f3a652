//! Who read or exported what, and who was refused: actions of the log that only auditors see.
//!
//! - A **read** is recorded once for all its pages: the first page of a query by somebody is an action, and stands for
//!   every further page of the same query, object and format by the same credential until [`READ_WINDOW`] is over. An
//!   answer waits for its action to be handed over, not for its commit.
//! - An **export** is always an action of its own, committed before the first byte is sent.
//! - A **refusal** is recorded up to [`DENIED_PER_MINUTE`] times a minute for each credential, and as often for all that
//!   have none together. What is left out is counted; the next refusal that is recorded for the same one, or the last
//!   action of [`Recorder::finish`], tells how many were (`data.left_out`).
//!
//! Each process remembers for itself, so behind several of them a read may be recorded once by each. A process that is
//! killed loses up to [`PENDING_MAX`] reads that it had not committed yet.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit as Turn, Semaphore};

use super::identity::{Identity, Via};
use super::rate::Buckets;
use super::read::{Denial, Read};
use crate::action::{Audience, NewAction, Outcome, Source};
use crate::context::Context;
use crate::resource::{ResourceRef, Tenant};
use crate::store::{Receipt, WriteError, Writer};

/// How long a recorded read stands for further pages of the same query.
pub const READ_WINDOW: Duration = Duration::from_mins(10);
/// Refusals that are recorded, a minute: each credential's, and those of all that have none.
pub const DENIED_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// Actions that were handed over and are not committed yet. Answers wait for their turn beyond.
pub const PENDING_MAX: u32 = 1_000;
/// Reads that are remembered, of 50 bytes each. Beyond, all are forgotten: more is recorded then, never less.
const READS_MAX: usize = 100_000;
/// Credentials whose left-out refusals are counted apart; those of further ones are counted together.
const LEFT_OUT_MAX: usize = 1_000;

/// Records reads, exports and refusals. Cheap to clone; clones share what they remember.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Writer,
    pending: Arc<Semaphore>,
    reads: Mutex<HashMap<[u8; 32], Instant>>,
    denied: Mutex<Denied>,
    left_out: AtomicU64,
    lost: AtomicU64,
}

/// Whose refusals are counted together; none for all that have no credential.
type Whose = Option<(Via, ResourceRef)>;

#[derive(Debug)]
struct Denied {
    buckets: Buckets<Whose>,
    left_out: HashMap<Whose, LeftOut>,
}

/// Refusals that were not recorded, and in which tenant the first of them would have been.
#[derive(Debug)]
struct LeftOut {
    tenant: Tenant,
    count: u64,
}

impl Recorder {
    /// A recorder that commits through this writer, together with what others append.
    #[must_use]
    pub fn new(writer: Writer) -> Self {
        let denied = Denied { buckets: Buckets::new(), left_out: HashMap::new() };
        Self(Arc::new(Inner {
            writer,
            pending: Arc::new(Semaphore::new(PENDING_MAX as usize)),
            reads: Mutex::default(),
            denied: Mutex::new(denied),
            left_out: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }))
    }

    /// Records that somebody read something, unless it stands in the log since a moment ago. `seen` is what the server saw
    /// of the request: its id, address, program and trace.
    ///
    /// # Cancel safety
    /// Dropped while it waits for its turn, nothing is recorded, nor remembered as if it was.
    pub async fn read(
        &self,
        who: &Identity,
        seen: &Context,
        tenant: &Tenant,
        read: &Read,
        now: Instant,
    ) {
        let key = digest(who, tenant, read);
        if self.is_recent(&key, now) {
            return;
        }
        // Nobody closes it.
        let Ok(turn) = Arc::clone(&self.0.pending).acquire_owned().await else { return };
        if self.remember(key, now) {
            let action = action("read", Some(who), seen, tenant, read.data());
            self.hand_over(turn, action.object(&read.object), Some(key));
        }
    }

    /// Records an export, and returns after its commit: whoever has the file is in the log.
    ///
    /// # Errors
    /// When the action is not known to be stored; then nothing may be sent.
    pub async fn export(
        &self,
        who: &Identity,
        seen: &Context,
        tenant: &Tenant,
        read: &Read,
    ) -> Result<Receipt, WriteError> {
        let action = action("export", Some(who), seen, tenant, read.data());
        self.0.writer.append(action.object(&read.object)).await
    }

    /// Records that somebody was refused what they tried, as often as the limit allows; waits for nothing. Whoever is not
    /// known is `anonymous:anonymous`. It stands in the log of the credential's tenant; that of a credential for all, in
    /// the one that the denial names; all else in `default`, since anybody can name a tenant.
    pub fn denied(&self, who: Option<&Identity>, seen: &Context, denial: &Denial, now: Instant) {
        let named = who.and_then(|who| who.tenant.clone().or_else(|| denial.tenant.clone()));
        let tenant = named.unwrap_or_default();
        let Some((turn, left_out)) = self.may_tell(who, &tenant, now) else { return };
        let mut data = denial.refusal.data();
        if left_out > 0 {
            data["left_out"] = json!(left_out);
        }
        let mut action = action(denial.attempt, who, seen, &tenant, data).outcome(Outcome::Denied);
        if let Some(object) = &denial.object {
            action = action.object(object);
        }
        self.hand_over(turn, action, None);
    }

    /// Refusals that were not recorded one by one, since the start.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.0.left_out.load(Ordering::Relaxed)
    }

    /// Reads and refusals whose action the database did not take, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Tells of refusals that were left out since the last one that was recorded, and returns when all that was handed
    /// over is committed or lost. For the end of a server.
    pub async fn finish(&self) {
        let rest = std::mem::take(&mut lock(&self.0.denied).left_out);
        let seen = Context::anonymous();
        for LeftOut { tenant, count } in rest.into_values() {
            let data = json!({ "refused": "too many to record", "left_out": count });
            let action = action("ask", None, &seen, &tenant, data).outcome(Outcome::Denied);
            if let Ok(turn) = Arc::clone(&self.0.pending).acquire_owned().await {
                self.hand_over(turn, action, None);
            }
        }
        let _ = self.0.pending.acquire_many(PENDING_MAX).await;
    }

    fn is_recent(&self, key: &[u8; 32], now: Instant) -> bool {
        lock(&self.0.reads).get(key).is_some_and(|at| stands(*at, now))
    }

    /// Whether nobody else has remembered it in the meantime.
    fn remember(&self, key: [u8; 32], now: Instant) -> bool {
        let mut reads = lock(&self.0.reads);
        if reads.get(&key).is_some_and(|at| stands(*at, now)) {
            return false;
        }
        if reads.len() >= READS_MAX {
            reads.retain(|_, at| stands(*at, now));
        }
        if reads.len() >= READS_MAX {
            reads.clear();
        }
        reads.insert(key, now);
        true
    }

    /// How many refusals were left out before this one, where this one is recorded; nothing where it is left out too.
    fn may_tell(
        &self,
        who: Option<&Identity>,
        tenant: &Tenant,
        now: Instant,
    ) -> Option<(Turn, u64)> {
        let whose = who.map(|who| (who.via.clone(), who.who.resource.clone()));
        let mut denied = lock(&self.0.denied);
        if denied.buckets.take(whose.clone(), DENIED_PER_MINUTE, now).is_allowed()
            && let Ok(turn) = Arc::clone(&self.0.pending).try_acquire_owned()
        {
            return Some((
                turn,
                denied.left_out.remove(&whose).map_or(0, |left_out| left_out.count),
            ));
        }
        self.0.left_out.fetch_add(1, Ordering::Relaxed);
        let is_known = denied.left_out.contains_key(&whose) || denied.left_out.len() < LEFT_OUT_MAX;
        let whose = if is_known { whose } else { None };
        let first = || LeftOut { tenant: tenant.clone(), count: 0 };
        denied.left_out.entry(whose).or_insert_with(first).count += 1;
        None
    }

    fn hand_over(&self, turn: Turn, action: NewAction, read: Option<[u8; 32]>) {
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            if let Err(error) = inner.writer.append(action).await {
                inner.lost.fetch_add(1, Ordering::Relaxed);
                // The next page is recorded then.
                read.map(|key| lock(&inner.reads).remove(&key));
                let error = crate::error::chain(&error);
                tracing::error!(%error, "a read or a refusal was not recorded");
            }
            drop(turn);
        });
    }
}

/// Whether a read of then still stands for one of now.
fn stands(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < READ_WINDOW
}

fn action(
    verb: &str,
    who: Option<&Identity>,
    seen: &Context,
    tenant: &Tenant,
    mut data: Value,
) -> NewAction {
    let ctx = match who {
        Some(who) => seen.clone().acting(&who.who),
        None => seen.clone().acting(Context::anonymous().actor()),
    };
    match who.map(|who| &who.via) {
        Some(Via::Key(id)) => data["via"] = json!(format!("key:{id}")),
        Some(Via::Proxy) => data["via"] = json!("proxy"),
        None => {}
    }
    let action = NewAction::new(verb, &ctx.tenant(tenant.clone())).data(data);
    action.source(Source::Api).audience(Audience::auditors())
}

/// Who reads what, each part with its length in front, so that no two are taken for the same.
fn digest(who: &Identity, tenant: &Tenant, read: &Read) -> [u8; 32] {
    let via = match &who.via {
        Via::Key(id) => id.as_str(),
        Via::Proxy => "",
    };
    let (actor, object) = (who.who.resource.to_string(), read.object.resource.to_string());
    let mut hash = Sha256::new();
    for part in [via, &actor, tenant.as_str(), &object, &read.query, read.format] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
