//! Requests and signalling connections of people who have no media.

use futures::StreamExt;
use livekit_protocol::{SignalResponse, signal_response};
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::http::Response;

/// A signalling connection.
pub type Socket = WebSocketStream<TcpStream>;

/// `POST /v1/join` from an address on loopback, on a connection of its own; the status.
pub async fn post_join(port: u16, from: [u8; 4], invite: &str, body: &str) -> u16 {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address on loopback");
    let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.expect("connected");
    let head = format!("POST /v1/join HTTP/1.1\r\nhost: meet.test\r\nauthorization: Bearer {invite}\r\ncontent-type: application/json\r\n");
    let request = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    Response::parse(&answer).status
}

/// Connects with a media token.
pub async fn connect(port: u16, token: &str) -> Socket {
    let url = format!("ws://127.0.0.1:{port}/rtc?protocol=16&access_token={token}");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
    tokio_tungstenite::client_async(url.into_client_request().expect("a request"), stream).await.expect("let in").0
}

/// What the media server says next.
pub async fn answer(socket: &mut Socket) -> signal_response::Message {
    loop {
        if let Message::Binary(bytes) = socket.next().await.expect("more").expect("a message") {
            let answer = SignalResponse::decode(bytes).expect("an answer of LiveKit");
            break answer.message.expect("something");
        }
    }
}
