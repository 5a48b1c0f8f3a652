//! `gesta tail`: in log order, from anywhere, until somebody ends it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::program::{Gesta, json_lines};
use crate::support::{
    OwnHome, OwnNats, TestDb, append, check_log, database, nats, relay, resource,
};

/// A tail, and what it prints.
struct Tail {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Tail {
    fn start(gesta: &Gesta, args: &[&str]) -> Self {
        let mut child = gesta.spawn(&[&["tail"], args].concat());
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("UTF-8");
        line
    }

    fn verb(&mut self) -> String {
        let line: Value = serde_json::from_str(&self.line()).expect("a JSON object");
        line["verb"].as_str().expect("a verb").to_owned()
    }

    /// Ends it; it ends well, and nothing is left to read.
    fn end(mut self, signal: Signal) -> String {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("it lives");
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("UTF-8");
        let output = self.child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert_eq!(rest, "");
        stderr
    }
}

async fn emit(db: &TestDb, verb: &str) {
    let ctx = gesta::Context::new(&resource("user:1"));
    append(&db.store().await, gesta::NewAction::new(verb, &ctx).object(&resource("thing:1"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn actions_come_as_they_are_committed_until_a_signal() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    emit(&db, "first").await;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut tail = Tail::start(&gesta, &["--after", "start"]);
        assert_eq!(tail.verb(), "first");
        // Each round waits for its own: of the round before there is one as well.
        emit(&db, signal.as_str()).await;
        while tail.verb() != signal.as_str() {}
        assert_eq!(tail.end(signal), "");
    }
    check_log(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn printed_position_goes_on_right_after_its_line() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    for n in 0..5 {
        emit(&db, &n.to_string()).await;
    }
    let mut tail = Tail::start(&gesta, &["--after", "start", "--position"]);
    let lines = (0..5).map(|_| tail.line()).collect::<String>();
    tail.end(Signal::SIGTERM);
    for (n, line) in json_lines(&lines).iter().enumerate().take(4) {
        let position = line["position"].as_str().expect("a position");
        let mut tail = Tail::start(&gesta, &["--after", position]);
        for expected in n + 1..5 {
            assert_eq!(tail.verb(), expected.to_string());
        }
        tail.end(Signal::SIGTERM);
    }
    check_log(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_what_was_asked_for_is_printed() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    let outcome = "failed";
    for args in [
        &["open", "--actor", "user:a", "--object", "issue:1"][..],
        &["close", "--actor", "user:b", "--object", "issue:1", "--outcome", outcome],
        &["end", "--actor", "user:c", "--object", "page:1"],
    ] {
        gesta.ok(&[&["emit"], args].concat());
    }
    let elsewhere = ["emit", "other", "--actor", "user:a", "--tenant", "elsewhere"];
    gesta.ok(&elsewhere);
    for (args, expected) in [
        (&["--verb", "close"][..], &["close"][..]),
        (&["--type", "issue"], &["open", "close"]),
        (&["--actor", "user:a", "--actor", "user:c"], &["open", "end"]),
        (&["--outcome", outcome], &["close"]),
        (&["--tenant", "elsewhere"], &["other"]),
        (&["--all-tenants"], &["open", "close", "end", "other"]),
    ] {
        let mut tail = Tail::start(&gesta, &[&["--after", "start"], args].concat());
        let verbs: Vec<_> = expected.iter().map(|_| tail.verb()).collect();
        assert_eq!(verbs, expected, "{args:?}");
        tail.end(Signal::SIGTERM);
    }
    check_log(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn people_get_rows_and_the_position_below_them() {
    let db = database().await;
    emit(&db, "first").await;
    let mut tail = Tail::start(&Gesta::on(&db), &["--after", "start", "--position", "-o", "table"]);
    let lines: Vec<_> = (0..4).map(|_| tail.line()).collect();
    assert!(lines[0].starts_with("When (UTC)"), "{lines:?}");
    assert!(lines[1].contains("user:1") && lines[1].contains("first thing:1"), "{lines:?}");
    assert!(lines[3].starts_with("position g1."), "{lines:?}");
    tail.end(Signal::SIGTERM);
}

/// Nothing is written, so nothing would tell it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_ends_when_nobody_reads_any_more() {
    let db = database().await;
    emit(&db, "first").await;
    let mut tail = Tail::start(&Gesta::on(&db), &["--after", "start"]);
    assert_eq!(tail.verb(), "first");
    drop(tail.lines);
    let status = tail.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wrong_arguments_are_refused_by_name() {
    let db = database().await;
    let gesta = Gesta::on(&db);
    for (args, told) in [
        (&["--after", "g1.AAAA"][..], "`g1.AAAA` is no position"),
        (&["--after", "g9.AAAA"], "is a position of another version"),
        (&["--after", "soon"], "or give a time such as 2h"),
        (&["--verb", ""], "a value is required for '--verb"),
        (&["--position", "-o", "csv"], "--position has no column in CSV"),
        (&["--all-tenants", "--tenant", "a"], "cannot be used with"),
    ] {
        let args = [&["tail"], args].concat();
        let ended = gesta.run(&args).expect_code(2, &args);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    let bound = Gesta::at(&db.url("gesta_app"));
    let args = ["tail", "--all-tenants"];
    bound.run(&args).expect_code(4, &args);
}

/// As it is told to whoever has a position of another history.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_begins_at_a_time() {
    let db = database().await;
    emit(&db, "first").await;
    let mut tail = Tail::start(&Gesta::on(&db), &["--after", "1h"]);
    assert_eq!(tail.verb(), "first");
    tail.end(Signal::SIGTERM);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stream_that_one_may_not_look_at_is_told() {
    let users =
        "authorization { users: [{ user: a, password: a, permissions: { publish: [\"x\"] } }] }";
    let (own, db) = (OwnNats::start(users).await, database().await);
    let args = ["tail", "--nats-url", &own.url("a:a@")];
    let ended = Gesta::on(&db).run(&args).expect_code(7, &args);
    assert!(ended.stderr.contains("or no permission"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn restart_of_the_database_interrupts_nothing_for_good() {
    let home = OwnHome::new().await;
    let gesta = Gesta::home(home.path());
    gesta.ok(&["emit", "first", "--actor", "user:1"]);
    let mut tail = Tail::start(&gesta, &["--after", "start"]);
    assert_eq!(tail.verb(), "first");
    let file = home.path().join("data/postmaster.pid");
    let text = std::fs::read_to_string(file).expect("a running server");
    let pid = text.lines().next().and_then(|pid| pid.parse().ok()).expect("a process id");
    kill(Pid::from_raw(pid), Signal::SIGQUIT).expect("it lives");
    while kill(Pid::from_raw(pid), None).is_ok() {
        tokio::task::yield_now().await;
    }
    gesta.ok(&["emit", "second", "--actor", "user:1"]);
    assert_eq!(tail.verb(), "second");
    let told = tail.end(Signal::SIGTERM);
    assert!(told.contains("trying again"), "{told}");
    home.remove();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_of_a_relay_is_printed_as_the_log_is() {
    let (db, nats) = (database().await, nats().await);
    let gesta = Gesta::on(&db);
    for args in [
        &["open", "--actor", "user:a", "--object", "issue:1"][..],
        &["close", "--actor", "user:b", "--object", "page:1", "--outcome", "failed"],
        &["open", "--actor", "user:a", "--tenant", "elsewhere", "--object", "issue:2"],
        &["hidden", "--actor", "user:c", "--audience", ""],
        &["end", "--actor", "user:a"],
    ] {
        gesta.ok(&[&["emit"], args].concat());
    }
    let relay = relay(&db, &nats).await;
    let prefix = nats.subjects().prefix().as_str().to_owned();
    let server = ["--nats-url", nats.url(), "--stream", nats.spec.name(), "--prefix", &prefix];
    for (args, len) in [
        (&[][..], 4),
        (&["--all-tenants", "--long"], 5),
        (&["--verb", "open"], 1),
        (&["--verb", "open", "--verb", "end", "--type", "issue"], 1),
        (&["--tenant", "elsewhere"], 1),
        (&["--actor", "user:a"], 2),
    ] {
        let args = [&["--after", "start"], args].concat();
        let lines = |args: &[&str]| {
            let mut tail = Tail::start(&gesta, args);
            let lines: Vec<_> = (0..len).map(|_| tail.line()).collect();
            tail.end(Signal::SIGTERM);
            lines
        };
        assert_eq!(lines(&[&args[..], &server].concat()), lines(&args), "{args:?}");
    }
    // A position of the stream is one of the log.
    let args = [&["--nats", "--position", "--after", "start"][..], &server].concat();
    let mut tail = Tail::start(&gesta, &args);
    let lines: String = (0..4).map(|_| tail.line()).collect();
    tail.end(Signal::SIGTERM);
    let first = json_lines(&lines)[0]["position"].as_str().expect("a position").to_owned();
    let mut tail = Tail::start(&gesta, &["--after", &first]);
    assert_eq!(tail.verb(), "close");
    assert_eq!((tail.verb(), tail.verb()), ("hidden".to_owned(), "end".to_owned()));
    tail.end(Signal::SIGTERM);
    relay.abort();
    check_log(&db).await;
}
