//! A bell over NATS: writers ring it after a commit, and the relay need not wait for its next look.
//!
//! It holds no data and promises nothing: whoever hears it looks into the database, and who misses it looks a few
//! milliseconds later anyhow. `NOTIFY` would do the same inside of the transaction, and costs writers half of their commits.

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Duration, sleep};

use super::subject::Subjects;
use crate::log::Log;
use crate::store::Bell;

/// Rings of a process are at least this far apart; nobody would hear them one by one.
const APART: Duration = Duration::from_micros(500);

/// The subject of the bell, beside those of the stream.
fn subject(subjects: &Subjects) -> String {
    format!("{}.bell", subjects.prefix())
}

/// Rings at the relay, wherever it runs, each time that a store of this process has committed ([`crate::Store::bell`]): for a
/// task of the writer's process, which ends with it. The user needs permission to publish to `PREFIX.bell`, and nothing else.
///
/// # Cancel safety
/// Nothing is lost but wake-ups.
pub async fn ring_for(bell: &Bell, client: &Client, subjects: &Subjects) {
    let subject = async_nats::Subject::from(subject(subjects));
    let mut ear = bell.listen();
    loop {
        ear.ring().await;
        // A lost ring costs some milliseconds, so nobody needs to know.
        let _ = client.publish(subject.clone(), Bytes::new()).await;
        sleep(APART).await;
    }
}

/// Wakes the reader of the log when somebody rings, for ever.
pub(super) async fn hear(client: &Client, subjects: &Subjects, log: &Log) {
    if let Ok(mut rings) = client.subscribe(subject(subjects)).await {
        while rings.next().await.is_some() {
            log.ring();
        }
    }
    std::future::pending::<()>().await;
}
