//! Starting, sharing and leaving, and what the server runs with.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gesta::local::{Left, MAJOR_MIN, Options, Server};
use nix::sys::signal::{Signal, kill};
use tokio::time::timeout;

use crate::room::{Process, Room, connect, one, options, search, show};

#[tokio::test]
async fn server_starts_on_an_empty_home_with_durable_settings_and_no_network() {
    let room = Room::new();
    let server = Server::start(&room.home, &Options::new(search())).await.expect("it starts");
    let client = connect(&server).await;
    assert!(!server.joined());
    assert!(server.binaries().major() >= MAJOR_MIN);
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("jit", "off"),
        ("shared_buffers", "128MB"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("lc_messages", "C"),
    ] {
        assert_eq!(show(&client, name).await, value, "{name}");
    }
}

const LOCALE: &str = "\
-- life::locale
SELECT datcollate || ' ' || COALESCE(to_jsonb(pg_database) ->> 'datlocale', '')
FROM pg_database
WHERE datname = current_database()";

#[tokio::test]
async fn sort_order_does_not_depend_on_the_c_library() {
    let room = Room::new();
    let server = room.start().await;
    let row = connect(&server).await.query_one(LOCALE, &[]).await.expect("a row");
    let wanted = if server.binaries().major() >= 17 { "C C.UTF-8" } else { "C " };
    assert_eq!(row.get::<_, String>(0), wanted);
}

#[tokio::test]
async fn settings_of_the_caller_override_ours() {
    let room = Room::new();
    let options = options().max_connections(7).setting("jit", "on");
    let server = Server::start(&room.home, &options).await.expect("it starts");
    let client = connect(&server).await;
    assert_eq!(show(&client, "max_connections").await, "7");
    assert_eq!(show(&client, "jit").await, "on");
    assert_eq!(show(&client, "fsync").await, "off");
}

#[tokio::test]
async fn server_stops_in_good_order_when_its_only_user_drops_it() {
    let room = Room::new();
    drop(room.start().await);
    room.wait_until_stopped();
    room.assert_clean().await;
}

#[tokio::test]
async fn stop_returns_when_the_server_has_gone_and_data_is_kept() {
    let room = Room::new();
    let server = room.start().await;
    let client = connect(&server).await;
    client.batch_execute("CREATE TABLE kept (x int)").await.expect("a table");
    assert_eq!(server.stop().await.expect("it stops"), Left::Stopped);
    assert!(!room.home.data().join("postmaster.pid").exists());
    let server = room.start().await;
    assert!(room.log().contains("database system was shut down at"));
    let found = connect(&server).await.query("SELECT x FROM kept", &[]).await;
    assert!(found.expect("the table is there").is_empty());
}

#[tokio::test]
async fn guest_keeps_the_server_when_its_starter_is_killed() {
    let room = Room::new();
    let starter = Process::start(&room.home);
    let guest = room.start().await;
    assert!(guest.joined());
    let client = connect(&guest).await;
    starter.signal(Signal::SIGKILL);
    // A new process joins too: the server is still there, and still watched.
    let mut third = Process::begin(&room.home);
    assert_eq!(third.hear(), "joined");
    assert_eq!(one(&client).await, 1);
    third.tell("stop");
    assert_eq!(third.hear(), "still used");
    assert_eq!(one(&client).await, 1);
    drop(guest);
    room.wait_until_stopped();
    room.assert_clean().await;
}

#[tokio::test]
async fn guest_knows_the_programs_that_the_server_was_started_with() {
    let room = Room::new();
    let (starter, guest) = (room.start().await, room.start().await);
    assert!(guest.joined());
    assert_eq!(guest.binaries(), starter.binaries());
    assert_eq!(guest.socket_dir(), starter.socket_dir());
}

#[tokio::test]
async fn server_is_stopped_in_good_order_when_its_only_user_is_terminated_or_killed() {
    let room = Room::new();
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGINT] {
        Process::start(&room.home).signal(signal);
        room.wait_until_stopped();
        room.assert_clean().await;
        room.wait_until_stopped();
    }
}

