//! Running the program.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::support::TestDb;

/// How to call it: on a database, with an environment of its own.
pub(crate) struct Gesta {
    place: [String; 2],
    variables: Vec<(&'static str, String)>,
}

/// What it did.
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    status: ExitStatus,
}

impl Gesta {
    /// On the database of a test, as the superuser, who may take the roles.
    pub(crate) fn on(db: &TestDb) -> Self {
        Self::at(&db.url(db.superuser()))
    }

    /// On the database of a URL.
    pub(crate) fn at(url: &str) -> Self {
        Self { place: ["--database-url".to_owned(), url.to_owned()], variables: Vec::new() }
    }

    /// On the private database of a folder.
    pub(crate) fn home(home: &Path) -> Self {
        let place = ["--home".to_owned(), home.display().to_string()];
        Self { place, variables: Vec::new() }
    }

    #[must_use]
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The command, with nothing of this process's environment that it would listen to.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
        command.env_clear().args(&self.place).args(args);
        for name in ["PATH", "HOME", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(std::env::var_os("TEST_PG_BIN").map(|value| ("PG_BIN", value)));
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_on(args, "")
    }

    /// Runs it to its end, with this on its standard input.
    pub(crate) fn run_on(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self.spawn(args);
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // A program that ends early reads no more.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("it ends");
        drop(writer.join());
        Ended {
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
            status: output.status,
        }
    }

    /// Starts it, with pipes.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Runs it, which must end well, and gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.run(args).expect_code(0, args).stdout
    }

    /// Runs it, which must end well, and gives the JSON lines that it printed.
    pub(crate) fn lines(&self, args: &[&str]) -> Vec<Value> {
        json_lines(&self.ok(args))
    }
}

impl Ended {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().expect("it was not killed")
    }

    pub(crate) fn expect_code(self, code: i32, what: &[&str]) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code(), code, "{what:?}\n{stdout}\n{stderr}");
        self
    }
}

pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
}

/// One line of an import: an event of another system.
pub(crate) fn event(n: usize) -> String {
    format!(
        concat!(
            r#"{{"event_id":"e{}","actor":{{"type":"user","id":"{}","name":"User {}"}},"verb":"updated","#,
            r#""object":{{"type":"file","id":"f{}"}},"target":{{"type":"repository","id":"r"}},"#,
            r#""occurred_at":"2026-01-01T{:02}:{:02}:{:02}Z","data":{{"n":{}}},"batch_id":"b{}"}}"#,
            "\n"
        ),
        n,
        n % 7,
        n % 7,
        n % 100,
        n / 3600 % 24,
        n / 60 % 60,
        n % 60,
        n,
        n / 3
    )
}

pub(crate) fn events(numbers: std::ops::Range<usize>) -> String {
    numbers.map(event).collect()
}
