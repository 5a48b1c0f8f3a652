//! Messages: an action as a CloudEvent, and back. Pure.
//!
//! CloudEvents 1.0 in the NATS binding (version 1.0.3, section 3). In binary mode, the default, the attributes are
//! headers and the payload is the JSON form of the action ([`crate::action::form`]); in structured mode the payload is a
//! CloudEvent in JSON whose `data` is that form. `schema/message.schema.json` has both, and the headers, for validators.
//!
//! | header | what |
//! |---|---|
//! | `Nats-Msg-Id` | [`MessageId`], tenant and id: the broker drops what it has seen within the stream's duplicate window |
//! | `Gesta-Position` | the place in the log, printed; opaque, and in log order with the stream's sequence |
//! | `content-type` | `application/cloudevents+json` in structured mode, else missing |
//! | `ce-` and a name | the attributes of that name ([`crate::format::event`]); PREFIX is that of the subjects |
//! | `Gesta-Compared-Since` | the relay's own, after a database was restored: how far back it compares ids |
//!
//! An action whose message the broker does not take, because it is too large, is *parked*: its place in the stream is taken
//! by a stub, the same action with the same id without `changes`, `data`, `context` and `description`. Whoever needs these
//! reads them from PostgreSQL by tenant and id. `gesta relay status` lists what is parked.
//!
//! In structured mode the attributes are in the payload, and only the first three headers are sent. Values of `ce-` headers
//! are percent-encoded as the binding says (section 3.1.3.2). The payload is always exact, so identity is read there.

mod id;

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use serde::Deserialize;

pub use id::MessageId;

use super::subject::Subjects;
use crate::action::{Action, ActionId};
use crate::error::quote;
use crate::format::event::{self, Attributes, CloudEvent};
use crate::format::percent;

/// The broker's own header for the id that it recognises duplicates by.
pub const ID_HEADER: &str = "Nats-Msg-Id";
/// The header with the place in the log.
pub const POSITION_HEADER: &str = "Gesta-Position";
/// The header that says structured mode.
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// The header with the time since when the relay compares ids before it publishes ([`super::run`]).
pub const COMPARED_HEADER: &str = "Gesta-Compared-Since";
/// The header that says of a stub why it is one.
const PARKED_HEADER: &str = "ce-parked";
/// Bytes of a printed position: ids of transactions in progress included, far more than any real one.
pub const POSITION_LEN_MAX: usize = 64 * 1024;

/// How CloudEvents are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Attributes as headers; the payload is the action alone.
    #[default]
    Binary,
    /// Everything in the payload, for consumers that know nothing but CloudEvents in JSON.
    Structured,
}

/// What cannot be a message, or is none.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The broker would not take it. It is the same at every attempt.
    #[error(
        "action {id} makes a message of {len} bytes, but the broker takes {max}; raise `max_payload` of the broker, and \
         `max_msg_size` of the stream where it is set"
    )]
    TooLarge {
        /// The action.
        id: MessageId,
        /// Bytes of headers and payload.
        len: usize,
        /// Bytes that the broker takes.
        max: usize,
    },
    /// A position that fits into no header.
    #[error(
        "the position {given} of action {id} is no header; give up to {POSITION_LEN_MAX} printable ASCII characters"
    )]
    Position {
        /// The action.
        id: ActionId,
        /// What was given, cut and quoted.
        given: String,
    },
    /// The action cannot be written as JSON.
    #[error("failed to write action {id} as JSON")]
    Write {
        /// The action.
        id: ActionId,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A message that was not published by a relay.
    #[error("the message has no header `{header}`, so no relay has published it")]
    NoHeader {
        /// Which one is missing.
        header: &'static str,
    },
    /// A payload that is no action.
    #[error("failed to read an action from the message")]
    Payload(#[source] serde_json::Error),
    /// The message says one id in the header and another one in the payload.
    #[error("the message's id is {given}, but its action is {id}")]
    Id {
        /// What the header says, cut and quoted.
        given: String,
        /// What the payload says.
        id: MessageId,
    },
}

/// Makes messages of actions.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    subjects: Subjects,
    mode: Mode,
}

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message's id.
    pub id: MessageId,
    /// Where to.
    pub subject: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its payload.
    pub payload: Bytes,
}

/// A message that came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The action.
    pub action: Action,
    /// Its place in the log, as printed.
    pub position: String,
    /// Why it is a stub: `changes`, `data`, `context` and `description` are missing, and PostgreSQL has them.
    pub parked: Option<String>,
}

/// Why an action is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parked {
    /// The broker takes no message of this size.
    TooLarge,
}

impl Parked {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
        }
    }
}

impl Encoder {
    /// Binary messages on these subjects.
    #[must_use]
    pub fn new(subjects: Subjects) -> Self {
        Self { subjects, mode: Mode::Binary }
    }

    /// How the CloudEvents are written.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The subjects.
    #[must_use]
    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The message of an action, whose audience decides on the subject: give it the one that holds now.
    ///
    /// # Errors
    /// When the position is not printable ASCII, or the JSON cannot be written.
    pub fn encode(&self, action: &Action, position: &str) -> Result<Outgoing, MessageError> {
        self.write(action, position, None)
    }

