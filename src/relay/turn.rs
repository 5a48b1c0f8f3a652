//! One turn of a relay: from the stream's tail on, as long as it gets on.
//!
//! One half reads the log ahead and makes messages, the other publishes them. While messages come one after the other they
//! are pipelined across chunks; when there are no more at hand, all acknowledgements are awaited.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::stream::Stream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep, sleep_until};

use super::cursor::Cursor;
use super::error::{RelayError, broker};
use super::ledger::RENEWAL;
use super::message::{MessageError, MessageId};
use super::pack::{Packer, Packet, Poison};
use super::publish::{Last, PublishCause, PublishError, Publishing};
use super::run::{ACK_WAIT, News, Relay, Stop};
use crate::log::{CHUNK_LEN_MAX, Chunk, Position};

/// Chunks that are read before the ones in front of them are published.
const READ_AHEAD: usize = 2;
/// Looks at the log are this far apart once all has been read, taken together: the runtime's clock goes by milliseconds. A look
/// costs the server some tenths of a millisecond, whether it finds one action or ten, and the broker and this process wake up
/// for each: writers on the same cores wait for that.
const PACE: Duration = Duration::from_micros(3_500);
/// Between two looks at a stream that does not have yet what was sent.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Bytes of payloads that a chunk should have at most, as far as the one before tells.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// A turn, with what it is given.
pub(super) struct Turn<'a> {
    pub(super) relay: &'a Relay,
    pub(super) stream: &'a Stream,
    pub(super) holder: &'a str,
    pub(super) poison: &'a Poison,
    /// How often the client had connected before the tail was read.
    pub(super) connects: u64,
}

/// How a turn ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// As it was asked to.
    Stopped,
    /// The broker refused a message, or another relay has claimed the stream.
    Overtaken,
    /// The broker was away, or the stream ends elsewhere although nothing was published.
    Moved,
    /// The broker says that it has an action already.
    Doubled { id: MessageId, sequence: u64 },
    /// The position is of another history.
    Foreign,
    /// The broker takes no message of this size.
    TooLarge(MessageId),
    /// Something failed.
    Failed,
}

/// What has been published.
struct Progress {
    publishing: Publishing,
    /// After the last action that was given to `publishing`.
    position: Position,
    renewal: Instant,
    is_told: bool,
}

