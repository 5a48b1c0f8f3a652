//! A relay that runs beside a test.

use gesta::relay::Relay;
use tokio::task::JoinHandle;

use super::{TestDb, TestNats};

/// Publishes the database's log to the stream of a test, until it is aborted or the test ends.
pub(crate) async fn relay(db: &TestDb, nats: &TestNats) -> JoinHandle<()> {
    let store = db.store_as("gesta_relay").await;
    let (client, spec) = (nats.client.clone(), nats.spec.clone());
    let relay = Relay::new(store.pool(), client, spec, nats.encoder.clone());
    // Programs look for the stream at once.
    nats.spec.open(&nats.jet_stream).await.expect("the stream");
    tokio::spawn(async move {
        if let Err(error) = relay.run(std::future::pending()).await {
            panic!("{}", gesta::error::chain(&error));
        }
    })
}
