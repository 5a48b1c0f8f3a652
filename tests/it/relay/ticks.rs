//! Messages of a tick of the log are sent when all know its order.

use std::time::Duration;

use gesta::relay::{NatsOptions, Relay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::rig::{all, append, check_stream, published, start};
use crate::support::{OwnNats, TestNats, database};

/// Long enough for a message that is sent to be stored.
const WHILE: Duration = Duration::from_millis(200);

/// What becomes of the broker's answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Pass,
    /// They are kept back, but for those kept back before this time.
    Held(u32),
}

/// Stands between a client and the broker; answers arrive when they are let through.
struct Gate {
    port: u16,
    answers: watch::Sender<Answers>,
}

impl Gate {
    async fn start(nats: &TestNats) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let broker = ("127.0.0.1", nats.client.server_info().port);
        let (answers, rule) = watch::channel(Answers::Pass);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let broker = TcpStream::connect(broker).await.expect("the broker");
                tokio::spawn(carry(client, broker, rule.clone()));
            }
        });
        Self { port, answers }
    }
}

async fn carry(client: TcpStream, broker: TcpStream, mut rule: watch::Receiver<Answers>) {
    let ((mut from_client, mut to_client), (mut from_broker, mut to_broker)) =
        (client.into_split(), broker.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_broker).await });
    let (mut held, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let through = tokio::select! {
            Ok(n @ 1..) = from_broker.read(&mut buffer) => {
                let answer = &buffer[..n];
                if *rule.borrow() != Answers::Pass && !tells_of_the_stream(answer) {
                    held.extend_from_slice(answer);
                    continue;
                }
                answer.to_vec()
            }
            Ok(()) = rule.changed() => match *rule.borrow_and_update() {
                Answers::Held(0) => continue,
                _ => std::mem::take(&mut held),
            },
            else => return,
        };
        if to_client.write_all(&through).await.is_err() {
            return;
        }
    }
}

/// What the broker says of the stream is let through: the relay asks each second, and would wait for it.
fn tells_of_the_stream(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains("\"config\":")
}

/// Another relay may have read other ticks from the same place. Were the first message of one refused in its favour, the third
/// could fit behind that relay's; so two are sent, and no more until the first is known to be stored.
#[tokio::test]
async fn third_message_of_a_tick_waits_for_the_first_ones_acknowledgement() {
    let own = OwnNats::start("").await;
    let nats = TestNats::on(&own.url(""), "ticks").await;
    let db = database().await;
    let store = db.store().await;
    let gate = Gate::start(&nats).await;
    let through = NatsOptions::parse(&format!("nats://127.0.0.1:{}", gate.port)).expect("a URL");
    let client = through.connect().await.expect("connected");
    let reader = db.store_as("gesta_relay").await;
    let running = start(Relay::new(reader.pool(), client, nats.spec.clone(), nats.encoder.clone()));
    running.until_caught_up().await;

    gate.answers.send_replace(Answers::Held(0));
    append(&store, 0..3).await;
    published(&nats, 2).await;
    // The next tick is read meanwhile.
    append(&store, 3..6).await;
    tokio::time::sleep(WHILE).await;
    assert_eq!(all(&nats).await.len(), 2, "nobody knows yet that the first one is stored");
    gate.answers.send_replace(Answers::Held(1));
    published(&nats, 5).await;
    tokio::time::sleep(WHILE).await;
    assert_eq!(
        all(&nats).await.len(),
        5,
        "nobody knows yet that the next tick's first one is stored"
    );
    gate.answers.send_replace(Answers::Pass);
    published(&nats, 6).await;
    assert_eq!(check_stream(&db, &nats).await, 6);
    running.stop().await;
}
