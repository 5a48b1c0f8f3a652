//! Which tenants are listened to, and by how many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::listener::Listener;
use super::tenant::{self, Shared};
use crate::action::Action;
use crate::log::{Chunk, Log, LogError, Position};
use crate::resource::Tenant;
use crate::store::Store;
use crate::stream::Reader;

/// Listeners that read the log by themselves at the same time. Each takes a connection of the pool meanwhile, which others
/// need too; the rest waits in a queue.
const CATCHING_UP_MAX: usize = 3;
/// How long nothing comes before a listener is told its position: proxies close what is silent for 30 to 60 s.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The live stream of the actions of each tenant, for many readers at once. Cheap to clone; make one for a process.
///
/// ```no_run
/// # async fn example(store: gesta::Store) -> Result<(), gesta::live::LiveError> {
/// use gesta::live::{Event, Live};
/// use gesta::{Reader, Tenant};
///
/// let live = Live::new(&store);
/// let reader = Reader::new(&store, Tenant::default());
/// let mut listener = live.listen(&reader, None, |action| action.verb == "close");
/// loop {
///     match listener.next().await? {
///         Event::Action { position, action } => println!("{position} {}", action.id),
///         Event::Position(position) => println!("{position}: nothing new"),
///         Event::Reset { reason, position } => println!("{position}: read anew, as {reason}"),
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
    heartbeat: Duration,
}

/// How a live stream does, for metrics.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveStatus {
    /// The tenants that somebody listens to, in the order of their names.
    pub tenants: Vec<TenantStatus>,
    /// How often a listener has read from the log by itself, since the start: many mean that listeners are slow.
    pub catch_ups: u64,
}

/// How the live stream of one tenant does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TenantStatus {
    /// The tenant.
    pub tenant: Tenant,
    /// How many listen.
    pub listeners: usize,
    /// How long ago its reader last saw that there was nothing more: milliseconds, or as long as the database is away.
    pub behind: Duration,
    /// Actions that are held in memory for all of them.
    pub held: usize,
    /// About how many bytes these take.
    pub held_bytes: usize,
}

impl Live {
    /// The live streams of a store's actions. Its role may be one that row security binds. A commit of a [`Writer`] of this
    /// store is seen at once ([`Store::bell`]), others within 50 ms.
    ///
    /// [`Writer`]: crate::Writer
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let inner = Inner {
            store: store.clone(),
            tenants: Mutex::default(),
            room: Semaphore::new(CATCHING_UP_MAX),
            catch_ups: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner), heartbeat: HEARTBEAT }
    }

    /// How long nothing comes before a listener is told its position; 15 s where nothing is said.
    #[must_use]
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        Self { heartbeat, ..self }
    }

    /// Listens to the actions that a reader sees and a filter admits: from a position on, or without one from where the
    /// tenant's reader is. Then an [`Event::Position`] comes first, and all that is committed after it, and perhaps what was
    /// committed in the milliseconds before.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// [`Event::Position`]: super::Event::Position
    #[must_use]
    pub fn listen(
        &self,
        reader: &Reader,
        from: Option<Position>,
        filter: impl Fn(&Action) -> bool + Send + Sync + 'static,
    ) -> Listener {
        let shared = self.inner.subscribe(reader.tenant());
        let (inner, filter) = (Arc::clone(&self.inner), Box::new(filter));
        Listener::new(inner, shared, reader.clone(), filter, from, self.heartbeat)
    }

    /// How it does now.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        let tenants = self.inner.tenants();
        let status = |(tenant, shared): (&Tenant, &Weak<watch::Sender<Shared>>)| {
            let shared = shared.upgrade()?;
            let (listeners, shared) = (shared.receiver_count(), shared.borrow());
            let (held, held_bytes) = shared.ring.size();
            let (tenant, behind) = (tenant.clone(), shared.behind());
            Some(TenantStatus { tenant, listeners, behind, held, held_bytes })
        };
        let mut tenants: Vec<_> = tenants.iter().filter_map(status).collect();
        tenants.sort_by(|a, b| a.tenant.as_str().cmp(b.tenant.as_str()));
        LiveStatus { tenants, catch_ups: self.inner.catch_ups.load(Ordering::Relaxed) }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// What all clones share.
pub(super) struct Inner {
    store: Store,
    /// A tenant's reader holds its sender, so that listeners notice when its runtime has gone.
    tenants: Mutex<HashMap<Tenant, Weak<watch::Sender<Shared>>>>,
    room: Semaphore,
    catch_ups: AtomicU64,
}

impl Inner {
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn log(&self, tenant: &Tenant) -> Log {
        Log::of(&self.store).tenant(tenant.clone())
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Tenant, Weak<watch::Sender<Shared>>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more listener; the first one of a tenant starts its reader.
    fn subscribe(self: &Arc<Self>, tenant: &Tenant) -> watch::Receiver<Shared> {
        let mut tenants = self.tenants();
        if let Some(shared) = tenants.get(tenant).and_then(Weak::upgrade) {
            return shared.subscribe();
        }
        let shared = Arc::new(watch::Sender::new(Shared::new()));
        let receiver = shared.subscribe();
        tenants.insert(tenant.clone(), Arc::downgrade(&shared));
        tokio::spawn(tenant::read(Arc::clone(self), tenant.clone(), shared));
        receiver
    }

    /// Whether nobody listens to a tenant any more. Then its reader has been struck off: the next listener starts another.
    pub(super) fn has_ended(&self, tenant: &Tenant, shared: &watch::Sender<Shared>) -> bool {
        let mut tenants = self.tenants();
        let ended = shared.receiver_count() == 0;
        if ended {
            tenants.remove(tenant);
        }
        ended
    }

    /// Actions after a position, read for one listener alone.
    pub(super) async fn catch_up(
        &self,
        log: &Log,
        after: &Position,
        len: usize,
    ) -> Result<Chunk, LogError> {
        let _room = self.room.acquire().await;
        self.catch_ups.fetch_add(1, Ordering::Relaxed);
        log.read(after, len).await
    }
}
