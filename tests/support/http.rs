//! One HTTP/1.1 request on a connection of its own, byte by byte, so that what no library would send can be sent, too.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::timeout;

/// How long an answer may take. Generous: it is only used up by failures.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The status; 0 when the connection was closed without an answer.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// Takes an answer apart.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// Sends bytes, and reads until the other side closes.
pub async fn exchange(address: impl ToSocketAddrs, request: &[u8]) -> Result<Response, Error> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        // A server that does not want all of it may close before it was sent.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Ok(Response::parse(&answer))
    };
    timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}"))))
}

/// A GET without more.
pub async fn get(address: impl ToSocketAddrs, path: &str) -> Result<Response, Error> {
    exchange(address, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await
}
