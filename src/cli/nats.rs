//! Flags of the commands that talk to NATS: where it is, how to get in, which stream.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::exit::Told;
use super::say;
use super::session::Session;
use super::when;
use crate::config::{NatsKeys, Place, Secret};
use crate::error::chain;
use crate::local::{Broker, write_private};
use crate::relay::{Encoder, Ids, Mode, NatsOptions, StreamSpec, Subjects};

/// The file with the URL of a private server, in the folder of the private PostgreSQL.
const URL_FILE: &str = "nats.url";
/// The broker counts them as a signed number.
const BYTES_MAX: u64 = i64::MAX.cast_unsigned();

#[derive(clap::Args)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    #[arg(long, value_name = "URL")]
    #[arg(help = "Servers, with commas between [env: GESTA_NATS_URL; default: a private one]")]
    nats_url: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "nats_nkey")]
    #[arg(help = "Credentials of the user, as nsc writes them [env: GESTA_NATS_CREDENTIALS]")]
    nats_credentials: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    #[arg(help = "Seed of the user's nkey [env: GESTA_NATS_NKEY]")]
    nats_nkey: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    #[arg(help = "Authorities that the server's certificate must be of [env: GESTA_NATS_CA]")]
    nats_ca: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "nats_key")]
    #[arg(help = "Certificate to show the server [env: GESTA_NATS_CERT]")]
    nats_cert: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "nats_cert")]
    #[arg(help = "Its key [env: GESTA_NATS_KEY]")]
    nats_key: Option<PathBuf>,
    #[arg(long, value_name = "NAME")]
    #[arg(help = "The stream [env: GESTA_NATS_STREAM; default: GESTA]")]
    stream: Option<String>,
    #[arg(long, value_name = "PREFIX")]
    #[arg(help = "First tokens of all subjects [env: GESTA_NATS_PREFIX; default: act]")]
    prefix: Option<String>,
}

/// What the stream is like where it is made, and must be like where it is there.
#[derive(clap::Args)]
#[command(next_help_heading = "Stream")]
pub(crate) struct StreamArgs {
    /// How long messages are kept, such as 12h, 7d; 0s for ever [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = length)]
    max_age: Option<Duration>,
    /// How many bytes are kept, the oldest messages going first; without it a broker that is full refuses what comes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=BYTES_MAX))]
    max_bytes: Option<u64>,
    /// On how many servers of a cluster each message is kept: 1, 3 or 5 [default: 1]
    #[arg(long, value_name = "NUMBER")]
    replicas: Option<usize>,
    /// How long the broker recognises a message that comes twice [default: 2m]
    #[arg(long, value_name = "TIME", value_parser = window)]
    duplicate_window: Option<Duration>,
    /// Leave ids out of subjects: a million distinct subjects cost the broker some 300 MB of memory
    #[arg(long)]
    without_ids: bool,
    /// Write messages as CloudEvents in JSON, rather than as actions with headers
    #[arg(long)]
    structured: bool,
}

pub(super) fn length(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{} is no length of time; give one such as 90s, 15m, 12h, 7d",
            crate::error::quote(text)
        )
    };
    when::length_of(text).and_then(|length| length.to_std().ok()).ok_or_else(wrong)
}

/// The broker takes none for its own default.
fn window(text: &str) -> Result<Duration, String> {
    match length(text)? {
        Duration::ZERO => Err("it cannot do without a window; give one such as 2m".to_owned()),
        length => Ok(length),
    }
}

/// Where NATS is. A private server runs at least as long as this lives.
pub(crate) struct Server {
    pub(crate) options: NatsOptions,
    broker: Option<Broker>,
}

impl Server {
    /// The server that keys name; beside a private database a private one, and else none.
    pub(super) async fn open(keys: &NatsKeys, session: &Session) -> anyhow::Result<Option<Self>> {
        let options = keys.options().map_err(|error| Told::usage(chain(&error)))?;
        if let Some(options) = options {
            return Ok(Some(Self { options, broker: None }));
        }
        let Place::Home(home) = session.place()? else { return Ok(None) };
        let started = session.environment.start_broker(&home).await;
        let broker = started.context("failed to run the private nats-server")?;
        Ok(Some(Self { options: NatsOptions::parse(broker.url())?, broker: Some(broker) }))
    }

