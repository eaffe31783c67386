//! LiveKit's signalling as a client has it: protobuf in a WebSocket.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt, StreamExt};
use livekit_protocol::{IceServer, SignalRequest, SignalResponse, signal_request, signal_response};
use prost::Message as _;
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{Client, StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::error_chain::display_chain;

/// The version of LiveKit's protocol that is spoken: since it, the media server offers a connection by itself.
const QUERY: &str = "protocol=16&auto_subscribe=0";

/// A connection to a media server's signalling.
pub struct Signalling(WebSocketStream<Upgraded>);

impl Signalling {
    /// Connects by a media token, which goes in a header. `url` may be that of a WebSocket, too.
    pub async fn connect(http: &Client, url: &str, token: &str) -> Result<Self, String> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|_| "the system gives no random numbers")?;
        let url = format!("{}/rtc?{QUERY}", url.trim_end_matches('/').replacen("ws", "http", usize::from(url.starts_with("ws"))));
        let request = http.get(url).bearer_auth(token).header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        let request = request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, STANDARD.encode(key));
        let answer = request.send().await.map_err(|error| display_chain(&error))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(format!("signalling answers {}", answer.status()));
        }
        let upgraded = answer.upgrade().await.map_err(|error| display_chain(&error))?;
        Ok(Self(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await))
    }

    /// The next thing that the media server says.
    pub async fn next(&mut self) -> Result<signal_response::Message, String> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let said = SignalResponse::decode(bytes).map_err(|error| error.to_string())?;
                    if let Some(message) = said.message {
                        return Ok(message);
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Err("the media server has closed the connection".to_owned()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
            }
        }
    }

    /// The servers that the media server tells its clients to find ways by.
    pub async fn ice_servers(&mut self) -> Result<Vec<IceServer>, String> {
        loop {
            if let signal_response::Message::Join(joined) = self.next().await? {
                return Ok(joined.ice_servers);
            }
        }
    }

    /// Says something to the media server.
    pub async fn send(&mut self, message: signal_request::Message) -> Result<(), String> {
        let request = SignalRequest { message: Some(message) };
        self.0.send(Message::Binary(request.encode_to_vec().into())).await.map_err(|error| error.to_string())
    }
}
