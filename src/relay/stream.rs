//! The stream that the messages go to: created, or compared field by field with what is asked for.
//!
//! A server that does not know a field ignores it without a word, and a stream may have been made by somebody else, so what
//! the server says after it was made, or found, is compared as well. Nothing is changed in a stream that exists: the error
//! says how to.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::context::{
    CreateStreamErrorKind, GetStreamErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};

use super::message::{ID_HEADER, POSITION_HEADER};
use super::subject::Subjects;
use crate::error::quote;

/// Bytes of a stream's name: it is a part of many subjects.
const NAME_LEN_MAX: usize = 64;
/// How long the broker recognises a message that was published twice.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// How long messages are kept. PostgreSQL keeps them all.
const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// What the stream should be.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    name: String,
    subjects: Vec<String>,
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
    replicas: Option<usize>,
    duplicate_window: Option<Duration>,
}

/// Why the stream cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// No name of a stream.
    #[error(
        "{given} is no name of a stream; give 1 to {NAME_LEN_MAX} letters, digits, `_` and `-`"
    )]
    Name {
        /// What was given, cut and quoted.
        given: String,
    },
    /// The stream is another one than was asked for.
    #[error(
        "the stream `{stream}` differs from what is asked for:\n{differences}\nask for what it is; or change it, with `nats \
         stream edit {stream}`; or name another stream"
    )]
    Differs {
        /// Its name.
        stream: String,
        /// Field by field.
        differences: Differences,
    },
    /// The account may have no streams.
    #[error(
        "the broker has no JetStream for this account; start it with `nats-server -js`, or enable it for the account"
    )]
    NoJetStream,
    /// The broker does not answer.
    #[error(
        "failed to {doing} the stream `{stream}`: no answer in time, or no permission; check the server's log"
    )]
    Timeout {
        /// What was to be done.
        doing: &'static str,
        /// Its name.
        stream: String,
    },
    /// The broker refused something.
    #[error("failed to {doing} the stream `{stream}`")]
    Refused {
        /// What was to be done.
        doing: &'static str,
        /// Its name.
        stream: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The last message is not one of a relay's.
    #[error(
        "message {sequence} of the stream `{stream}` has no header `{header}`: somebody else publishes there; take away the \
         permission, and delete and rebuild the stream"
    )]
    Foreign {
        /// Its name.
        stream: String,
        /// The message.
        sequence: u64,
        /// What it should have.
        header: &'static str,
    },
}

/// How a stream differs from what is asked for, one field a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences(Vec<Difference>);

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name, as in the server's API and `nats stream info -j`.
    pub field: &'static str,
    /// What is asked for.
    pub wanted: String,
    /// What the stream has.
    pub found: String,
}

impl Differences {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Difference> {
        self.0.iter()
    }

    fn note(&mut self, field: &'static str, wanted: impl fmt::Debug, found: impl fmt::Debug) {
        let (wanted, found) = (format!("{wanted:?}"), format!("{found:?}"));
        if wanted != found {
            self.0.push(Difference { field, wanted, found });
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Difference { field, wanted, found }) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}  {field}: asked for {wanted}, but it is {found}")?;
        }
        Ok(())
    }
}

/// Where a stream ends: how far all relays together have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing was ever published.
    Empty,
    /// The last message.
    Message {
        /// Its number in the stream.
        sequence: u64,
        /// Its place in the log, as printed.
        position: String,
        /// Its id, as it is printed in the message.
        id: String,
    },
    /// There were messages, but the limits have dropped them all, and the place in the log with the last one.
    Dropped {
        /// The number of the last one.
        sequence: u64,
    },
}

impl Tail {
    /// The number of the last message that was ever stored; 0 before the first one. What the next publish is fenced by.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Message { sequence, .. } | Self::Dropped { sequence } => *sequence,
        }
    }
}

