//! A client that takes an answer as slowly as it likes, and sees how the transfer ends.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::server::rig::Rig;

/// Bytes that the kernel keeps for this client: little, so that the server notices early that it does not read.
const ROOM: u32 = 8 << 10;

/// An answer that comes in pieces (RFC 9112, section 7.1).
pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
    pub(crate) head: String,
}

/// How a transfer goes on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Some(Vec<u8>),
    /// The end that says it is one.
    End,
    /// The connection is gone.
    Broken,
}

impl Raw {
    pub(crate) async fn get(rig: &Rig, key: &str, path: &str, headers: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(ROOM).expect("set");
        let mut stream = socket.connect(rig.address).await.expect("connected");
        let key = rig.bearer(key);
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: {key}\r\nx-gesta-tenant: default\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut raw =
            Self { stream: BufReader::with_capacity(ROOM as usize, stream), head: String::new() };
        while !raw.head.ends_with("\r\n\r\n") {
            assert!(raw.stream.read_line(&mut raw.head).await.expect("a line") > 0, "{}", raw.head);
        }
        raw
    }

    /// What comes next.
    pub(crate) async fn piece(&mut self) -> Piece {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(len) if len > 0 => {}
            _ => return Piece::Broken,
        }
        let len = usize::from_str_radix(line.trim(), 16).expect("a length");
        let mut piece = vec![0; len + 2];
        if self.stream.read_exact(&mut piece).await.is_err() {
            return Piece::Broken;
        }
        piece.truncate(len);
        if len == 0 { Piece::End } else { Piece::Some(piece) }
    }

    /// The rest, and whether it ended as if whole.
    pub(crate) async fn rest(&mut self) -> (Vec<u8>, Piece) {
        let mut rest = Vec::new();
        loop {
            match self.piece().await {
                Piece::Some(piece) => rest.extend(piece),
                end => return (rest, end),
            }
        }
    }
}

/// An event of a live stream.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: String,
    pub(crate) comment: String,
}

/// A live stream.
pub(crate) struct Live {
    pub(crate) raw: Raw,
    text: String,
}

impl Live {
    pub(crate) async fn get(rig: &Rig, key: &str, path: &str, last: Option<&str>) -> Self {
        let last = last.map_or(String::new(), |last| format!("last-event-id: {last}\r\n"));
        let raw = Raw::get(rig, key, path, &last).await;
        assert!(raw.head.starts_with("HTTP/1.1 200"), "{}", raw.head);
        Self { raw, text: String::new() }
    }

    /// The next event; none where the stream ended in order.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (sent, rest) = (parsed(event), rest.to_owned());
                self.text = rest;
                return Some(sent);
            }
            let piece = tokio::time::timeout(Duration::from_mins(1), self.raw.piece()).await;
            match piece.expect("in time") {
                Piece::Some(piece) => {
                    self.text.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
                }
                Piece::End => return None,
                Piece::Broken => panic!("the stream broke"),
            }
        }
    }

    /// The next action's id, and the position after it.
    pub(crate) async fn action(&mut self) -> (String, String) {
        loop {
            let sent = self.next().await.expect("an event");
            assert_eq!(sent.event, "", "{sent:?}");
            if !sent.data.is_empty() {
                let action: serde_json::Value = serde_json::from_str(&sent.data).expect("JSON");
                return (action["id"].as_str().expect("an id").to_owned(), sent.id);
            }
        }
    }

    /// The position when it has caught up.
    pub(crate) async fn position(&mut self) -> String {
        let sent = self.next().await.expect("an event");
        assert_eq!((sent.data.as_str(), sent.comment.as_str()), ("", "nothing new"));
        sent.id
    }
}

fn parsed(event: &str) -> Sent {
    let mut sent = Sent::default();
    for line in event.lines() {
        let (name, value) = line.split_once(": ").or(line.split_once(':')).expect("a field");
        let field = match name {
            "id" => &mut sent.id,
            "event" => &mut sent.event,
            "data" => &mut sent.data,
            "" => &mut sent.comment,
            other => panic!("{other}"),
        };
        field.push_str(value);
    }
    sent
}
