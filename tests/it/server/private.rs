//! `gesta serve` with everything private: PostgreSQL, and the nats-server that workers find.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;

use futures_util::StreamExt as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cli::program::Gesta;
use crate::support::OwnHome;
use crate::support::tools::example;

/// Workers need no NATS of their own: they find the private one by a file that nobody else can read.
#[tokio::test(flavor = "multi_thread")]
async fn workers_find_the_private_nats_server() {
    let home = OwnHome::new().await;
    let path = example("actions/actions.toml").display().to_string();
    let gesta = Gesta::home(home.path()).env("GESTA_ACTIONS", &path);
    let schema = example("actions/schema.sql").display().to_string();
    let row = "INSERT INTO extraction.source VALUES ('s1', 'One', 's3://1')";
    gesta.ok(&["psql", "-q", "-f", &schema, "-c", row]);
    let listed = gesta.lines(&["action", "ls", "source"]);
    assert!(listed.iter().any(|it| it["name"] == "run_now"), "{listed:?}");
    assert!(!home.path().join("nats").exists(), "who only looks starts no broker");
    let mut server = gesta.spawn(&["serve", "--listen", "127.0.0.1:0"]);
    let mut told = BufReader::new(server.stderr.take().expect("a pipe")).lines();
    let listening = |line: &str| line.contains("listening on http://");
    let told: Vec<_> =
        (&mut told).map(|line| line.expect("a line")).take_while(|it| !listening(it)).collect();
    assert!(told.iter().any(|line| line.contains("workers reach it by the URL in")), "{told:?}");
    let start =
        ["action", "run", "source", "run_now", "--ids", "s1", "--reason", "x", "--yes", "--detach"];
    let run = gesta.lines(&start).remove(0);

    let file = home.path().join("nats.url");
    let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let url = std::fs::read_to_string(&file).expect("the URL");
    let options = gesta::relay::NatsOptions::parse(&url).expect("a URL");
    let client = options.connect().await.expect("a connection");
    let mut orders = client.subscribe("work.extraction").await.expect("subscribed");
    let order = orders.next().await.expect("an order");
    let asked: Value = serde_json::from_slice(&order.payload).expect("JSON");
    assert_eq!((&asked["run"], &asked["objects"][0]["id"]), (&run["id"], &json!("s1")));
    let report = json!({ "objects": [{ "place": 0, "outcome": "done" }] }).to_string();
    let answer = client.request(order.reply.expect("a subject"), report.into()).await;
    assert_eq!(&answer.expect("an answer").payload[..], br#"{"ok":true,"stop":false}"#);
    let ended = gesta.lines(&["run", "watch", run["id"].as_str().expect("an id")]);
    assert_eq!(ended[0]["state"], "succeeded");
    let pid = Pid::from_raw(i32::try_from(server.id()).expect("a process id"));
    kill(pid, Signal::SIGTERM).expect("it runs");
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
    let broker =
        File::open(home.path().join("nats/running")).expect("the lock that the broker holds");
    broker.lock().expect("the broker stops when nobody uses it");
    home.remove();
}
