//! The relay as its users run it, and what all processes spend.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Place;

/// `gesta relay run` at work.
pub(crate) struct Relaying {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Relaying {
    pub(crate) fn start(database: &str, broker: &str, stream: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
        command.args(["--database-url", database, "relay", "run", "--stream", stream]);
        command.env("GESTA_NATS_URL", broker).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn until_caught_up(&mut self) {
        self.until("caught up");
    }

    pub(crate) fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it runs");
        self.until("stopped");
        assert!(self.child.wait().expect("it ends").success());
    }

    fn until(&mut self, what: &str) {
        let mut lines = self.lines.by_ref().map(|line| line.expect("text"));
        assert!(lines.any(|line| line.contains(what)), "it has ended");
    }
}

/// Milliseconds of processor time: of the relay, of its connections to PostgreSQL, of the broker, and of the writers' side.
#[derive(Default)]
pub(crate) struct Spent(pub(crate) [f64; 5]);

impl Spent {
    pub(crate) const NAMES: [&str; 5] =
        ["the relay", "its PostgreSQL", "the broker", "the writers", "their PostgreSQL"];

    /// Up to now.
    pub(crate) async fn now(place: &Place, relay: Option<u32>) -> Self {
        let backends = place.bench.admin().await;
        let sql = "SELECT pid, usename = 'gesta_relay' FROM pg_stat_activity WHERE usename IN ('gesta_relay', 'gesta_app')";
        let rows = backends.query(sql, &[]).await.expect("the connections");
        let of = |is_relay: bool| {
            let own = rows.iter().filter(|row| row.get::<_, bool>(1) == is_relay);
            own.map(|row| of_process(row.get::<_, i32>(0).unsigned_abs())).sum()
        };
        let dir = place.broker.home().data();
        let broker = find("nats-server", &dir.parent().expect("a folder").to_string_lossy());
        Self([
            relay.map_or(0.0, of_process),
            of(true),
            broker.into_iter().map(of_process).sum(),
            of_process(std::process::id()),
            of(false),
        ])
    }

    /// A second.
    pub(crate) fn since(&self, earlier: &Self, time: Duration) -> Self {
        Self(std::array::from_fn(|n| (self.0[n] - earlier.0[n]) / time.as_secs_f64()))
    }
}

/// All threads of a process that are there.
fn of_process(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e6
}

/// The processes of a program one of whose arguments has this in it.
fn find(program: &str, argument: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter(|pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let first = line.split(char::from(0)).next().unwrap_or_default();
        first.ends_with(program) && line.contains(argument)
    })
    .collect()
}
