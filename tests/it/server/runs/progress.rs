//! A run as it goes on: what a client is told, until the end.

use gesta::run::{Runs, Worker, WorkerOptions};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Newsroom, catalog};
use crate::server::read::raw::Live;
use crate::server::rig::EDITOR;

async fn queued(room: &Newsroom, ids: &[&str]) -> String {
    let answer = room.post("/resources/article/actions/later/runs", json!({ "ids": ids })).await;
    answer.header("location").to_owned() + "/progress"
}

fn run(data: &str) -> Value {
    serde_json::from_str(data).expect("JSON")
}

#[tokio::test]
async fn client_is_told_the_whole_run_until_it_ends() {
    let room = Newsroom::open().await;
    let path = queued(&room, &["1", "2", "23"]).await;
    let mut live = Live::get(&room, EDITOR, &path, None).await;
    assert!(live.raw.head.contains("content-type: text/event-stream"), "{}", live.raw.head);
    let first = live.next().await.expect("an event");
    assert_eq!((first.event.as_str(), &run(&first.data)["state"]), ("", &json!("queued")));

    let runs = Runs::new(&room.store, catalog());
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = Worker::new(&runs, WorkerOptions::default().slots(1));
    let working = tokio::spawn(worker.run(async { drop(stopped.await) }));
    let last = loop {
        let sent = live.next().await.expect("an event");
        let run = run(&sent.data);
        assert_eq!(sent.event == "end", run["is_ended"] == true, "{sent:?}");
        if sent.event == "end" {
            break run;
        }
    };
    assert_eq!((&last["state"], &last["counts"]["done"]), (&json!("partial"), &json!(2)));
    assert!(live.next().await.is_none(), "an end in order");
    drop(stop);
    working.await.expect("no panic");
    assert_eq!(room.states(2).await, ["published", "published"]);

    // Who comes later is told the end at once.
    let mut again = Live::get(&room, EDITOR, &path, None).await;
    assert_eq!(again.next().await.expect("the end").event, "end");
    assert!(again.next().await.is_none());
}

#[tokio::test]
async fn server_that_ends_ends_what_it_tells() {
    let mut room = Newsroom::open().await;
    let path = queued(&room, &["1"]).await;
    let mut live = Live::get(&room, EDITOR, &path, None).await;
    live.next().await.expect("an event");
    room.rig.ask_to_stop();
    assert!(live.next().await.is_none(), "an end in order");
    room.rig.stop().await.expect("nothing was cut");
}