impl Turn<'_> {
    /// Publishes until something comes in between; how it ended, and the last message that is known to be stored.
    pub(super) async fn run(
        &self,
        mut cursor: Cursor,
        stop: &Stop,
    ) -> (Result<Ended, RelayError>, u64) {
        let mut progress = Progress {
            publishing: self.relay.publisher.after(cursor.sequence, cursor.id.take()),
            position: cursor.position.clone(),
            renewal: Instant::now(),
            is_told: false,
        };
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let ended = tokio::select! {
            biased;
            ended = self.publish(&mut progress, receiver, stop) => ended,
            ended = self.read(cursor, sender) => ended,
        };
        (ended, progress.publishing.last_sequence())
    }

    /// Reads ahead. It ends only by an error.
    async fn read(&self, cursor: Cursor, packets: Sender<Packet>) -> Result<Ended, RelayError> {
        let Relay { log, encoder, publisher, ledger, .. } = self.relay;
        let packer = Packer { encoder, publisher, ledger, poison: self.poison };
        let Cursor { mut position, mut known, .. } = cursor;
        let mut limit = CHUNK_LEN_MAX;
        let mut due = Instant::now();
        // The first chunk may be empty, so that all is known to be published where there is nothing new.
        let mut chunk = log.read(&position, limit).await.map_err(RelayError::Log)?;
        loop {
            let (end, more) = (chunk.end.clone(), chunk.more);
            let packet = self.pack(&packer, &position, chunk, &mut known).await?;
            position = end;
            limit = (CHUNK_BYTES / (packet.len / packet.messages.len().max(1)).max(1))
                .clamp(1, CHUNK_LEN_MAX);
            if packets.send(packet).await.is_err() {
                std::future::pending::<()>().await;
            }
            // Where there may be more, there may also be nothing: waiting for it would keep back that all is published.
            let next = if more {
                log.read(&position, limit).await
            } else {
                due = Instant::now().max(due + PACE);
                sleep_until(due).await;
                log.next(&position, limit).await
            };
            chunk = next.map_err(RelayError::Log)?;
        }
    }

    async fn pack(
        &self,
        packer: &Packer<'_>,
        after: &Position,
        chunk: Chunk,
        known: &mut Option<super::known::Known>,
    ) -> Result<Packet, RelayError> {
        let packet = packer.pack(after, chunk, known.as_ref()).await?;
        for (id, reason) in &packet.parked {
            self.relay.tell(&News::Parked { id: id.clone(), reason: reason.clone() });
        }
        // What comes later was committed later, so it cannot have been in the stream before.
        if packet.is_last {
            *known = None;
        }
        Ok(packet)
    }

    async fn publish(
        &self,
        progress: &mut Progress,
        mut packets: Receiver<Packet>,
        stop: &Stop,
    ) -> Result<Ended, RelayError> {
        loop {
            let packet = match packets.try_recv() {
                Ok(packet) if !stop.is_asked() => packet,
                _ => match self.wait(progress, &mut packets, stop).await? {
                    Next::Packet(packet) => packet,
                    Next::End(ended) => return Ok(ended),
                },
            };
            if packet.begins_tick {
                progress.publishing.begin_tick();
            }
            let last = if progress.is_told { Last::Unknown } else { Last::Acknowledged };
            if let Err(error) = progress.publishing.send(packet.messages, last).await {
                return meaning(error);
            }
            progress.position = packet.end;
            if packet.is_last && !progress.is_told {
                if let Err(error) = progress.publishing.settle().await {
                    return meaning(error);
                }
                progress.is_told = true;
                let sequence = progress.publishing.last_sequence();
                self.relay.tell(&News::CaughtUp { sequence });
            }
            if progress.renewal <= Instant::now()
                && let Some(ended) = self.keep(progress).await?
            {
                return Ok(ended);
            }
        }
    }

    /// Waits for acknowledgements, and then for the next packet.
    async fn wait(
        &self,
        progress: &mut Progress,
        packets: &mut Receiver<Packet>,
        stop: &Stop,
    ) -> Result<Next, RelayError> {
        loop {
            if let Err(error) = progress.publishing.settle().await {
                return meaning(error).map(Next::End);
            }
            tokio::select! {
                biased;
                () = stop.asked() => {
                    // The place is noted where all is quiet, so that nobody needs to know more.
                    self.keep(progress).await?;
                    return Ok(Next::End(Ended::Stopped));
                }
                packet = packets.recv() => {
                    return Ok(packet.map_or(Next::End(Ended::Failed), Next::Packet));
                }
                () = sleep_until(progress.renewal) => {
                    if let Some(ended) = self.keep(progress).await? {
                        return Ok(Next::End(ended));
                    }
                }
            }
        }
    }

    /// Notes how far it is and keeps the claim, unless it cannot publish anyhow; ends the turn where the stream's end is
    /// not the one that was published.
    async fn keep(&self, progress: &mut Progress) -> Result<Option<Ended>, RelayError> {
        if let Err(error) = progress.publishing.settle().await {
            return meaning(error).map(Some);
        }
        progress.renewal = Instant::now() + RENEWAL;
        let Relay { client, ledger, .. } = self.relay;
        if client.connection_state() != State::Connected {
            return Ok(None);
        }
        if self.relay.connects() != self.connects {
            return Ok(Some(Ended::Moved));
        }
        if !self.is_stored(&mut progress.publishing).await? {
            return Ok(Some(Ended::Moved));
        }
        let last = progress.publishing.last_sequence();
        let is_held = ledger.renew(self.holder, &progress.position, last).await?;
        Ok((!is_held).then_some(Ended::Overtaken))
    }

    /// Whether the stream ends with what was published. What was not acknowledged may still be on its way.
    async fn is_stored(&self, publishing: &mut Publishing) -> Result<bool, RelayError> {
        let until = Instant::now() + ACK_WAIT;
        loop {
            let info = self.stream.get_info().await.map_err(broker("look at the stream"))?;
            if publishing.confirm(info.state.last_sequence) {
                return Ok(true);
            }
            if publishing.is_settled() || Instant::now() >= until {
                return Ok(false);
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// What comes next.
enum Next {
    Packet(Packet),
    End(Ended),
}

/// What it means for the relay that publishing stopped.
fn meaning(error: PublishError) -> Result<Ended, RelayError> {
    match error.cause {
        PublishCause::Fenced { .. } => Ok(Ended::Overtaken),
        PublishCause::OneOf { .. } => Ok(Ended::Moved),
        PublishCause::Duplicate { id, sequence } => Ok(Ended::Doubled { id, sequence }),
        PublishCause::Message(MessageError::TooLarge { id, .. })
        | PublishCause::TooLarge { id, .. } => Ok(Ended::TooLarge(id)),
        _ => Err(RelayError::Publish(error)),
    }
}
