//! The end of a server: what is running is finished, and nothing new is taken.

use tokio::net::TcpStream;

use super::rig::{Rig, WRITER};
use crate::support::database;

#[tokio::test(flavor = "multi_thread")]
async fn running_requests_are_answered_before_the_end_and_new_ones_find_nobody() {
    let db = database().await;
    let mut rig = Rig::start(&db).await;
    let mut admin = db.admin().await;
    let lock = admin.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE gesta.action IN EXCLUSIVE MODE").await.expect("locked");
    let api = rig.api.clone();
    let running = tokio::spawn(async move {
        let body = r#"{"verb":"x","actor":{"type":"user","id":"a"}}"#;
        api.post_as(WRITER, "/api/v1/events", "application/json", body).await
    });
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database =
        (SELECT oid FROM pg_database WHERE datname = current_database()))";
    while !lock.query_one(waiting, &[]).await.expect("the locks").get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }
    rig.ask_to_stop();
    while TcpStream::connect(rig.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished());
    lock.commit().await.expect("released");
    let answer = running.await.expect("an answer");
    assert_eq!((answer.code(), answer.header("connection")), (201, "close"));
    rig.stop().await.expect("it ends");
    let sql = "SELECT count(*) FROM gesta.action WHERE source = 'api'";
    assert_eq!(admin.query_one(sql, &[]).await.expect("counted").get::<_, i64>(0), 1);
}
