//! `gesta serve`: the HTTP API.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::catalog::{ActionsArgs, Loaded, Use};
use super::exit::{Code, Told};
use super::key::scopes;
use super::nats::length;
use super::say;
use super::session::Session;
use crate::access::{Keys, ProxyTrust, Rights, Scope, Sight};
use crate::config::{Place, ServeKeys};
use crate::definition::Catalog;
use crate::resource::ResourceType;
use crate::run::{Worker, WorkerOptions};
use crate::server::{AppState, BasePath, Origin, Settings, serve};

pub(super) const EXAMPLES: &str = "\
Examples:
  gesta serve                                        on http://127.0.0.1:8080, with a private PostgreSQL
  gesta serve --listen 0.0.0.0:8080 --base-path /audit --proxy 10.0.0.0/8
  gesta serve --proxy 127.0.0.1 --proxy-users user --proxy-scope events:read --proxy-label public";

/// Connections to the database. Writers need two; the rest is for readers, of which a core is busy with one or two.
const POOL_SIZE: usize = 16;
/// Where it listens unless it is told otherwise: for this machine only.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// The file with the first key, in the folder of the private PostgreSQL.
const KEY_FILE: &str = "first.key";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_name = "ADDRESS:PORT")]
    #[arg(
        help = "Where to listen; port 0 is any free one [env: GESTA_LISTEN; default: 127.0.0.1:8080]"
    )]
    listen: Option<SocketAddr>,
    #[arg(long, value_name = "URL")]
    #[arg(
        help = "How clients call the server, such as https://audit.example.com [env: GESTA_ORIGIN; default: as they do]"
    )]
    origin: Option<Origin>,
    #[arg(long, value_name = "PATH")]
    #[arg(help = "What all paths begin with, such as /audit [env: GESTA_BASE_PATH]")]
    base_path: Option<BasePath>,
    #[arg(long, value_name = "COUNT")]
    #[arg(
        help = "Requests a minute of each credential that has no number of its own [env: GESTA_RATE]"
    )]
    rate: Option<NonZeroU32>,
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    #[arg(
        help = "A proxy's address or network, whose X-Forwarded-For is believed; may be repeated [env: GESTA_PROXIES]"
    )]
    proxy: Vec<IpNet>,
    /// Runs in the background at the same time; 0 leaves them to other servers
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    workers: usize,
    /// Archive what became of each object, and the messages, of runs that ended so long ago, such as 90d [default: never]
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    keep_runs: Option<Duration>,
    #[command(flatten)]
    actions: ActionsArgs,
    #[command(flatten)]
    identity: Identity,
}

/// Who asks, by the word of a proxy. Off without `--proxy-users`.
#[derive(clap::Args)]
#[command(next_help_heading = "Proxies that log people in")]
struct Identity {
    /// Believe the proxies' X-Gesta-User: the id of a resource of this type, such as user
    #[arg(long = "proxy-users", id = "proxy_users", value_name = "TYPE")]
    users: Option<ResourceType>,
    /// What everybody may whom the proxy names; may be repeated
    #[arg(long = "proxy-scope", value_name = "SCOPE", value_parser = scopes(), requires = "proxy_users")]
    scope: Vec<Scope>,
    /// They see actions with this label; may be repeated
    #[arg(long = "proxy-label", value_name = "LABEL", requires = "proxy_users")]
    label: Vec<String>,
    /// Believe their X-Gesta-Groups too: names of roles that people have
    #[arg(long = "proxy-roles", requires = "proxy_users")]
    roles: bool,
}

/// `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let alone = || Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?));
    let wrong =
        || format!("{} is no address or network such as 10.0.0.0/8", crate::error::quote(text));
    text.parse().ok().or_else(alone).ok_or_else(wrong)
}

pub(crate) async fn run(args: Args, session: &Session) -> anyhow::Result<Code> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let settings = args.settings(session)?;
    let listen = args.listen(session)?;
    let opened = tokio::select! {
        opened = open(listen, &args.actions, session) => opened?,
        _ = interrupt.recv() => return Ok(Code::Interrupted),
        _ = terminate.recv() => return Ok(Code::Interrupted),
    };
    log_to_stderr();
    let Opened { loaded, database, listener, keys } = opened;
    let settings = Settings { catalog: loaded.catalog, ..settings };
    if let Some(server) = &loaded.nats {
        server.tell_workers(session)?;
    }
    tell(&listener, &settings, &keys, session).await?;
    let state = AppState::new(database.store.clone(), keys, settings);
    let (ending, ended) = watch::channel(false);
    let asked = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say::note("ending: no new connections are taken, and what is running is finished");
        ending.send_replace(true);
    };
    let served = tokio::join!(serve(listener, state.clone(), asked), work(&state, &args, ended));
    served.0?;
    say::note("stopped");
    Ok(Code::Ok)
}

/// Works on runs in the background until the server ends; each is left behind its present piece, for others to go on with.
async fn work(state: &AppState, args: &Args, mut ended: watch::Receiver<bool>) {
    if args.workers > 0 {
        let options = WorkerOptions::default().slots(args.workers);
        let options = match args.keep_runs {
            Some(age) => options.keep(age),
            None => options,
        };
        let worker = Worker::new(state.runs(), options);
        worker.run(async { drop(ended.wait_for(|is_over| *is_over).await) }).await;
    }
}

/// The database and the port, which both must be there before anything is told.
struct Opened {
    loaded: Loaded,
    database: super::session::Database,
    listener: TcpListener,
    keys: Keys,
}

