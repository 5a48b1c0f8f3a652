//! Consumers: the actions after a position, from the stream of a relay, and from PostgreSQL where the stream does not have them.
//!
//! PostgreSQL is the system of record, and NATS distributes. So how far a consumer has come is a [`Position`] in the log,
//! which the consumer itself keeps, and the broker keeps nothing for it: its consumers there are ephemeral, and nothing is
//! acknowledged. A [`Subscription`] gives each action once and in order, whatever happens on the way:
//!
//! - *The broker is restarted, or the connection is lost.* It connects again, with pauses of up to five seconds.
//! - *A message is lost on its way.* The broker numbers what it sends to a consumer; a gap is seen, and its place looked for.
//! - *The stream has dropped what comes next* ([`StreamSpec::max_age`], `max_bytes`), also while the subscription is at work.
//!   The stream's first number tells, and what is missing is read from the log ([`Subscription::log`]).
//! - *The stream was made anew, or the broker has lost its last messages.* Places are found by position, never by number.
//! - *A message is too large for the broker.* It is a stub, and the action is read from the log.
//! - *A message is no action.* That is an error, and nothing is passed over.
//! - *The consumer is slow.* The broker sends as many messages as one batch has room for and waits; nothing is queued here
//!   beyond two batches.
//!
//! [`Subscription::step`] makes the effects happen exactly once.
//!
//! # From the log into the stream
//!
//! The stream has the log in the order in which one reader, the relay, has read it: tick by tick (see [`crate::log`]). Its
//! positions are a chain: before each message lies exactly what was before the one in front of it, and that one. Whoever is
//! at the position of message 7 goes on with message 8. Whoever is anywhere else looks for the first message that does not
//! lie before his position, reads the log up to the end of *that message's tick* and no further, and is then exactly at a
//! place that the stream has as well:
//!
//! ```text
//! log      ──┬── tick A ──┬─────────── tick B ───────────┬── tick C ──┬───►
//! stream     │ (dropped)  │ (dropped)        m5 m6 m7 m8 │ m9 m10 m11 │
//! position            P
//! 1. look    the first message that is not before P is m5; its tick ends at the end of B
//! 2. replay           └───────────────────────────────►   out of PostgreSQL, bounded by the snapshot that m5 names
//! 3. look    m5 to m8 lie before that; m9 does not, and begins the tick there: the stream goes on without a gap
//! 4. live                                                 m9 m10 m11 …
//! ```
//!
//! What commits meanwhile is in a later tick, wherever it stands in the sequence; that is why neither times nor numbers are
//! compared, and why nothing has to be remembered to leave doubles out. If the stream drops `m9` between 2 and 4, the number
//! of the first message that comes says so, and it begins again with 1. Finding the place takes about log₂ n requests.
//!
//! # Where to begin
//!
//! | from | [`Subscription::after`] |
//! |---|---|
//! | the beginning | [`Position::start`], the default |
//! | where it stopped | the position of the last [`Delivery`], or [`Ledger::position`] |
//! | a time | [`crate::Log::at`]: everything since then, and perhaps a little before |
//! | now | [`crate::Log::head`] |
//!
//! A position that is not one of the stream's, a time for example, needs the log.
//!
//! # In other languages
//!
//! A consumer that only reads the stream needs no positions. The number of a message in the stream only grows: store it *with
//! the effect*, in one transaction, and go on with the next one (`opt_start_seq`, no acknowledgements). Believe the number
//! as long as the stream has the same action under it (`Nats-Msg-Id`); if it does not, the stream was made anew, and
//! everything is read again, without the actions that were dealt with: by tenant and id (`ce-source` and `ce-id`), since an id
//! is unique in its tenant only. If the stream's first number is beyond the next one,
//! messages were dropped: `gesta tail --after POSITION` has them, with the header `Gesta-Position` of the last message. See
//! `examples/python/consumer.py` and `examples/node/consumer.mjs`; both are tested by kill -9.
//!
//! # Permissions
//!
//! A subscription needs `$JS.API.STREAM.INFO`, `$JS.API.STREAM.MSG.GET`, and `$JS.API.CONSUMER.CREATE`, `INFO` and
//! `MSG.NEXT` of the stream. The first two do not stop at a tenant, so a user who is fenced in by subject (see
//! [`crate::relay`]) cannot have them. Such a user gets a stream of an own account that sources the subjects of the tenant; the
//! positions in it are the same.
//!
//! Start reading at `subscribe.rs`.
//!
//! [`Position`]: crate::Position
//! [`Position::start`]: crate::Position::start
//! [`StreamSpec::max_age`]: crate::relay::StreamSpec::max_age

mod error;
mod ledger;
mod place;
mod step;
mod subscribe;
mod tap;

pub use error::SubscriptionError;
pub use ledger::{LEDGER_TABLE, Ledger, LedgerError};
pub use step::{Step, StepError};
pub use subscribe::{Delivery, Subscription};
