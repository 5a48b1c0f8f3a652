//! A nats-server of a test's own: with its own configuration, and to be killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::nats::program;

/// How long a server may take to start; it takes 20 ms, and this is for a busy machine.
const START_MAX: Duration = Duration::from_secs(20);

/// A server with JetStream that stops with the test, however that ends.
pub(crate) struct OwnNats {
    dir: tempfile::TempDir,
    program: PathBuf,
    config: String,
    port: u16,
    guard: Child,
    server: Pid,
}

impl OwnNats {
    /// Starts one with more configuration than its port and store. `$DIR` in it is the folder of [`OwnNats::path`].
    pub(crate) async fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self::start_in(dir, config).await
    }

    /// Starts one in a folder with files that its configuration names.
    pub(crate) async fn start_in(dir: tempfile::TempDir, config: &str) -> Self {
        let program = program().await;
        let config = config.replace("$DIR", &dir.path().display().to_string());
        let (guard, server) = spawn(dir.path(), &program, &config, -1);
        let port = wait_for_port(dir.path(), server);
        Self { dir, program, config, port, guard, server }
    }

    /// How to connect, with `user:password@` or nothing.
    pub(crate) fn url(&self, login: &str) -> String {
        format!("nats://{login}localhost:{}", self.port)
    }

    /// A file of the server's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Kills the server, as a crash would.
    pub(crate) fn kill(&mut self) {
        kill(self.server, Signal::SIGKILL).expect("the server runs");
        // The guard's end is the server's.
        drop(self.guard.stdin.take());
        self.guard.wait().expect("the guard ends");
    }

    /// Starts it again after [`OwnNats::kill`], on its port, with its store.
    pub(crate) fn restart(&mut self) {
        let port = self.port.into();
        (self.guard, self.server) = spawn(self.dir.path(), &self.program, &self.config, port);
        assert_eq!(wait_for_port(self.dir.path(), self.server), self.port);
    }
}

impl Drop for OwnNats {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Starts the server under a guard, a shell that kills it when our end of a pipe closes.
fn spawn(dir: &Path, program: &Path, config: &str, port: i32) -> (Child, Pid) {
    const GUARD: &str = r#"exec 3<&0; "$@" 3<&- >"$0/log" 2>&1 & echo $!; read -r _ <&3; kill -9 $! 2>/dev/null; wait"#;
    let dir_text = dir.display();
    let whole = format!(
        "host: \"127.0.0.1\"\nport: {port}\nports_file_dir: \"{dir_text}\"\n\
         jetstream {{ store_dir: \"{dir_text}/store\" }}\n{config}\n"
    );
    fs::write(dir.join("nats.conf"), whole).expect("the configuration");
    let mut guard = Command::new("/bin/sh");
    guard.args(["-c", GUARD]).arg(dir).arg(program).arg("-c").arg(dir.join("nats.conf"));
    let mut guard =
        guard.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the guard starts");
    let mut line = String::new();
    let stdout = guard.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("the server's id");
    (guard, Pid::from_raw(line.trim().parse().expect("the server's id")))
}

fn wait_for_port(dir: &Path, server: Pid) -> u16 {
    let file = dir.join(format!("nats-server_{server}.ports"));
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let port = text.split_once(":[\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some(port) = port.and_then(|(url, _)| url.rsplit(':').next()?.parse().ok()) {
            return port;
        }
        let log = || fs::read_to_string(dir.join("log")).unwrap_or_default();
        assert!(began.elapsed() < START_MAX && kill(server, None).is_ok(), "{}", log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Copies a store, whose server does not run.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copied");
        }
    }
}
