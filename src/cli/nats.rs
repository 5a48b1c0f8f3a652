//! Flags of the commands that talk to NATS: where it is, how to get in, which stream.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::exit::Told;
use super::say;
use super::session::Session;
use super::when;
use crate::config::{Nats, Place};
use crate::local::Broker;
use crate::relay::{Encoder, Ids, Mode, NatsOptions, Prefix, StreamSpec, Subjects};

/// The name of the stream where none is given.
const STREAM: &str = "GESTA";

#[derive(clap::Args)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    #[arg(long, value_name = "URL")]
    #[arg(
        help = "Servers, with commas between [env: GESTA_NATS_URL, NATS_URL; default: a private one]"
    )]
    nats_url: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "nats_nkey")]
    #[arg(help = "Credentials of the user, as nsc writes them [env: GESTA_NATS_CREDS]")]
    nats_creds: Option<PathBuf>,
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
    #[arg(help = "The stream [env: GESTA_STREAM; default: GESTA]")]
    stream: Option<String>,
    #[arg(long, value_name = "PREFIX")]
    #[arg(help = "First tokens of all subjects [env: GESTA_SUBJECT_PREFIX; default: act]")]
    prefix: Option<Prefix>,
}

/// What the stream is like where it is made, and must be like where it is there.
#[derive(clap::Args)]
#[command(next_help_heading = "Stream")]
pub(crate) struct StreamArgs {
    /// How long messages are kept, such as 12h, 7d; 0s for ever
    #[arg(long, value_name = "TIME", value_parser = length, default_value = "7d")]
    max_age: Duration,
    /// How many bytes are kept; the oldest messages go first [default: all that the broker has]
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// On how many servers of a cluster each message is kept: 1, 3 or 5
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    replicas: usize,
    /// How long the broker recognises a message that comes twice
    #[arg(long, value_name = "TIME", value_parser = length, default_value = "2m")]
    duplicate_window: Duration,
    /// Leave ids out of subjects: a million distinct subjects cost the broker some 300 MB of memory
    #[arg(long)]
    without_ids: bool,
    /// Write messages as CloudEvents in JSON, rather than as actions with headers
    #[arg(long)]
    structured: bool,
}

fn length(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{} is no length of time; give one such as 90s, 15m, 12h, 7d",
            crate::error::quote(text)
        )
    };
    when::length_of(text).and_then(|length| length.to_std().ok()).ok_or_else(wrong)
}

/// Where NATS is. A private server runs at least as long as this lives.
pub(crate) struct Server {
    pub(crate) options: NatsOptions,
    _broker: Option<Broker>,
}

impl NatsArgs {
    /// What flags and environment say; beside a private database a private server.
    pub(crate) async fn server(&self, session: &Session) -> anyhow::Result<Server> {
        let nats = &session.environment.nats;
        let given = self.nats_url.as_deref().or(nats.url());
        let (url, broker) = match (given, session.place()?) {
            (Some(url), _) => (url.to_owned(), None),
            (None, Place::Home(home)) => {
                let started = Broker::start(&home, &session.environment.broker_search()).await;
                let broker = started.context("failed to run the private nats-server")?;
                (broker.url().to_owned(), Some(broker))
            }
            (None, Place::Url { .. }) => {
                return Err(Told::usage(
                    "no NATS server is named; give `--nats-url` or GESTA_NATS_URL",
                )
                .into());
            }
        };
        let options = self.log_in(NatsOptions::parse(&url)?, nats)?;
        Ok(Server { options, _broker: broker })
    }

    fn log_in(&self, options: NatsOptions, nats: &Nats) -> anyhow::Result<NatsOptions> {
        let either = |flag: &Option<PathBuf>, variable: &Option<PathBuf>| {
            flag.clone().or_else(|| variable.clone())
        };
        let mut options = options;
        if let Some(file) = either(&self.nats_creds, &nats.creds) {
            options = options.credentials_file(file)?;
        }
        if let Some(file) = either(&self.nats_nkey, &nats.nkey) {
            options = options.nkey_file(file)?;
        }
        if let Some(file) = either(&self.nats_ca, &nats.ca) {
            options = options.ca_file(file);
        }
        match (either(&self.nats_cert, &nats.cert), either(&self.nats_key, &nats.key)) {
            (Some(certificate), Some(key)) => Ok(options.client_certificate(certificate, key)),
            (None, None) => Ok(options),
            _ => Err(Told::usage(
                "a certificate for NATS needs its key, and the key its certificate",
            )
            .into()),
        }
    }

    pub(crate) fn stream(&self, session: &Session) -> String {
        let variable = session.environment.nats.stream.clone();
        self.stream.clone().or(variable).unwrap_or_else(|| STREAM.to_owned())
    }

    pub(crate) fn subjects(&self, session: &Session) -> anyhow::Result<Subjects> {
        let prefix = match (&self.prefix, &session.environment.nats.prefix) {
            (Some(prefix), _) => prefix.clone(),
            (None, Some(text)) => text
                .parse()
                .map_err(|error| Told::usage(format!("GESTA_SUBJECT_PREFIX: {error}")))?,
            (None, None) => Prefix::default(),
        };
        Ok(Subjects::new(prefix))
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
        let subjects = nats.subjects(session)?.ids(ids);
        let mut spec = StreamSpec::new(&nats.stream(session), &subjects)?
            .max_age(self.max_age)
            .replicas(self.replicas)
            .duplicate_window(self.duplicate_window);
        if let Some(bytes) = self.max_bytes {
            spec = spec.max_bytes(bytes);
        }
        let mode = if self.structured { Mode::Structured } else { Mode::Binary };
        Ok((spec, Encoder::new(subjects).mode(mode)))
    }
}

/// Says where the server is, for whoever watches: without user and password.
pub(crate) fn tell(server: &Server) {
    say::aside(&format!("NATS at {}", server.options.servers()));
}
