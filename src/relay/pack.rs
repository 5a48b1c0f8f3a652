//! Actions of the log become messages, or stubs where the broker takes no more.

use std::collections::HashMap;

use super::error::RelayError;
use super::known::Known;
use super::ledger::Ledger;
use super::message::{COMPARED_HEADER, Encoder, MessageId, Outgoing, Parked};
use super::publish::Publisher;
use crate::error::chain;
use crate::log::{Chunk, Entry, Position};

/// The messages of a chunk.
#[derive(Debug)]
pub(super) struct Packet {
    /// In log order.
    pub(super) messages: Vec<Outgoing>,
    /// After the last action of the chunk, whether it is among the messages or not.
    pub(super) end: Position,
    /// Whether they are the first ones of a tick.
    pub(super) begins_tick: bool,
    /// Whether there was no more in the log.
    pub(super) is_last: bool,
    /// What the broker does not take, and why.
    pub(super) parked: Vec<(MessageId, String)>,
    /// Bytes of all payloads.
    pub(super) len: usize,
}

/// How much of an action the broker refused, as found by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The whole.
    Whole,
    /// The stub as well.
    Stub,
}

/// What the broker refused, as far as this process knows.
pub(super) type Poison = HashMap<MessageId, Refused>;

/// Makes messages of chunks.
pub(super) struct Packer<'a> {
    pub(super) encoder: &'a Encoder,
    pub(super) publisher: &'a Publisher,
    pub(super) ledger: &'a Ledger,
    pub(super) poison: &'a Poison,
}

impl Packer<'_> {
    /// The messages of the chunk after a position, without what is known to be in the stream.
    pub(super) async fn pack(
        &self,
        after: &Position,
        mut chunk: Chunk,
        known: Option<&Known>,
    ) -> Result<Packet, RelayError> {
        if let Some(known) = known {
            chunk.entries.retain(|entry| !known.has(&entry.action));
        }
        let (mut parked, mut len) = (Vec::new(), 0);
        let mut messages = Vec::with_capacity(chunk.entries.len());
        for entry in &chunk.entries {
            let Some(mut message) = self.message(entry, &mut parked).await? else { continue };
            if let Some(known) = known {
                message.headers.insert(COMPARED_HEADER, known.since().as_str());
            }
            len += message.payload.len();
            messages.push(message);
        }
        let begins_tick = after.is_between_ticks();
        Ok(Packet { messages, end: chunk.end, begins_tick, is_last: !chunk.more, parked, len })
    }

    /// The message of an action, or its stub; nothing where even that is too large.
    async fn message(
        &self,
        entry: &Entry,
        parked: &mut Vec<(MessageId, String)>,
    ) -> Result<Option<Outgoing>, RelayError> {
        let position = entry.position.to_string();
        let whole = self.encoder.encode(&entry.action, &position).map_err(RelayError::Message)?;
        let refused = self.poison.get(&whole.id);
        let max = self.publisher.len_max();
        let reason = match (whole.check_len(max), refused) {
            (Ok(()), None) => return Ok(Some(whole)),
            (Err(error), _) => chain(&error),
            (Ok(()), Some(_)) => {
                format!("the broker refuses a message of {} bytes", whole.wire_len())
            }
        };
        let stub = self.encoder.stub(&entry.action, &position, Parked::TooLarge);
        let stub = stub.map_err(RelayError::Message)?;
        let fits = stub.check_len(max).is_ok() && refused != Some(&Refused::Stub);
        let reason = if fits { reason } else { format!("{reason}; a stub is refused as well") };
        self.ledger.park(&whole.id, &position, &reason).await?;
        parked.push((whole.id, reason));
        Ok(fits.then_some(stub))
    }
}
