//! A media server that only answers: LiveKit itself would be what is measured otherwise.
//!
//! It answers the calls that the controller makes of LiveKit's room service, each after the same time, and keeps when each session was
//! made and closed, so that nobody has to look in order to know.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{get, post};
use axum::{Router, serve};
use jiff::Timestamp;
use livekit_protocol::{
    CreateRoomRequest, DeleteRoomRequest, DeleteRoomResponse, ListParticipantsResponse, ListRoomsRequest, ListRoomsResponse, Room,
};
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::now;

/// How long each answer takes.
const ANSWER_AFTER: Duration = Duration::from_millis(2);

/// The media server. It ends when this is dropped.
pub struct MediaServer {
    pub port: u16,
    book: Arc<Book>,
    serving: JoinHandle<()>,
}

/// When what happened.
#[derive(Default)]
struct Book {
    living: Mutex<HashMap<String, Timestamp>>,
    made: Mutex<Vec<Timestamp>>,
    closed: Mutex<Vec<Timestamp>>,
}

impl MediaServer {
    pub async fn start() -> Self {
        let book = Arc::new(Book::default());
        let routes = Router::new()
            .route("/twirp/livekit.RoomService/{call}", post(answer))
            .route("/rtc/validate", get(validate))
            .with_state(book.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serving = tokio::spawn(async move { serve(listener, routes).await.expect("a server that serves") });
        Self { port, book, serving }
    }

    /// How many sessions live.
    pub fn living(&self) -> usize {
        self.book.living.lock().len()
    }

    /// The moments at which sessions were closed, since `from`.
    pub fn closed_since(&self, from: Timestamp) -> Vec<Timestamp> {
        self.book.closed.lock().iter().copied().filter(|moment| *moment >= from).collect()
    }

    /// The moments at which sessions were made, since `from`.
    pub fn made_since(&self, from: Timestamp) -> Vec<Timestamp> {
        self.book.made.lock().iter().copied().filter(|moment| *moment >= from).collect()
    }
}

impl Drop for MediaServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], Vec<u8>);

/// What LiveKit says to a token for a room that nobody has made, where joining makes none.
async fn validate() -> Answer {
    sleep(ANSWER_AFTER).await;
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/plain; charset=utf-8")], b"requested room does not exist".to_vec())
}

async fn answer(State(book): State<Arc<Book>>, Path(call): Path<String>, body: Bytes) -> Answer {
    sleep(ANSWER_AFTER).await;
    let answer = match call.as_str() {
        "CreateRoom" => CreateRoomRequest::decode(body).ok().map(|request| book.create(&request).encode_to_vec()),
        "DeleteRoom" => DeleteRoomRequest::decode(body).ok().and_then(|request| book.delete(&request.room)),
        "ListRooms" => ListRoomsRequest::decode(body).ok().map(|request| book.list(&request.names).encode_to_vec()),
        // Nobody joins here.
        "ListParticipants" => Some(ListParticipantsResponse::default().encode_to_vec()),
        _ => None,
    };
    match answer {
        Some(message) => (StatusCode::OK, [(CONTENT_TYPE, "application/protobuf")], message),
        None => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "application/json")], br#"{"code":"not_found","msg":"there is none"}"#.to_vec()),
    }
}

impl Book {
    fn create(&self, request: &CreateRoomRequest) -> Room {
        let created = *self.living.lock().entry(request.name.clone()).or_insert_with(|| {
            let moment = now();
            self.made.lock().push(moment);
            moment
        });
        Room { max_participants: request.max_participants, ..room(&request.name, created) }
    }

    fn delete(&self, name: &str) -> Option<Vec<u8>> {
        self.living.lock().remove(name)?;
        self.closed.lock().push(now());
        Some(DeleteRoomResponse {}.encode_to_vec())
    }

    fn list(&self, names: &[String]) -> ListRoomsResponse {
        let living = self.living.lock();
        let rooms = if names.is_empty() {
            living.iter().map(|(name, created)| room(name, *created)).collect()
        } else {
            names.iter().filter_map(|name| Some(room(name, *living.get(name)?))).collect()
        };
        ListRoomsResponse { rooms }
    }
}

/// A room as long on the wire as one of LiveKit's own.
fn room(name: &str, created: Timestamp) -> Room {
    Room {
        sid: format!("RM_{:012x}", created.as_microsecond()),
        name: name.to_owned(),
        empty_timeout: 15_552_000,
        departure_timeout: 15_552_000,
        max_participants: 350,
        creation_time: created.as_second(),
        creation_time_ms: created.as_millisecond(),
        ..Room::default()
    }
}
