//! Ids that the stream has, for when positions mean nothing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_nats::datetime::from_nanos;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::stream::Stream;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::StreamExt;
use tokio::time::timeout;
use uuid::Uuid;

use super::error::{RelayError, broker};
use super::ledger::Ledger;
use super::message::{ID_HEADER, Incoming, MessageId};
use crate::action::Action;
use crate::resource::Tenant;

/// Ids that are held in memory: about 40 bytes each.
const LEN_MAX: u64 = 10_000_000;
/// Messages by which a stream is told from another database's.
const SAMPLE: u64 = 100;
/// How long the broker may take for the next message.
const PATIENCE: Duration = Duration::from_secs(10);

const IS_HERE: &str = "-- relay::known::is_here
SELECT EXISTS (
    SELECT
    FROM unnest($1::text[], $2::uuid[]) AS w (tenant, id)
    JOIN gesta.action AS a ON a.tenant = w.tenant AND a.id = w.id
)";

/// The ids of all messages since a time, by tenant.
#[derive(Clone, Debug)]
pub(super) struct Known {
    ids: HashMap<Tenant, HashSet<Uuid>>,
    since: DateTime<Utc>,
}

impl Known {
    /// Reads the headers of all messages since a time, by the broker's clock.
    pub(super) async fn collect(stream: &Stream, since: DateTime<Utc>) -> Result<Self, RelayError> {
        const DOING: &str = "read the ids of the stream";
        let nanos = i128::from(since.timestamp_micros()) * 1_000;
        let start_time =
            from_nanos(nanos).map_err(|source| RelayError::Broker { doing: DOING, source })?;
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartTime { start_time },
            headers_only: true,
            ..OrderedConfig::default()
        };
        let mut consumer = stream.create_consumer(config).await.map_err(broker(DOING))?;
        let mut left = consumer.info().await.map_err(broker(DOING))?.num_pending;
        if left > LEN_MAX {
            return Err(RelayError::TooManyToCompare { len: left, max: LEN_MAX });
        }
        let mut known = Self { ids: HashMap::new(), since };
        let mut messages = consumer.messages().await.map_err(broker(DOING))?;
        while left > 0 {
            let next = timeout(PATIENCE, messages.next()).await.map_err(broker(DOING))?;
            let Some(message) = next else { break };
            let message = message.map_err(broker(DOING))?;
            if let Some(id) = id(&message) {
                known = known.and(id);
            }
            left = message
                .info()
                .map_err(|source| RelayError::Broker { doing: DOING, source })?
                .pending;
        }
        Ok(known)
    }

    /// With one more.
    pub(super) fn and(mut self, MessageId { tenant, id }: MessageId) -> Self {
        self.ids.entry(tenant).or_default().insert(id.uuid());
        self
    }

    pub(super) fn has(&self, action: &Action) -> bool {
        self.ids.get(&action.tenant).is_some_and(|ids| ids.contains(&action.id.uuid()))
    }

    pub(super) fn len(&self) -> usize {
        self.ids.values().map(HashSet::len).sum()
    }

    /// The time as the header says it.
    pub(super) fn since(&self) -> String {
        self.since.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// Refuses a stream none of whose actions, looked at here and there, is in this database.
    pub(super) async fn check_database(stream: &Stream, ledger: &Ledger) -> Result<(), RelayError> {
        let info = stream.get_info().await.map_err(broker("look at the stream"))?;
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        let step = (last - first) / SAMPLE + 1;
        let (mut tenants, mut ids) = (Vec::new(), Vec::new());
        for back in (0..=last - first).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let message = stream.get_raw_message(last - back).await;
            // It may have been dropped meanwhile.
            let Ok(message) = message else { continue };
            if let Ok(read) = Incoming::read(Some(&message.headers), &message.payload) {
                tenants.push(read.action.tenant.as_str().to_owned());
                ids.push(read.action.id.uuid());
            }
        }
        let rows =
            ledger.query("look for actions of the stream", IS_HERE, &[&tenants, &ids]).await?;
        if rows.first().is_some_and(|row| row.get(0)) {
            return Ok(());
        }
        Err(RelayError::OtherDatabase { looked: ids.len() })
    }
}

fn id(message: &Message) -> Option<MessageId> {
    MessageId::read(message.headers.as_ref()?.get(ID_HEADER)?.as_str(), &message.subject)
}
