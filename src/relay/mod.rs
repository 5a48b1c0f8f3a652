//! The log as messages of NATS JetStream: subjects, messages, the stream, and connections.
//!
//! This is the contract with consumers, in any language:
//!
//! - **Subjects** ([`subject`]): `act.v1.<tenant>.<lane>.<object type>.<verb>.<object id>`, percent-escaped token by token,
//!   so that a consumer can filter by object, type, verb, tenant and lane ([`Filter`]).
//! - **Messages** ([`message`]): CloudEvents 1.0, in binary mode by default. The payload is the JSON form of the action; a
//!   header has its position in the log; the message's id is tenant and id, since an id is unique in its tenant only.
//!   `schema/message.schema.json` is the schema.
//! - **Order**: the stream's order is log order, so each object's actions come in the order of their commits.
//! - **Who may see what**: an action whose audience has the label `public` goes to the tree `act.v1.`, every other one to
//!   `act.v1p.`, and neither appears in the other in any form. Permissions of the broker fence trees and tenants by
//!   subject (below). The audience that counts is the one at the time of publishing: what was public when it was
//!   published stays in the stream until its limits drop it, whatever the audience becomes later.
//! - **The stream** ([`stream`]): only the relay publishes there; nothing else may be stored in it, and nobody deletes.
//! - **The relay** ([`run`]) reads the log and publishes it, as one of any number at once.
//!
//! # Fencing a tenant
//!
//! A user who may read tenant `acme` and nothing else, with one pull consumer `acme` on the stream `GESTA`:
//!
//! ```text
//! { user: acme, password: …, permissions: {
//!     subscribe: [ "act.v1.acme.>", "_INBOX_acme.>" ]
//!     publish: [
//!       "$JS.API.CONSUMER.CREATE.GESTA.acme.act.v1.acme.>"
//!       "$JS.API.CONSUMER.INFO.GESTA.acme"
//!       "$JS.API.CONSUMER.MSG.NEXT.GESTA.acme"
//!       "$JS.ACK.GESTA.acme.>"
//!     ] } }
//! ```
//!
//! Each line matters. The name of the consumer is fixed, because whoever may ask any consumer for its next message reads what
//! that one filters; the filter is part of the subject that creates it, and the server refuses a request that says another
//! one; `$JS.API.STREAM.MSG.GET` names no subject and is not given; and answers come below an inbox of the user's own
//! ([`NatsOptions::inbox`]), since every user who may read `_INBOX.>` reads what is sent to the others. Whoever needs more
//! than one consumer gets a set of lines for each. The relay itself needs to publish below the prefix, to subscribe to
//! `PREFIX.bell`, to create and look at the stream, to read its messages, and, after a restore, a consumer of it.
//!
//! Start reading at [`subject`] for the contract, at [`run`] for what keeps it.

pub mod bell;
mod connect;
mod cursor;
mod error;
mod known;
mod ledger;
pub mod message;
mod pack;
pub mod publish;
mod rebuild;
pub mod run;
mod status;
pub mod stream;
pub mod subject;
mod tls;
mod turn;
mod url;

pub use connect::{ConnectError, NatsOptions, Reason, SERVER_MIN};
pub use error::RelayError;
pub use ledger::ParkedAction;
pub use message::{Encoder, Incoming, MessageError, MessageId, Mode, Outgoing, Parked};
pub use publish::{PublishError, Publisher};
pub use run::{News, Relay};
pub use status::{Lag, RelayStatus, Tip};
pub use stream::{StreamError, StreamSpec, Tail};
pub use subject::{Filter, Ids, Lane, Prefix, SubjectError, Subjects, Tree};