#[tokio::test]
async fn interrupt_at_the_terminal_is_for_the_process_and_not_for_the_server() {
    let room = Room::new();
    let starter = Process::begin_with(&room.home, |command| {
        command.process_group(0);
    });
    starter.hear();
    let guest = room.start().await;
    let client = connect(&guest).await;
    // Ctrl-C goes to the whole group.
    starter.signal_group(Signal::SIGINT);
    assert_eq!(one(&client).await, 1);
    assert!(room.start().await.joined());
}

#[tokio::test]
async fn processes_that_start_at_once_on_an_empty_home_all_get_one_server() {
    let room = Room::new();
    let mut processes: Vec<_> = (0..3).map(|_| Process::begin(&room.home)).collect();
    let mut words: Vec<_> = processes.iter().map(Process::hear).collect();
    words.sort();
    assert_eq!(words, ["joined", "joined", "started"]);
    for process in &mut processes {
        process.tell("ask");
        assert_eq!(process.hear(), "1");
    }
}

#[tokio::test]
async fn newcomer_has_a_lasting_server_even_while_the_last_user_leaves() {
    let room = Room::new();
    let mut last = Some(Process::start(&room.home));
    for round in 0..20 {
        // Both happen at the same time; which is first differs from round to round.
        let leaving = last.take();
        let left = std::thread::spawn(move || drop(leaving));
        let mut newcomer = Process::start(&room.home);
        left.join().expect("it leaves");
        newcomer.tell("ask");
        assert_eq!(newcomer.hear(), "1", "round {round}");
        last = Some(newcomer);
    }
}

/// Plays the race between a newcomer and the watcher that has seen the last user go: the watcher is
/// stopped at ever later moments, among them the one before it stops the server.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn newcomer_is_not_let_in_by_a_watcher_that_is_about_to_stop_the_server() {
    let room = Room::new();
    let mut server = room.start().await;
    for round in 0..40 {
        let watcher = room.watchers()[0];
        drop(server);
        let leaving = Instant::now();
        while leaving.elapsed() < Duration::from_micros(30 * round) {}
        let stopped = kill(watcher, Signal::SIGSTOP).is_ok();
        let mut start = std::pin::pin!(room.start());
        // Whoever lets us in while it is stopped has not asked it.
        let early = timeout(Duration::from_millis(60), &mut start).await;
        if stopped {
            kill(watcher, Signal::SIGCONT).ok();
        }
        server = match early {
            Ok(server) => server,
            Err(_) => start.await,
        };
        let (before, again) = (room.postmaster(), room.start().await);
        assert!(again.joined(), "round {round}: the server was about to stop");
        assert_eq!(one(&connect(&server).await).await, 1, "round {round}");
        assert_eq!(room.postmaster(), before, "round {round}: it is another server by now");
    }
}

#[tokio::test]
async fn child_that_was_given_a_hold_keeps_the_server() {
    let room = Room::new();
    let server = room.start().await;
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(server.hold().expect("a hold"))
        .spawn()
        .expect("a child");
    assert_eq!(server.stop().await.expect("it leaves"), Left::StillUsed);
    let again = room.start().await;
    assert!(again.joined());
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    assert_eq!(again.stop().await.expect("it stops"), Left::Stopped);
}

#[tokio::test]
async fn environment_that_is_meant_for_other_servers_does_not_matter() {
    let room = Room::new();
    let mut process = Process::begin_with(&room.home, |command| {
        command.env("PGDATA", "/nonexistent").env("PGPORT", "1").env("PGHOST", "nowhere");
        command.env("PGOPTIONS", "-c nonsense=1").env("PGUSER", "nobody-knows");
        command.env("LC_ALL", "xx_XX.UTF-8").env("PGDATESTYLE", "nonsense");
    });
    assert_eq!(process.hear(), "started");
    process.tell("ask");
    assert_eq!(process.hear(), "1");
}

#[tokio::test]
async fn log_of_the_last_run_is_kept_and_older_ones_are_not() {
    let room = Room::new();
    for _ in 0..3 {
        room.start().await.stop().await.expect("it stops");
    }
    let old = std::fs::read_to_string(room.home.path().join("log.old")).expect("an older log");
    for log in [old, room.log()] {
        assert_eq!(log.matches("database system is ready to accept").count(), 1, "{log}");
    }
}
