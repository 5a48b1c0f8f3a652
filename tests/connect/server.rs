//! A private PostgreSQL with TLS on loopback, its certificates, and listeners that only play one.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use gesta::local::{Binaries, Fetch, Home, Search};
use gesta::store::Endpoint;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};

/// Full of what URLs and pairs treat as special.
pub(crate) const PASSWORD: &str = r"s3cr3t@/?#%25 '\&=ü";

/// `ann`: trusted. `scram`: by password. `certified`: by client certificate.
/// `clear`: only without TLS. Database `sealed`: only with TLS.
const PG_HBA: &str = "
local   all    all       trust
host    app    ann       all trust
host    app    scram     all scram-sha-256
hostssl app    certified all cert
hostnossl app  clear     all trust
hostssl sealed ann       all trust
";

const POSTGRESQL_CONF: &str = "
listen_addresses = '127.0.0.1'
ssl = on
ssl_ca_file = 'ca.pem'
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
fsync = off
max_connections = 30
";

const ROLES: &str = "
CREATE DATABASE app;
CREATE DATABASE sealed;
CREATE ROLE reader;
CREATE ROLE writer;
CREATE ROLE stranger;
CREATE ROLE ann LOGIN IN ROLE reader, writer;
CREATE ROLE certified LOGIN;
CREATE ROLE clear LOGIN;
";

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

pub(crate) struct Server {
    dir: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Server {
    /// The server of all tests that leave it as it is; the last one of them stops it. None, and a word about it, where
    /// no PostgreSQL with TLS is installed: the one that can be fetched has none.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::own()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server of one's own, to restart; none as above.
    pub(crate) fn own() -> Option<Self> {
        if bin_dir().is_none() {
            eprintln!(
                "skipped: no PostgreSQL 15 or later with TLS is installed; apt install postgresql"
            );
            return None;
        }
        Some(Self::start())
    }

    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Self { port: free_port(), dir };
        let data = server.path("data");
        server.run("chown", &["postgres", server.text().as_str()], As::Root);
        let initdb = ["-D", &data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"];
        server.run("initdb", &[&initdb[..], &["--locale=C"]].concat(), As::Postgres);
        let authority = Authority::new("Gesta test authority");
        fs::write(server.path("ca.pem"), authority.pem()).expect("ca.pem");
        fs::write(server.path("other-ca.pem"), Authority::new("Another").pem()).expect("other CA");
        fs::write(server.path("data/ca.pem"), authority.pem()).expect("ca.pem");
        fs::write(server.path("data/pg_hba.conf"), PG_HBA).expect("pg_hba.conf");
        let own =
            format!("port = {}\nunix_socket_directories = '{}'\n", server.port, server.text());
        let conf = [POSTGRESQL_CONF, &own].concat();
        fs::write(server.path("data/postgresql.conf"), conf).expect("postgresql.conf");
        server.put_client("client", &authority);
        server.put_client("forged", &Authority::new("Gesta test authority"));
        server.put_certificate(&authority.sign(&PKCS_ECDSA_P256_SHA256, &server_params()));
        server.pg_ctl("start");
        // A test's own runtime is busy with the test: this one runs on another thread.
        std::thread::scope(|scope| scope.spawn(|| block_on(server.fill())).join()).expect("roles");
        server
    }

    /// Makes databases and roles, through the socket and a `Config`, as for a managed server.
    async fn fill(&self) {
        let mut config = tokio_postgres::Config::new();
        config.host(self.text()).port(self.port).user("postgres").dbname("postgres");
        let client = Endpoint::from(config).connect().await.expect("the socket");
        for statement in ROLES.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            client.batch_execute(statement).await.expect(statement);
        }
        let password = PASSWORD.replace('\'', "''");
        let scram = format!("CREATE ROLE scram LOGIN PASSWORD '{password}'");
        client.batch_execute(&scram).await.expect("scram");
    }

    pub(crate) fn restart(&self) {
        self.pg_ctl("restart");
    }

    pub(crate) fn stop(&self) {
        self.pg_ctl("stop");
    }

    /// Uses another certificate from the next start on.
    pub(crate) fn put_certificate(&self, (certificate, key): &(String, String)) {
        fs::write(self.path("data/server.pem"), certificate).expect("server.pem");
        fs::write(self.path("data/server.key"), key).expect("server.key");
        self.run("chmod", &["600", &self.path("data/server.key")], As::Root);
        self.run("chown", &["-R", "postgres", &self.path("data")], As::Root);
    }

