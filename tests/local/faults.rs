//! Crashes: of the starter half-way, of the server, of its watcher, and what they leave behind.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gesta::local::{LocalError, Options, Search, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, mkfifo};

use crate::room::{Process, Room, connect, one, open_to_all, options, write_program};

#[tokio::test]
async fn killed_initdb_leaves_a_home_that_starts_next_time() {
    let room = Room::new();
    let programs = stand_in_programs(
        &room,
        "while [ \"$1\" != -D ]; do shift; done\nmkdir \"$2/base\"\nkill -KILL $$",
    )
    .await;
    let options = Options::new(Search::new(Some(programs), "".into()));
    let error = Server::start(&room.home, &options).await.expect_err("initdb is killed");
    assert!(matches!(error, LocalError::Initdb { .. }), "{error}");
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert_eq!(one(&connect(&room.start().await).await).await, 1);
}

#[tokio::test]
async fn starter_killed_during_initdb_leaves_a_home_that_starts_when_initdb_has_ended() {
    let room = Room::new();
    let gate = room.path().join("gate");
    mkfifo(&gate, nix::sys::stat::Mode::from_bits_truncate(0o644)).expect("a gate");
    open_to_all(&gate);
    let begun = room.path().join("begun");
    mkfifo(&begun, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("a sign");
    fs::set_permissions(&begun, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("mode");
    let script = format!(
        "while [ \"$1\" != -D ]; do shift; done\nmkdir \"$2/base\"\necho begun >{}\n\
         read -r word <{}\n[ -d \"$2/base\" ] && word=undisturbed\necho $word >{}",
        begun.display(),
        gate.display(),
        begun.display(),
    );
    let programs = stand_in_programs(&room, &script).await;
    let starter = Process::with_programs(&room.home, &programs);
    assert_eq!(fs::read_to_string(&begun).expect("a sign"), "begun\n");
    starter.signal(Signal::SIGKILL);
    // The next one waits, since the orphan still writes. A start takes less than this.
    let mut next = std::pin::pin!(room.start());
    let early = tokio::time::timeout(Duration::from_secs(3), &mut next).await;
    assert!(early.is_err(), "it did not wait");
    fs::write(&gate, "go\n").expect("the orphan waits");
    assert_eq!(fs::read_to_string(&begun).expect("a sign"), "undisturbed\n");
    assert!(!next.await.joined());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn server_that_lost_its_watcher_is_adopted_and_stops_after_its_last_user() {
    let room = Room::new();
    let mut first = Process::start(&room.home);
    let watchers = room.watchers();
    assert_eq!(watchers.len(), 1);
    kill(watchers[0], Signal::SIGKILL).expect("it lives");
    let before = room.postmaster();
    let second = room.start().await;
    assert!(second.joined());
    assert_eq!(room.postmaster(), before, "the server goes on, since others may use it");
    assert_eq!(room.watchers().len(), 1);
    // The user of the old watcher counts for the new one.
    drop(second);
    first.tell("ask");
    assert_eq!(first.hear(), "1");
    first.tell("stop");
    assert_eq!(first.hear(), "stopped");
    room.assert_clean().await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn watcher_outlives_the_signals_that_end_a_session() {
    let room = Room::new();
    let server = room.start().await;
    let watchers = room.watchers();
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        kill(watchers[0], signal).expect("it lives");
    }
    // It still answers a newcomer.
    let guest = room.start().await;
    assert_eq!(room.watchers(), watchers);
    drop((guest, server));
    room.wait_until_stopped();
    room.assert_clean().await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn watcher_that_does_not_answer_is_an_error_and_not_a_second_watcher() {
    let room = Room::new();
    let _server = room.start().await;
    let watchers = room.watchers();
    kill(watchers[0], Signal::SIGSTOP).expect("it lives");
    let impatient = options().wait_max(Duration::from_millis(200));
    let error = Server::start(&room.home, &impatient).await.expect_err("it is stopped");
    assert!(matches!(error, LocalError::TooSlow { .. }), "{error}");
    assert_eq!(room.watchers(), watchers);
    kill(watchers[0], Signal::SIGCONT).expect("it lives");
    assert!(room.start().await.joined());
}

#[tokio::test]
async fn server_of_another_home_is_not_mistaken_for_ours() {
    let (ours, theirs) = (Room::new(), Room::new());
    let (server, other) = (ours.start().await, theirs.start().await);
    let path = ours.home.data().join("postmaster.pid");
    let text = fs::read_to_string(&path).expect("a running server");
    let [run, other_run] =
        [&server, &other].map(|server| server.socket_dir().display().to_string());
    fs::write(&path, text.replace(&run, &other_run)).expect("a misleading file");
    let error = Server::start(&ours.home, &options()).await.expect_err("it is another one");
    assert!(matches!(error, LocalError::OtherServer { .. }), "{error}");
    fs::write(&path, text).expect("the right file");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn last_user_stops_the_server_itself_when_its_watcher_is_gone() {
    let room = Room::new();
    let server = room.start().await;
    kill(room.watchers()[0], Signal::SIGKILL).expect("it lives");
    server.stop().await.expect("it stops");
    room.assert_clean().await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn killed_server_is_recovered_also_while_one_of_its_backends_lingers() {
    let room = Room::new();
    let server = room.start().await;
    let client = connect(&server).await;
    client.batch_execute("CREATE TABLE kept AS SELECT 1 AS x").await.expect("a table");
    let row = client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row");
    // A stopped process notices nothing, and holds the shared memory.
    let backend = Pid::from_raw(row.get(0));
    kill(backend, Signal::SIGSTOP).expect("it lives");
    kill(room.postmaster(), Signal::SIGKILL).expect("it lives");
    let again = room.start().await;
    assert!(!again.joined());
    assert!(room.log().contains("database system was not properly shut down"), "{}", room.log());
    let rows = connect(&again).await.query("SELECT x FROM kept", &[]).await.expect("rows");
    assert_eq!(rows.len(), 1);
    // The server of now is watched, whatever became of the watcher of before.
    drop((server, again));
    room.wait_until_stopped();
    room.assert_clean().await;
}

/// Words of newcomers reach either watcher as long as both read.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn watcher_of_a_killed_server_leaves_newcomers_to_the_one_of_now() {
    let room = Room::new();
    let server = room.start().await;
    kill(room.postmaster(), Signal::SIGKILL).expect("it lives");
    let again = room.start().await;
    assert!(!again.joined());
    let patient = options().wait_max(Duration::from_secs(20));
    for _ in 0..10 {
        let guest = Server::start(&room.home, &patient).await.expect("somebody answers");
        assert!(guest.joined());
    }
    drop((server, again));
    room.wait_until_stopped();
    room.assert_clean().await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn stale_process_id_that_somebody_else_has_by_now_is_no_hindrance() {
    let room = Room::new();
    let server = room.start().await;
    let data = room.home.data();
    let (pid_file, lock) = (data.join("postmaster.pid"), ".s.PGSQL.5432.lock");
    let socket_lock = server.socket_dir().join(lock);
    let left = fs::read_to_string(&pid_file).expect("a file");
    server.stop().await.expect("it stops");
    // PostgreSQL believes a file as long as a process of the same user has the id in it.
    let stranger = Stranger::new(&data);
    let (_, rest) = left.split_once('\n').expect("more lines");
    for path in [&pid_file, &socket_lock] {
        fs::write(path, format!("{}\n{rest}", stranger.0.id())).expect("a stale file");
        let owner = fs::metadata(&data).expect("the data").uid();
        chown(path, Some(owner), None).expect("a new owner");
    }
    let server = room.start().await;
    assert!(!server.joined());
    assert_eq!(one(&connect(&server).await).await, 1);
    drop(server);
    room.wait_until_stopped();
    assert!(kill(Pid::from_raw(stranger.0.id().cast_signed()), None).is_ok());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn server_of_somebody_else_on_the_same_data_is_left_alone() {
    let room = Room::new();
    let server = room.start().await;
    let (programs, run) = (server.binaries().clone(), server.socket_dir().to_owned());
    server.stop().await.expect("it stops");
    let data = room.home.data();
    let mut foreign = as_owner_of(&data, Command::new(programs.program("postgres")));
    foreign.arg("-D").arg(&data).arg("-k").arg(&run).args(["-h", "", "-p", "5433"]);
    let mut foreign = foreign.stderr(Stdio::piped()).spawn().expect("another server");
    let said = std::io::BufReader::new(foreign.stderr.take().expect("its log"));
    let mut lines = std::io::BufRead::lines(said).map_while(Result::ok);
    assert!(lines.any(|line| line.contains("ready to accept connections")));
    let error = Server::start(&room.home, &options()).await.expect_err("it is taken");
    assert!(matches!(error, LocalError::Foreign { .. }), "{error}");
    let pid = Pid::from_raw(foreign.id().cast_signed());
    assert_eq!(room.postmaster(), pid, "its lock file is still there");
    kill(pid, Signal::SIGINT).expect("it lives");
    foreign.wait().expect("it ends");
    room.assert_clean().await;
}

#[tokio::test]
async fn server_that_cannot_start_says_why_with_the_words_of_its_log() {
    let room = Room::new();
    let options = options().setting("shared_buffers", "nonsense");
    let error = Server::start(&room.home, &options).await.expect_err("it cannot start");
    let text = error.to_string();
    assert!(text.contains("invalid value for parameter \"shared_buffers\""), "{text}");
    assert!(text.contains("home/log"), "{text}");
}

/// Whether this process was started with SIGINT ignored, as `nohup` in the background does it. A shell cannot take it
/// back, so one that plays a server would never end; PostgreSQL sets its own handler.
fn interrupts_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 2 != 0)
}

#[tokio::test]
async fn server_that_misses_the_first_signal_is_stopped_by_the_second() {
    if interrupts_are_ignored() {
        eprintln!("skipped: SIGINT is ignored here, which a shell that plays a server cannot undo");
        return;
    }
    let room = Room::new();
    let dir = room.path().join("bin");
    fs::create_dir(&dir).expect("a folder");
    open_to_all(&dir);
    write_program(&dir.join("pg_ctl"), "exit 1");
    let initdb = "while [ \"$1\" != -D ]; do shift; done\necho 16 >\"$2/PG_VERSION\"";
    write_program(&dir.join("initdb"), initdb);
    let deaf = "[ \"$1\" = --version ] && echo 'postgres (PostgreSQL) 16.2' && exit\n\
        trap 'trap - INT' INT\nwhile :; do sleep 1 & wait; done";
    write_program(&dir.join("postgres"), deaf);
    let options = Options::new(Search::new(Some(dir), "".into()));
    let options = options.wait_max(Duration::from_millis(300));
    let error = Server::start(&room.home, &options).await.expect_err("it is never ready");
    assert!(matches!(error, LocalError::TooSlow { .. }), "{error}");
    room.wait_until_stopped();
}

/// A process of the data's owner that is no server.
struct Stranger(std::process::Child);

impl Stranger {
    fn new(data: &Path) -> Self {
        let mut command = as_owner_of(data, Command::new("cat"));
        Self(command.stdin(Stdio::piped()).spawn().expect("a process"))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn as_owner_of(data: &Path, mut command: Command) -> Command {
    let uid = fs::metadata(data).expect("the data").uid();
    let user = User::from_uid(Uid::from_raw(uid)).expect("users").expect("the owner");
    if Uid::effective().is_root() {
        command.uid(uid).gid(user.gid.as_raw()).current_dir("/");
    }
    command
}

/// A folder with the real server and an `initdb` of our own.
async fn stand_in_programs(room: &Room, initdb: &str) -> PathBuf {
    let real = gesta::local::Binaries::find(&room.home, &crate::room::search()).await;
    let real = real.expect("an installed server");
    let dir = room.path().join("bin");
    fs::create_dir(&dir).expect("a folder");
    open_to_all(&dir);
    for name in ["postgres", "pg_ctl"] {
        std::os::unix::fs::symlink(real.program(name), dir.join(name)).expect("a link");
    }
    write_program(&dir.join("initdb"), initdb);
    dir
}