async fn open(
    listen: SocketAddr,
    actions: &ActionsArgs,
    session: &Session,
) -> anyhow::Result<Opened> {
    let loaded = actions.load(Use::Run, session).await?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("failed to listen on {listen}"))?;
    let database = session.open_for(&loaded.catalog, Some(POOL_SIZE)).await?;
    let keys = Keys::new(&database.store);
    Ok(Opened { loaded, database, listener, keys })
}

/// Where it is and how to ask it. On a private database that has no key yet, the first one is made.
async fn tell(
    listener: &TcpListener,
    settings: &Settings,
    keys: &Keys,
    session: &Session,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("failed to ask for the own address")?;
    let url = format!("http://{address}{}", settings.base_path);
    match session.place()? {
        Place::Home(home) => {
            let file = home.path().join(KEY_FILE);
            if keys.bootstrap(&file).await?.is_some() {
                say::note(&format!(
                    "the first key may do everything in the tenant `default`; it is in {}",
                    file.display()
                ));
            }
            if file.exists() {
                say::note(&format!("try it:\n{}", example(&url, &file)));
            }
        }
        Place::Url { .. } => say::aside("keys are made by `gesta key create`"),
    }
    if !address.ip().is_loopback() {
        say::warning(
            "this is HTTP without TLS, open to other machines: put a proxy with TLS before it",
        );
    }
    say::note(&format!("listening on {url}"));
    Ok(())
}

/// A line that appends something, which a shell can run as it is.
fn example(url: &str, key: &Path) -> String {
    let key = key.display().to_string().replace('\'', r"'\''");
    format!(
        r#"curl -H "Authorization: Bearer $(cat '{key}')" --json '{{"actor":{{"type":"user","id":"ann"}},"verb":"try"}}' {url}/api/v1/events"#
    )
}

/// One line a request and an event, as `tracing` gives them.
fn log_to_stderr() {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    // Whoever has set a subscriber already listens for themselves.
    let _ = lines.with_max_level(tracing::Level::INFO).try_init();
}

impl Args {
    fn listen(&self, session: &Session) -> anyhow::Result<SocketAddr> {
        match (self.listen, &session.environment.serve.listen) {
            (Some(given), _) => Ok(given),
            (None, Some(text)) => text.parse().map_err(|_| {
                let given = crate::error::quote(text);
                Told::usage(format!("GESTA_LISTEN: {given} is no address such as 127.0.0.1:8080"))
                    .into()
            }),
            (None, None) => Ok(DEFAULT),
        }
    }

    fn settings(&self, session: &Session) -> anyhow::Result<Settings> {
        let ServeKeys { origin, base_path, rate, proxies, .. } = &session.environment.serve;
        let wrong =
            |name: &str, error: &dyn std::fmt::Display| Told::usage(format!("{name}: {error}"));
        let origin = match (&self.origin, origin) {
            (None, Some(text)) => {
                Some(text.parse().map_err(|error| wrong("GESTA_ORIGIN", &error))?)
            }
            (given, _) => given.clone(),
        };
        let base_path = match (&self.base_path, base_path) {
            (Some(given), _) => given.clone(),
            (None, Some(text)) => text.parse().map_err(|error| wrong("GESTA_BASE_PATH", &error))?,
            (None, None) => BasePath::default(),
        };
        let requests_per_minute = match (self.rate, rate) {
            (None, Some(text)) => Some(text.parse().map_err(|error| wrong("GESTA_RATE", &error))?),
            (given, _) => given,
        };
        let proxies = match (self.proxy.as_slice(), proxies) {
            ([], Some(list)) => {
                let all =
                    list.split(',').map(|text| network(text.trim())).collect::<Result<_, _>>();
                all.map_err(|error| wrong("GESTA_PROXIES", &error))?
            }
            (given, _) => given.to_vec(),
        };
        let proxy_identity = self.identity.trust(&proxies, session)?;
        let catalog = Catalog::default();
        Ok(Settings { base_path, origin, requests_per_minute, proxies, proxy_identity, catalog })
    }
}

impl Identity {
    fn trust(&self, proxies: &[IpNet], session: &Session) -> anyhow::Result<Option<ProxyTrust>> {
        let Some(kind) = &self.users else { return Ok(None) };
        if proxies.is_empty() {
            return Err(Told::usage("`--proxy-users` needs `--proxy`: whose word is it?").into());
        }
        let sight = Sight::Labels(self.label.clone());
        let rights = Rights { scopes: self.scope.clone(), sight };
        let trust = ProxyTrust::new(proxies.iter().copied(), kind.clone());
        let trust = trust.tenant(session.tenant.clone()).everybody(rights);
        Ok(Some(if self.roles { trust.roles_of_groups() } else { trust }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_is_one_command_whatever_the_folder_is_called() {
        let line = example("http://h/a", Path::new("/it's/first.key"));
        assert!(line.contains(r"cat '/it'\''s/first.key'"), "{line}");
        assert!(line.ends_with("http://h/a/api/v1/events") && !line.contains('\n'));
    }

    #[test]
    fn networks_may_be_one_address() {
        assert_eq!(network("10.0.0.1").expect("an address").to_string(), "10.0.0.1/32");
        assert_eq!(network("fd00::/8").expect("a network").to_string(), "fd00::/8");
        assert!(network("10.0.0").expect_err("neither").contains("is no address or network"));
    }
}
