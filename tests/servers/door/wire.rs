//! Requests byte by byte, as no well-behaved client would send them.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::http::{self, PATIENCE};

/// What came back.
pub type Reply = http::Response;

impl Reply {
    /// Status and name of a problem.
    pub fn problem(&self) -> (u16, String) {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"));
        let name = body["type"].as_str().and_then(|name| name.strip_prefix("urn:roomkeeper:problem:")).unwrap_or_default();
        (self.status, name.to_owned())
    }
}

/// Sends bytes and reads until the other side closes.
pub async fn exchange(port: u16, request: &[u8]) -> Reply {
    http::exchange(("127.0.0.1", port), request).await.expect("a gateway that listens and ends its answer")
}

/// A request without body.
pub async fn ask(port: u16, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
    exchange(port, request(method, target, headers, true).as_bytes()).await
}

/// Asks for a WebSocket; the stream is open when the answer is 101.
pub async fn upgrade(port: u16, target: &str, headers: &[(&str, &str)]) -> (Reply, TcpStream) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a gateway that listens");
    let websocket = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let headers: Vec<_> = websocket.iter().chain(headers).copied().collect();
    stream.write_all(request("GET", target, &headers, false).as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let mut byte = [0_u8; 1];
    let reading = async {
        while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.is_ok_and(|read| read > 0) {
            answer.push(byte[0]);
        }
        let length = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0_usize);
        let mut body = vec![0; length];
        let _ = stream.read_exact(&mut body).await;
        answer.extend(body);
    };
    timeout(PATIENCE, reading).await.expect("an answer in time");
    (Reply::parse(&answer), stream)
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], close: bool) -> String {
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{headers}{}\r\n", if close { "connection: close\r\n" } else { "" })
}
