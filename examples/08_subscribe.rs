//! A consumer: counts what is done to each issue, each action exactly once, whatever crashes in between.
//!
//! `cargo run --example 08_subscribe`

use std::error::Error;

use gesta::local::{Broker, BrokerSearch, Home, Options, Private, Search, admin};
use gesta::relay::{Encoder, NatsOptions, Relay, StreamSpec, Subjects, Tree};
use gesta::store::{Endpoint, PoolOptions};
use gesta::subscription::{Ledger, Subscription};
use gesta::{Context, Log, NewAction, ResourceRef, Store, Tenant};
use tokio_postgres::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = Home::at(std::env::temp_dir().join("gesta-examples"));
    let gesta = Private::open(&home, &Options::new(Search::new(None, path.clone()))).await?;
    let broker = Broker::start(&home, &BrokerSearch::new(None, path)).await?;
    let client = NatsOptions::parse(broker.url())?.connect().await?;

    let (subjects, endpoint) =
        (Subjects::default(), gesta.server.config("gesta_relay", gesta::local::DATABASE));
    let pool = Endpoint::from(endpoint).pool(&PoolOptions::default()).await?;
    let spec = StreamSpec::new("GESTA", &subjects)?;
    let relay = Relay::new(&pool, client.clone(), spec, Encoder::new(subjects.clone()));
    let relay = tokio::spawn(async move { relay.run(std::future::pending()).await });

    let tenant = Tenant::new(format!("08_subscribe-{}", gesta.store.now().timestamp_micros()))?;
    // One tenant from the stream; and from PostgreSQL, where the stream has dropped something.
    let subscription = Subscription::new(&async_nats::jetstream::new(client), "GESTA")
        .filter(subjects.filter(Tree::Public).tenant(&tenant))
        .log(Log::of(&gesta.store).tenant(tenant.clone()));
    let mut own = admin(&gesta.server).await?;
    print!("{}", story(&gesta.store, tenant, subscription, &mut own).await?);
    relay.abort();
    Ok(())
}

/// Three issues are closed, and one of them twice; a consumer counts, in a database of its own.
///
/// # Errors
/// When the database or the broker fails.
pub(crate) async fn story(
    store: &Store,
    tenant: Tenant,
    mut subscription: Subscription,
    own: &mut Client,
) -> Result<String, Box<dyn Error>> {
    let ctx = Context::new(&ResourceRef::new("user", "alice")?).tenant(tenant.clone());
    for issue in ["7", "8", "7", "9"] {
        let issue = ResourceRef::new("issue", issue)?;
        let _ = store.writer().append(NewAction::new("close", &ctx).object(&issue)).await?;
    }

    let table = "CREATE TABLE IF NOT EXISTS closed (tenant text, issue text, times bigint NOT NULL, \
                 PRIMARY KEY (tenant, issue))";
    own.batch_execute(table).await?;
    let ledger = Ledger::open(own, tenant.as_str()).await?;
    subscription.seek(ledger.position(own).await?);
    let mut counted = 0;
    while counted < 4 {
        let step = subscription.step(own, &ledger).await?; // waits for actions
        for action in step.actions() {
            let issue = action.object.as_ref().map(|object| object.resource.id.as_str());
            let count = "INSERT INTO closed VALUES ($1, $2, 1) \
                         ON CONFLICT (tenant, issue) DO UPDATE SET times = closed.times + 1";
            step.transaction().execute(count, &[&tenant.as_str(), &issue]).await?;
            counted += 1;
        }
        step.commit().await?; // the counts, and how far it has come: both or neither
    }
    let counts = "SELECT issue, times FROM closed WHERE tenant = $1 ORDER BY issue";
    let rows = own.query(counts, &[&tenant.as_str()]).await?;
    let line = |row: &tokio_postgres::Row| {
        format!("issue {} was closed {} times\n", row.get::<_, &str>(0), row.get::<_, i64>(1))
    };
    Ok(rows.iter().map(line).collect())
}
