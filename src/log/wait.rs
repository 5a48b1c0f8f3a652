//! Waiting between two looks.

use std::time::Duration;

use crate::store::Ear;

/// The first pause, and after how long it looks in any case.
#[derive(Clone, Debug)]
pub(crate) struct Pauses {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Default for Pauses {
    /// Commits follow one another at some distance or come seldom: who has just been busy looks soon.
    fn default() -> Self {
        Self { first: Duration::from_millis(5), longest: Duration::from_millis(50) }
    }
}

impl Pauses {
    /// Waits for the bell, but not longer than the pause, and makes the next one twice as long.
    pub(crate) async fn pause(&mut self, ear: &mut Ear) {
        let pause = self.first.min(self.longest);
        let _ = tokio::time::timeout(pause, ear.ring()).await;
        self.first = pause.saturating_mul(2);
    }
}
