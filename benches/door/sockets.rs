//! Requests and signalling connections of people who have no media.

use futures::StreamExt;
use livekit_protocol::{SignalResponse, signal_response};
use prost::Message as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::http::Response;

/// A signalling connection.
pub type Socket = WebSocketStream<TcpStream>;

/// From how many addresses people come: one may send 200 requests a second, and have 1750 connections.
const ADDRESSES: usize = 100;

/// The address on loopback that somebody comes from.
pub fn address_of(number: usize) -> [u8; 4] {
    [127, 0, 1, 1 + u8::try_from(number % ADDRESSES).expect("an address")]
}

async fn open(port: u16, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address on loopback");
    socket.connect(([127, 0, 0, 1], port).into()).await.expect("connected")
}

/// `POST /v1/join` from an address on loopback, on a connection of its own.
pub async fn post_join(port: u16, from: [u8; 4], invite: &str, body: &str) -> Response {
    let mut stream = open(port, from).await;
    let head = format!("POST /v1/join HTTP/1.1\r\nhost: meet.test\r\nauthorization: Bearer {invite}\r\ncontent-type: application/json\r\n");
    let request = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    Response::parse(&answer)
}

/// Joins by an invite, and connects: the media token, and the connection.
pub async fn enter(port: u16, from: [u8; 4], invite: &str) -> (String, Socket) {
    let joined: Value = serde_json::from_str(&post_join(port, from, invite, "").await.body).expect("JSON");
    let token = joined["token"].as_str().expect("a token").to_owned();
    let socket = connect(port, from, &token).await;
    (token, socket)
}

/// Connects with a media token.
pub async fn connect(port: u16, from: [u8; 4], token: &str) -> Socket {
    let url = format!("ws://127.0.0.1:{port}/rtc?protocol=16&access_token={token}");
    tokio_tungstenite::client_async(url.into_client_request().expect("a request"), open(port, from).await).await.expect("let in").0
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
