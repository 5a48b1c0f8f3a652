//! One private nats-server for all tests of a run, found and kept as the cluster is.
//!
//! `TEST_NATS_URL` names a server to use instead, whose user may do everything; `TEST_NATS_BIN` the folder of the program to
//! start. A server that had to be downloaded is kept in the folder `target/tmp`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use async_nats::Client;
use async_nats::jetstream::{self, Context};
use gesta::local::{Broker, BrokerProgram, BrokerSearch, Home};
use gesta::relay::{Encoder, NatsOptions, Prefix, StreamSpec, Subjects};
use tokio::sync::OnceCell;

use super::cluster::{place_of, sweep_after_run};

/// A connection to the server of this run, with the names of a stream and of subjects that no other test has.
pub(crate) struct TestNats {
    pub(crate) client: Client,
    pub(crate) jet_stream: Context,
    pub(crate) spec: StreamSpec,
    pub(crate) encoder: Encoder,
    url: String,
}

/// The server of this run; never dropped, so it is used as long as the process lives.
struct Shared {
    url: String,
    _broker: Option<Broker>,
}

/// A connection, a stream's name and a prefix for one test. The stream is not there yet.
pub(crate) async fn nats() -> TestNats {
    TestNats::on(&shared().await.url, &format!("test_{}", random())).await
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(Shared::start).await
}

impl TestNats {
    /// The same on another server.
    pub(crate) async fn on(url: &str, name: &str) -> Self {
        let options = NatsOptions::parse(url).expect("a URL");
        let client = options.connect().await.expect("the server takes us");
        let prefix: Prefix = name.parse().expect("a prefix");
        let subjects = Subjects::new(prefix);
        let spec = StreamSpec::new(name, &subjects).expect("a name");
        let jet_stream = jetstream::new(client.clone());
        Self { client, jet_stream, spec, encoder: Encoder::new(subjects), url: url.to_owned() }
    }

    /// How to connect to the server once more.
    pub(crate) fn options(&self) -> NatsOptions {
        NatsOptions::parse(&self.url).expect("a URL")
    }

    /// The server's URL, with the password, for programs.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How its messages are addressed.
    pub(crate) fn subjects(&self) -> &Subjects {
        self.encoder.subjects()
    }
}

impl Shared {
    async fn start() -> Self {
        if let Some(url) = std::env::var_os("TEST_NATS_URL") {
            let url = url.into_string().expect("TEST_NATS_URL is the URL of a NATS server");
            return Self { url, _broker: None };
        }
        let program = find_program().await;
        let dir = place_of("gesta-test-nats").0;
        let search = search(program.parent().map(Path::to_owned));
        let broker = match Broker::start(&Home::at(&dir), &search).await {
            Ok(broker) => broker,
            Err(error) => panic!("the tests need NATS: {}", gesta::error::chain(&error)),
        };
        if !broker.joined() {
            let running = running_file(&broker.home().path().join("run"));
            sweep_after_run(&dir, &running, broker.hold().expect("a file descriptor"));
        }
        Self { url: broker.url().to_owned(), _broker: Some(broker) }
    }
}

fn search(nats_bin: Option<PathBuf>) -> BrokerSearch {
    BrokerSearch::new(nats_bin, std::env::var_os("PATH").unwrap_or_default())
}

/// The file that the server takes away when it stops.
fn running_file(run: &Path) -> PathBuf {
    let files = fs::read_dir(run).expect("the server's folder").flatten().map(|it| it.path());
    let mut ports = files.filter(|path| path.extension().is_some_and(|end| end == "ports"));
    ports.next().expect("the file with its port")
}

/// A nats-server that every user of this machine can run, downloaded once for many runs.
pub(crate) async fn program() -> PathBuf {
    // Whoever starts the common server sees to it that the folder of the run is swept.
    shared().await;
    find_program().await
}

async fn find_program() -> PathBuf {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let find = async || {
        let dir = place_of("gesta-test-nats").0;
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nats-server-2.15.1");
        let given = std::env::var_os("TEST_NATS_BIN").map(PathBuf::from);
        let given = given.or_else(|| copy(&kept, &dir.join("kept/nats-server")));
        match BrokerProgram::find(&Home::at(&dir), &search(given)).await {
            Ok(found) => {
                let path = found.path().to_owned();
                if path.starts_with(&dir) && !kept.exists() {
                    copy(&path, &kept);
                }
                path
            }
            Err(error) => panic!("the tests need NATS: {}", gesta::error::chain(&error)),
        }
    };
    PROGRAM.get_or_init(find).await.clone()
}

/// Copies a program under another name, and gives its folder; nothing where there is none.
fn copy(from: &Path, to: &Path) -> Option<PathBuf> {
    let dir = to.parent().expect("a folder");
    if !to.exists() && from.exists() {
        fs::create_dir_all(dir).expect("a folder");
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("permissions");
        let aside = to.with_extension(random());
        fs::copy(from, &aside).expect("a copy");
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o755)).expect("permissions");
        fs::rename(&aside, to).expect("a name");
    }
    to.exists().then(|| dir.to_owned())
}

pub(super) fn random() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    format!("{:016x}", u64::from_ne_bytes(bytes))
}