impl StreamSpec {
    /// A stream for these subjects, that keeps messages for seven days, on one server.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn new(name: &str, subjects: &Subjects) -> Result<Self, StreamError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=NAME_LEN_MAX).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(StreamError::Name { given: quote(name) });
        }
        Ok(Self {
            name: name.to_owned(),
            subjects: subjects.all(),
            max_age: None,
            max_bytes: None,
            replicas: None,
            duplicate_window: None,
        })
    }

    /// How long messages are kept; zero for ever.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// How many bytes are kept; the oldest messages are dropped first. Without it nothing is dropped for its size: a broker that
    /// is full refuses what comes, and the relay waits for room.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// On how many servers of a cluster each message is kept: 1, 3 or 5.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// How long the broker recognises a message that was published twice; two minutes by default, and never more than
    /// `max_age`.
    #[must_use]
    pub fn duplicate_window(mut self, window: Duration) -> Self {
        self.duplicate_window = Some(window);
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the server is asked for. Nobody may delete messages or purge the stream, and no header may roll it up. What is
    /// left to the operator, and not compared: description, metadata, placement, compression and limits of consumers.
    fn config(&self) -> Config {
        let max_age = self.max_age.unwrap_or(MAX_AGE);
        let window = self.duplicate_window.unwrap_or(DUPLICATE_WINDOW);
        Config {
            name: self.name.clone(),
            subjects: self.subjects.clone(),
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_age,
            max_bytes: self.max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            max_messages: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            max_message_size: -1,
            num_replicas: self.replicas.unwrap_or(1),
            duplicate_window: if max_age.is_zero() { window } else { window.min(max_age) },
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            ..Config::default()
        }
    }

    /// The same, with what may be chosen, and is left open, as it is in a stream.
    pub(super) fn or_as_in(mut self, found: &Config) -> Self {
        let bytes = u64::try_from(found.max_bytes).ok().filter(|bytes| *bytes > 0);
        self.max_age = self.max_age.or(Some(found.max_age));
        self.max_bytes = self.max_bytes.or(bytes);
        self.replicas = self.replicas.or(Some(found.num_replicas));
        self.duplicate_window = self.duplicate_window.or(Some(found.duplicate_window));
        self
    }

    /// Gives a stream what may be chosen as it is asked for here, so that the broker says whether it can.
    pub(super) async fn try_on(
        &self,
        jet_stream: &Context,
        found: &Config,
    ) -> Result<(), StreamError> {
        let Config { max_age, max_bytes, num_replicas, duplicate_window, .. } = self.config();
        let tried = Config { max_age, max_bytes, num_replicas, duplicate_window, ..found.clone() };
        if tried == *found {
            return Ok(());
        }
        let changed = jet_stream.update_stream(&tried).await;
        changed.map(drop).map_err(|error| self.failed("change", error))
    }

    /// Finds the stream, or creates it, and makes sure that it is what is asked for. The stream comes back with what the
    /// server knows of it.
    ///
    /// # Errors
    /// [`StreamError::Differs`] names each field; what the broker refuses.
    pub async fn open(&self, jet_stream: &Context) -> Result<Stream, StreamError> {
        match self.find(jet_stream).await? {
            Some(stream) => Ok(stream),
            None => self.check(self.create(jet_stream).await?),
        }
    }

    /// Finds the stream, and makes sure that it is what is asked for; nothing where there is none.
    ///
    /// # Errors
    /// As [`StreamSpec::open`].
    pub async fn find(&self, jet_stream: &Context) -> Result<Option<Stream>, StreamError> {
        self.look(jet_stream).await?.map(|stream| self.check(stream)).transpose()
    }

    /// Finds the stream, and makes sure of what relays and consumers rely on. What may be chosen is as it was chosen: age,
    /// bytes, replicas, and the window for duplicates.
    ///
    /// # Errors
    /// As [`StreamSpec::open`].
    pub async fn find_as_made(&self, jet_stream: &Context) -> Result<Option<Stream>, StreamError> {
        let found = self.look(jet_stream).await?;
        let check = |stream: Stream| {
            let spec = self.clone().or_as_in(&stream.cached_info().config);
            spec.check(stream)
        };
        found.map(check).transpose()
    }

    /// The stream, whatever it is like; nothing where there is none.
    pub(super) async fn look(&self, jet_stream: &Context) -> Result<Option<Stream>, StreamError> {
        look(jet_stream, &self.name).await
    }

    fn check(&self, stream: Stream) -> Result<Stream, StreamError> {
        let differences = compare(&self.config(), &stream.cached_info().config);
        if differences.0.is_empty() {
            return Ok(stream);
        }
        Err(StreamError::Differs { stream: self.name.clone(), differences })
    }

    async fn create(&self, jet_stream: &Context) -> Result<Stream, StreamError> {
        tracing::info!(stream = self.name, "creating the stream");
        match jet_stream.create_stream(self.config()).await {
            Ok(stream) => Ok(stream),
            Err(error) => match error.kind() {
                // Another relay was faster, with something else; what it is, the comparison tells.
                CreateStreamErrorKind::JetStream(refusal)
                    if refusal.error_code() == ErrorCode::STREAM_NAME_EXIST =>
                {
                    let found = jet_stream.get_stream(&self.name).await;
                    found.map_err(|error| self.failed("look for", error))
                }
                _ => Err(self.failed("create", error)),
            },
        }
    }

    fn failed(
        &self,
        doing: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> StreamError {
        failed(doing, &self.name, source)
    }
}

/// The stream of a name; nothing where there is none.
pub(crate) async fn look(jet_stream: &Context, name: &str) -> Result<Option<Stream>, StreamError> {
    match jet_stream.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            GetStreamErrorKind::JetStream(refusal) if is_disabled(refusal.error_code()) => {
                Err(StreamError::NoJetStream)
            }
            _ => Err(failed("look for", name, error)),
        },
    }
}

