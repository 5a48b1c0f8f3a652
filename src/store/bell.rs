//! A bell for those who wait for the next commit. It holds no data: whoever hears it looks into the database.

use std::sync::Arc;

use tokio::sync::watch;

/// Wakes who waits for new actions, in this process. Cheap to clone; all clones are one bell. To ring it costs a writer
/// well under a microsecond, and nobody has to listen.
#[derive(Clone, Debug)]
pub struct Bell(Arc<watch::Sender<()>>);

impl Bell {
    /// A bell that nobody else has.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }

    /// Wakes all who listen: something may have been committed.
    pub fn ring(&self) {
        self.0.send_replace(());
    }

    /// Hears each ring from now on; rings that nobody waited for count once.
    pub(crate) fn listen(&self) -> Ear {
        Ear(self.0.subscribe())
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

/// One who listens.
pub(crate) struct Ear(watch::Receiver<()>);

impl Ear {
    /// Returns after the next ring, or at once where it has rung since the last time.
    pub(crate) async fn ring(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left to ring it.
            std::future::pending::<()>().await;
        }
    }
}