    /// Says where it is. How others reach a private one, whose password is another one at each start, stands in a file.
    pub(super) fn tell_workers(&self, session: &Session) -> anyhow::Result<()> {
        tell(self);
        let (Some(broker), Place::Home(home)) = (&self.broker, session.place()?) else {
            return Ok(());
        };
        let path = home.path().join(URL_FILE);
        write_private(&path, broker.url())
            .with_context(|| format!("failed to write {}", path.display()))?;
        say::note(&format!("workers reach it by the URL in {}", path.display()));
        Ok(())
    }
}

impl NatsArgs {
    /// Whether any of the flags is given.
    pub(crate) fn is_given(&self) -> bool {
        let texts = [&self.nats_url, &self.stream, &self.prefix];
        let files = [
            &self.nats_credentials,
            &self.nats_nkey,
            &self.nats_ca,
            &self.nats_cert,
            &self.nats_key,
        ];
        texts.into_iter().any(Option::is_some) || files.into_iter().any(Option::is_some)
    }

    /// What the flags say, and the environment where they say nothing. One way to log in takes the place of another.
    fn keys(&self, session: &Session) -> NatsKeys {
        let mut keys = session.environment.nats.clone();
        if self.nats_credentials.is_some() || self.nats_nkey.is_some() {
            (keys.credentials, keys.nkey, keys.token) = (None, None, None);
        }
        let given = |flag: &Option<PathBuf>, key: &mut Option<PathBuf>| {
            if flag.is_some() {
                key.clone_from(flag);
            }
        };
        given(&self.nats_credentials, &mut keys.credentials);
        given(&self.nats_nkey, &mut keys.nkey);
        given(&self.nats_ca, &mut keys.ca);
        given(&self.nats_cert, &mut keys.certificate);
        given(&self.nats_key, &mut keys.key);
        keys.url = self.nats_url.clone().map(Secret::from).or(keys.url);
        keys.stream = self.stream.clone().or(keys.stream);
        keys.prefix = self.prefix.clone().or(keys.prefix);
        keys
    }

    /// What flags and environment say; beside a private database a private server.
    pub(crate) async fn server(&self, session: &Session) -> anyhow::Result<Server> {
        let server = Server::open(&self.keys(session), session).await?;
        let none = || Told::usage("no NATS server is named; give `--nats-url` or GESTA_NATS_URL");
        Ok(server.ok_or_else(none)?)
    }

    /// The stream as it is by default, and how its messages are addressed.
    pub(crate) fn stream(&self, session: &Session) -> anyhow::Result<(StreamSpec, Subjects)> {
        let keys = self.keys(session);
        Ok((keys.stream()?, keys.subjects()?))
    }
}

impl StreamArgs {
    /// The stream as it should be, and what writes its messages.
    pub(crate) fn spec(
        &self,
        nats: &NatsArgs,
        session: &Session,
    ) -> anyhow::Result<(StreamSpec, Encoder)> {
        let ids = if self.without_ids { Ids::LeftOut } else { Ids::default() };
        let (spec, subjects) = nats.stream(session)?;
        let subjects = subjects.ids(ids);
        let spec = self.max_age.into_iter().fold(spec, StreamSpec::max_age);
        let spec = self.max_bytes.into_iter().fold(spec, StreamSpec::max_bytes);
        let spec = self.replicas.into_iter().fold(spec, StreamSpec::replicas);
        let spec = self.duplicate_window.into_iter().fold(spec, StreamSpec::duplicate_window);
        let mode = if self.structured { Mode::Structured } else { Mode::Binary };
        Ok((spec, Encoder::new(subjects).mode(mode)))
    }
}

/// Says where the server is, for whoever watches: without user and password.
pub(crate) fn tell(server: &Server) {
    say::aside(&format!("NATS at {}", server.options.servers()));
}