    /// The message that takes the place of one that the broker does not take: the action without what may be large.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn stub(
        &self,
        action: &Action,
        position: &str,
        why: Parked,
    ) -> Result<Outgoing, MessageError> {
        let mut action = action.clone();
        (action.changes, action.data, action.context) = (None, None, None);
        action.description = None;
        self.write(&action, position, Some(why))
    }

    fn write(
        &self,
        action: &Action,
        position: &str,
        parked: Option<Parked>,
    ) -> Result<Outgoing, MessageError> {
        let id = action.id;
        if !is_position(position) {
            return Err(MessageError::Position { id, given: quote(position) });
        }
        let write = |source| MessageError::Write { id, source };
        let source = event::source(self.subjects.prefix().as_str(), &action.tenant);
        let attributes = Attributes::of(action, &source).parked(parked.map(Parked::as_str));
        let mut headers = HeaderMap::new();
        let name = MessageId::of(action);
        headers.insert(ID_HEADER, name.to_string());
        headers.insert(POSITION_HEADER, position);
        let payload = match self.mode {
            Mode::Binary => {
                for (name, value) in attributes.iter() {
                    headers.insert(format!("ce-{name}"), percent_encode(value).as_str());
                }
                serde_json::to_vec(action).map_err(write)?
            }
            Mode::Structured => {
                headers.insert(CONTENT_TYPE_HEADER, event::MEDIA_TYPE);
                serde_json::to_vec(&CloudEvent { attributes, data: action }).map_err(write)?
            }
        };
        let subject = self.subjects.of(action);
        Ok(Outgoing { id: name, subject, headers, payload: payload.into() })
    }
}

impl Outgoing {
    /// Bytes of headers and payload, which is what a broker limits (`max_payload`). What the relay adds does not count:
    /// there is room for it beyond the limit ([`super::publish::FENCE_LEN_MAX`]).
    #[must_use]
    pub fn wire_len(&self) -> usize {
        let line = |name: &str, value: &str| name.len() + ": ".len() + value.len() + "\r\n".len();
        let headers = self.headers.iter().filter(|(name, _)| {
            let name: &str = name.as_ref();
            name != COMPARED_HEADER
        });
        let lines = headers.flat_map(|(name, values)| {
            values.iter().map(move |value| line(name.as_ref(), value.as_str()))
        });
        "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>() + self.payload.len()
    }

    /// Whether a broker takes it, together with what the relay adds to fence it ([`super::publish`]).
    ///
    /// # Errors
    /// [`MessageError::TooLarge`].
    pub fn check_len(&self, max: usize) -> Result<(), MessageError> {
        match self.wire_len() {
            len if len <= max => Ok(()),
            len => Err(MessageError::TooLarge { id: self.id.clone(), len, max }),
        }
    }
}

impl Incoming {
    /// Reads a message, in either mode.
    ///
    /// # Errors
    /// When it is no relay's message, or its payload is no action.
    pub fn read(headers: Option<&HeaderMap>, payload: &[u8]) -> Result<Self, MessageError> {
        let header = |name| headers.and_then(|headers| find(headers, name));
        let required = |name| header(name).ok_or(MessageError::NoHeader { header: name });
        let (given, position) = (required(ID_HEADER)?, required(POSITION_HEADER)?);
        let (action, parked) = if header(CONTENT_TYPE_HEADER).is_some_and(is_structured) {
            serde_json::from_slice(payload).map(|WithData { data, parked }| (data, parked))
        } else {
            let parked = header(PARKED_HEADER).map(str::to_owned);
            serde_json::from_slice(payload).map(|action: Action| (action, parked))
        }
        .map_err(MessageError::Payload)?;
        let id = MessageId::of(&action);
        if !id.is(given) {
            return Err(MessageError::Id { given: quote(given), id });
        }
        Ok(Self { action, position: position.to_owned(), parked })
    }
}

/// The value of a header, whatever the case of its name: other clients may have changed that.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let exact = headers.get(name);
    let same = |found: &HeaderName| AsRef::<str>::as_ref(found).eq_ignore_ascii_case(name);
    let any = || headers.iter().find(|(found, _)| same(found));
    exact.or_else(|| any().and_then(|(_, values)| values.first())).map(HeaderValue::as_str)
}

fn is_structured(content_type: &str) -> bool {
    const MEDIA_TYPE: &str = "application/cloudevents";
    content_type.get(..MEDIA_TYPE.len()).is_some_and(|it| it.eq_ignore_ascii_case(MEDIA_TYPE))
}

#[derive(Deserialize)]
struct WithData {
    data: Action,
    parked: Option<String>,
}

/// Everything but printable ASCII, and `"` and `%` as well (NATS binding, section 3.1.3.2). What is left cannot end a
/// header, on which `HeaderMap::insert` would panic.
fn percent_encode(text: &str) -> String {
    percent::encode(text, |byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%'))
}

fn is_position(text: &str) -> bool {
    (1..=POSITION_LEN_MAX).contains(&text.len())
        && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

#[cfg(test)]
mod tests;