fn failed(
    doing: &'static str,
    stream: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StreamError {
    let stream = stream.to_owned();
    match request_kind(&source) {
        Some(RequestErrorKind::NoResponders) => StreamError::NoJetStream,
        Some(RequestErrorKind::TimedOut) => StreamError::Timeout { doing, stream },
        _ => StreamError::Refused { doing, stream, source: Box::new(source) },
    }
}

/// How the request itself ended, which the client puts under errors of many types.
fn request_kind(error: &(dyn std::error::Error + 'static)) -> Option<RequestErrorKind> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .into_iter()
        .find_map(|error| error.downcast_ref::<RequestError>())
        .map(RequestError::kind)
}

fn is_disabled(code: ErrorCode) -> bool {
    [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT].contains(&code)
}

/// The end of a stream, asked of the server that leads it: a replica may be behind.
///
/// # Errors
/// When the broker does not answer, or the last message is nobody's.
pub async fn tail(stream: &Stream) -> Result<Tail, StreamError> {
    let name = stream.cached_info().config.name.as_str();
    let look = |error| failed("look at", name, error);
    let sequence = stream.get_info().await.map_err(look)?.state.last_sequence;
    if sequence == 0 {
        return Ok(Tail::Empty);
    }
    let message = match stream.get_raw_message(sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            // Dropped by the limits, or the broker was set back meanwhile and the stream ends elsewhere.
            let state = stream.get_info().await.map_err(look)?.state;
            if state.messages == 0 && state.last_sequence == sequence {
                return Ok(Tail::Dropped { sequence });
            }
            return Err(failed("read the last message of", name, error));
        }
        Err(error) => return Err(failed("read the last message of", name, error)),
    };
    let header = |header| {
        let value = message.headers.get(header).map(|value| value.as_str().to_owned());
        value.ok_or(StreamError::Foreign { stream: name.to_owned(), sequence, header })
    };
    Ok(Tail::Message { sequence, position: header(POSITION_HEADER)?, id: header(ID_HEADER)? })
}

/// Compares everything that a consumer or the relay relies on.
fn compare(wanted: &Config, found: &Config) -> Differences {
    let mut all = Differences::default();
    let sorted = |config: &Config| {
        let mut subjects = config.subjects.clone();
        subjects.sort();
        subjects
    };
    all.note("subjects", sorted(wanted), sorted(found));
    macro_rules! same {
        ($($field:ident as $name:literal),+ $(,)?) => {
            $(all.note($name, &wanted.$field, &found.$field);)+
        };
    }
    same!(
        retention as "retention", storage as "storage", discard as "discard",
        discard_new_per_subject as "discard_new_per_subject", max_age as "max_age", max_bytes as "max_bytes",
        max_messages as "max_msgs", max_messages_per_subject as "max_msgs_per_subject",
        max_consumers as "max_consumers", max_message_size as "max_msg_size", num_replicas as "num_replicas",
        duplicate_window as "duplicate_window", no_ack as "no_ack", sealed as "sealed",
        deny_delete as "deny_delete", deny_purge as "deny_purge", allow_direct as "allow_direct",
        allow_rollup as "allow_rollup_hdrs", mirror_direct as "mirror_direct", mirror as "mirror",
        sources as "sources", republish as "republish", subject_transform as "subject_transform",
    );
    all
}
