//! What the gateway answers, as JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

use crate::api::Role;
use crate::domain::{Availability, Permissions};
use crate::gateway::admission::join::{JoinResponse, View};
use crate::gateway::admission::moderation::Added;

/// Answer of `GET /v1/room`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomAnswer {
    room: String,
    namespace: String,
    display_name: String,
    participant: Option<ParticipantAnswer>,
    role: Role,
    permissions: PermissionsAnswer,
    state: &'static str,
    valid_from: String,
    valid_until: String,
    server_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantAnswer {
    name: String,
    display_name: String,
}

/// The permissions of the role, so that no client has to know the table of roles.
// One flag per permission, as in the domain.
#[allow(clippy::struct_excessive_bools)]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PermissionsAnswer {
    microphone: bool,
    camera: bool,
    screen_share: bool,
    data: bool,
    moderate: bool,
    add_people: bool,
}

/// Answer of `POST /v1/join`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JoinAnswer {
    url: String,
    token: String,
    identity: String,
    expires_at: String,
}

/// Answer of `POST /v1/guests`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestAnswer {
    name: String,
    display_name: String,
    role: Role,
    url: String,
}

impl GuestAnswer {
    /// Whose join link begins with `gateway_url`.
    pub fn new(added: Added, gateway_url: &str) -> Self {
        let Added { identity, display_name, role, invite } = added;
        Self { name: identity, display_name, role, url: format!("{gateway_url}/#{invite}") }
    }
}

impl IntoResponse for GuestAnswer {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self)).into_response()
    }
}

impl IntoResponse for View {
    fn into_response(self) -> Response {
        let Self { person, room, state, now } = self;
        Json(RoomAnswer {
            room: room.name,
            namespace: room.namespace,
            display_name: room.display_name,
            // Whoever has the shared link is nobody yet.
            participant: (!person.is_link())
                .then_some(ParticipantAnswer { name: person.name.clone(), display_name: person.display_name.clone() }),
            role: person.role,
            permissions: Permissions::of(person.role).into(),
            state: match state {
                Availability::Early => "early",
                Availability::Open => "open",
                Availability::Full => "full",
                Availability::Over => "over",
                Availability::Suspended => "suspended",
            },
            valid_from: rfc3339(room.window.from),
            valid_until: rfc3339(room.window.until),
            server_time: rfc3339(now),
        })
        .into_response()
    }
}

impl IntoResponse for JoinResponse {
    fn into_response(self) -> Response {
        let Self { credentials, identity, expires_at } = self;
        Json(JoinAnswer { url: credentials.url.unwrap_or_default(), token: credentials.token, identity, expires_at: rfc3339(expires_at) })
            .into_response()
    }
}

impl From<Permissions> for PermissionsAnswer {
    fn from(permissions: Permissions) -> Self {
        let Permissions { microphone, camera, screen_share, data, moderate, add_people } = permissions;
        Self { microphone, camera, screen_share, data, moderate, add_people }
    }
}

/// A moment for clients, in whole milliseconds: JavaScript knows no finer ones.
pub fn rfc3339(moment: Timestamp) -> String {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment).to_string()
}