    fn put_client(&self, name: &str, authority: &Authority) {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.distinguished_name.push(DnType::CommonName, "certified");
        let (certificate, key) = authority.sign(&PKCS_ECDSA_P256_SHA256, &params);
        fs::write(self.path(&format!("{name}.pem")), certificate).expect("certificate");
        fs::write(self.path(&format!("{name}.key")), key).expect("key");
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    pub(crate) fn text(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn pg_ctl(&self, command: &str) {
        let (data, log) = (self.path("data"), self.path("data/log"));
        let arguments = ["-D", &data, "-l", &log, "-w", "-m", "fast", command];
        self.run("pg_ctl", &arguments, As::Postgres);
    }

    fn run(&self, program: &str, arguments: &[&str], user: As) {
        if program == "chown" && !is_root() {
            return;
        }
        let output = command(program, user).args(arguments).output().expect(program);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let log = fs::read_to_string(self.path("data/log")).unwrap_or_default();
        assert!(output.status.success(), "{program}: {told}{log}");
    }
}

/// PostgreSQL refuses to run as root.
fn is_root() -> bool {
    fs::metadata("/proc/self").expect("/proc").uid() == 0
}

fn command(program: &str, user: As) -> Command {
    let program = match user {
        As::Root => PathBuf::from(program),
        As::Postgres => bin_dir().expect("looked for before").join(program),
    };
    let mut command = match user {
        As::Postgres if is_root() => Command::new("runuser"),
        _ => Command::new(&program),
    };
    if command.get_program() == "runuser" {
        command.args(["-u", "postgres", "--"]).arg(program);
    }
    command.current_dir("/");
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let (data, stop) = (self.path("data"), ["-w", "-m", "immediate", "stop", "-D"]);
        let _ = command("pg_ctl", As::Postgres).args(stop).arg(data).output();
    }
}

#[derive(Clone, Copy)]
enum As {
    Root,
    Postgres,
}

/// The folder of an installed PostgreSQL that was built with TLS.
fn bin_dir() -> Option<&'static Path> {
    static FOUND: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        std::thread::spawn(|| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let search = Search { fetch: Fetch::Never, ..Search::new(None, path) };
            let folder = tempfile::tempdir().expect("a folder");
            let mut found = None;
            block_on(async {
                found = Binaries::find(&Home::at(folder.path().join("home")), &search).await.ok();
            });
            found.filter(has_tls).map(|found| found.dir().to_owned())
        })
        .join()
        .expect("a search")
    });
    FOUND.as_deref()
}

fn has_tls(binaries: &Binaries) -> bool {
    let configured = Command::new(binaries.program("pg_config")).arg("--configure").output();
    configured.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("ssl"))
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, &PKCS_ECDSA_P256_SHA256)
    }

    /// Its signatures are Ed25519, for which channel binding knows no digest.
    pub(crate) fn ed25519() -> Self {
        Self::with("Ed25519", &PKCS_ED25519)
    }

    fn with(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate_for(algorithm).expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key, as PEM.
    pub(crate) fn sign(
        &self,
        key: &'static SignatureAlgorithm,
        params: &CertificateParams,
    ) -> (String, String) {
        let key = KeyPair::generate_for(key).expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// Certificate and key of the authority itself, as the quick recipes have servers use them.
    pub(crate) fn for_localhost(mut params: CertificateParams) -> (String, String) {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }
}

pub(crate) fn server_params() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned()]).expect("params")
}

pub(crate) fn expired_params() -> CertificateParams {
    let mut params = server_params();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    params
}

pub(crate) fn write(path: &str, text: &str) {
    fs::write(Path::new(path), text).expect(path);
}

/// Takes one connection, reads one message and answers `answers`, one after each message.
pub(crate) fn play(answers: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut message = [0; 1024];
        for answer in answers {
            let read = stream.read(&mut message).expect("a message");
            assert!(read > 0, "the client went away");
            stream.write_all(answer).expect("to answer");
        }
        let _ = stream.read(&mut message);
    });
    port
}

/// Takes one connection, keeps the first message and hangs up.
pub(crate) fn hear() -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let first = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut message = vec![0; 4096];
        let read = stream.read(&mut message).expect("a message");
        message.truncate(read);
        message
    });
    (port, first)
}
