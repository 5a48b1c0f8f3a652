//! A client of HTTP/1.1 that costs little, since it shares the cores with what it measures: a connection that is kept
//! open, one request at a time, heads that are written beforehand.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The end of a head.
const END: &[u8] = b"\r\n\r\n";

/// What never changes of a client's requests.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What came of an answer, and nothing behind it: the next one is not asked for yet.
    answer: Vec<u8>,
}

/// What was answered.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Client {
    /// A request without a body.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        let Self { address, key } = self;
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n")
            .into_bytes()
    }

    /// A request with one.
    pub(crate) fn post(&self, path: &str, media: &str, body: &str) -> Vec<u8> {
        let Self { address, key } = self;
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nUser-Agent: bench\r\n\
             Content-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("nothing is held back");
        Self { stream, answer: Vec::new() }
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Answer<'_> {
        self.answer.clear();
        self.stream.write_all(request).await.expect("sent");
        let head = self.until(0, END).await;
        let text = std::str::from_utf8(&self.answer[..head]).expect("a head");
        let status = text.get(9..12).and_then(|code| code.parse().ok()).expect("a status");
        match header(text, "content-length").map(|len| len.parse::<usize>().expect("a number")) {
            Some(len) => {
                while self.answer.len() < head + len {
                    self.more().await;
                }
            }
            None => self.pieces(head).await,
        }
        Answer { status, body: &self.answer[head..] }
    }

    /// Reads a body whose length is told piece by piece.
    async fn pieces(&mut self, mut at: usize) {
        loop {
            let from = self.until(at, b"\r\n").await;
            let len = std::str::from_utf8(&self.answer[at..from - 2]).expect("a length");
            let len = usize::from_str_radix(len.trim(), 16).expect("a length in hexadecimal");
            at = from + len + 2;
            while self.answer.len() < at {
                self.more().await;
            }
            if len == 0 {
                return;
            }
        }
    }

    /// Reads on until some bytes are there, and tells where they end.
    async fn until(&mut self, from: usize, bytes: &[u8]) -> usize {
        loop {
            let found = self.answer[from..].windows(bytes.len()).position(|it| it == bytes);
            if let Some(at) = found {
                return from + at + bytes.len();
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let len = self.stream.read_buf(&mut self.answer).await.expect("an answer");
        assert!(len > 0, "the server closed the connection");
    }
}

/// The value of a header, whatever the case of its name.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
