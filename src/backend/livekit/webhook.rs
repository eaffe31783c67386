//! LiveKit's webhooks, as far as they are read.

use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    room: Room,
}

#[derive(Deserialize)]
struct Room {
    name: String,
}

/// The room that an event is about.
pub(super) fn room(body: &[u8]) -> Option<String> {
    serde_json::from_slice(body).ok().map(|Event { room }| room.name).filter(|name| !name.is_empty())
}
