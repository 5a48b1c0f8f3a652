//! Running the program.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::TestDb;

/// How to call it: on a database, with an environment of its own.
pub(crate) struct Gesta {
    place: [String; 2],
    variables: Vec<(&'static str, String)>,
    has_actions: bool,
}

/// What stands before and behind the output of a program with actions of its own, which is this one.
pub(crate) const BEGIN: &str = "the program begins";
pub(crate) const END: &str = "the program ended with ";

/// What it did.
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    code: Option<i32>,
}

impl Gesta {
    /// On the database of a test, as the superuser, who may take the roles.
    pub(crate) fn on(db: &TestDb) -> Self {
        Self::at(&db.url(db.superuser()))
    }

    /// On the database of a URL.
    pub(crate) fn at(url: &str) -> Self {
        let place = ["--database-url".to_owned(), url.to_owned()];
        Self { place, variables: Vec::new(), has_actions: false }
    }

    /// On the private database of a folder.
    pub(crate) fn home(home: &Path) -> Self {
        let place = ["--home".to_owned(), home.display().to_string()];
        Self { place, variables: Vec::new(), has_actions: false }
    }

    /// The program is one that has actions of its own.
    pub(crate) fn with_actions(self) -> Self {
        Self { has_actions: true, ..self }
    }

    #[must_use]
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The command, with nothing of this process's environment that it would listen to.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gesta"));
        if self.has_actions {
            command = Command::new(std::env::current_exe().expect("this program"));
            command.args(["cli::action::program", "--exact", "--ignored", "--nocapture"]);
        } else {
            command.args(&self.place).args(args);
        }
        command.env_clear();
        if self.has_actions {
            let place = self.place.iter().map(String::as_str);
            let all: Vec<_> =
                ["gesta"].into_iter().chain(place).chain(args.iter().copied()).collect();
            command.env("GESTA_TEST_ARGS", serde_json::json!(all).to_string());
        }
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
            code: output.status.code(),
        }
        .of_the_program()
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
        self.code.expect("it was not killed")
    }

    /// Without what the runner of tests says, where the program was run by one.
    fn of_the_program(self) -> Self {
        let Some((_, stdout)) = self.stdout.split_once(&format!("{BEGIN}\n")) else { return self };
        let (stderr, code) = self.stderr.rsplit_once(&format!("\n{END}")).expect("an end");
        let code: String = code.chars().filter(char::is_ascii_digit).collect();
        Self {
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            code: Some(code.parse().expect("a code")),
        }
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
