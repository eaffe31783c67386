//! The bodies of successful responses, as JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::subprotocol::SUBPROTOCOL;
use super::timestamp::rfc3339;
use crate::api::{Role, Signalling, VideoCodec};
use crate::backend::{MediaCredentials, ServiceIds};
use crate::domain::{Availability, Media, Permissions};
use crate::gateway::admission::{AddedGuest, JoinResponse, ListedGuest, ListedRemoval, RoomView};

/// Body of the response to `GET /v1/room`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoomBody {
    room: String,
    namespace: String,
    display_name: String,
    kind: &'static str,
    participant: Option<ParticipantBody>,
    role: Role,
    permissions: PermissionsBody,
    media: MediaBody,
    state: &'static str,
    valid_from: String,
    valid_until: String,
    server_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantBody {
    name: String,
    display_name: String,
}

/// The permissions of the role, so that no client has to know the table of roles.
// One flag per permission, as in the domain.
#[allow(clippy::struct_excessive_bools)]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PermissionsBody {
    microphone: bool,
    camera: bool,
    screen_share: bool,
    data: bool,
    moderate: bool,
    add_people: bool,
}

/// What clients are asked to send.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MediaBody {
    video_codec: VideoCodec,
    max_video_height: i32,
    audio_only: bool,
}

impl From<Media> for MediaBody {
    fn from(media: Media) -> Self {
        let Media { video_codec, max_video_height, audio_only } = media;
        Self { video_codec, max_video_height, audio_only }
    }
}

/// Body of the response to `POST /v1/join`: what the client libraries of the media server take.
#[derive(Serialize)]
#[serde(untagged)]
pub enum JoinBody {
    LiveKit(LiveKitJoinBody),
    AzureCommunicationServices(AzureJoinBody),
}

/// What LiveKit's client libraries join with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveKitJoinBody {
    kind: &'static str,
    url: String,
    signalling: Signalling,
    token: String,
    identity: String,
    expires_at: String,
    media: MediaBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    invite: Option<String>,
    /// Under which the token can be sent as a subprotocol; none where clients reach the media server themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    subprotocol: Option<&'static str>,
}

/// What the Calling SDK of Azure Communication Services joins with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureJoinBody {
    kind: &'static str,
    endpoint: String,
    room_id: String,
    token: String,
    communication_user_id: String,
    identity: String,
    expires_at: String,
}

impl JoinBody {
    /// What somebody joins with, at `gateway` where the media server names no address of its own.
    pub fn new(joined: JoinResponse, gateway: String) -> Self {
        let JoinResponse { credentials, backend, identity, invite, media } = joined;
        let MediaCredentials { url, token, expires_at, ids } = credentials;
        let (kind, expires_at) = (backend.name(), rfc3339(expires_at));
        if let Some(ServiceIds { room: room_id, user: communication_user_id }) = ids {
            let endpoint = url.unwrap_or_default();
            let body = AzureJoinBody { kind, endpoint, room_id, token, communication_user_id, identity, expires_at };
            return Self::AzureCommunicationServices(body);
        }
        let (url, signalling, subprotocol) = signalling_at(url, gateway);
        let media = media.into();
        Self::LiveKit(LiveKitJoinBody { kind, url, signalling, token, identity, expires_at, media, invite, subprotocol })
    }
}

/// Body of the response to `POST /v1/connection-check`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckBody {
    url: String,
    signalling: Signalling,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subprotocol: Option<&'static str>,
}

impl CheckBody {
    /// What somebody checks their connection with, at `gateway` where the media server names no address of its own.
    pub fn new(MediaCredentials { url, token, .. }: MediaCredentials, gateway: String) -> Self {
        let (url, signalling, subprotocol) = signalling_at(url, gateway);
        Self { url, signalling, token, subprotocol }
    }
}

/// Where clients reach the signalling, how, and under which name they can send the token as a subprotocol: at the media server's own `url`,
/// if it has one.
fn signalling_at(url: Option<String>, gateway: String) -> (String, Signalling, Option<&'static str>) {
    match url {
        Some(url) => (url, Signalling::Direct, None),
        None => (gateway, Signalling::Proxied, Some(SUBPROTOCOL)),
    }
}

/// Body of the response to `POST /v1/guests`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestBody {
    name: String,
    display_name: String,
    role: Role,
    url: String,
}

impl GuestBody {
    /// The guest, with a join link that begins with `gateway_url`.
    pub fn new(added: AddedGuest, gateway_url: &str) -> Self {
        let AddedGuest { identity, display_name, role, invite } = added;
        Self { name: identity, display_name, role, url: format!("{gateway_url}/#{invite}") }
    }
}

/// One of the guests in the response to `GET /v1/guests`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedGuestBody {
    name: String,
    display_name: String,
    role: Role,
    invited_by: Option<String>,
    can_be_withdrawn: bool,
}

/// Body of the response to `GET /v1/guests`.
#[derive(Serialize)]
pub struct GuestListBody {
    guests: Vec<ListedGuestBody>,
}

impl From<Vec<ListedGuest>> for GuestListBody {
    fn from(guests: Vec<ListedGuest>) -> Self {
        let body = |guest: ListedGuest| {
            let ListedGuest { identity, display_name, role, invited_by, can_be_withdrawn } = guest;
            ListedGuestBody { name: identity, display_name, role, invited_by, can_be_withdrawn }
        };
        Self { guests: guests.into_iter().map(body).collect() }
    }
}

/// One of the people in the response to `GET /v1/removals`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedRemovalBody {
    identity: String,
    display_name: String,
    removed_by: Option<String>,
    can_be_readmitted: bool,
}

/// Body of the response to `GET /v1/removals`.
#[derive(Serialize)]
pub struct RemovalListBody {
    removals: Vec<ListedRemovalBody>,
}

impl From<Vec<ListedRemoval>> for RemovalListBody {
    fn from(removals: Vec<ListedRemoval>) -> Self {
        let body = |removal: ListedRemoval| {
            let ListedRemoval { identity, display_name, removed_by, can_be_readmitted } = removal;
            ListedRemovalBody { identity, display_name, removed_by, can_be_readmitted }
        };
        Self { removals: removals.into_iter().map(body).collect() }
    }
}

impl IntoResponse for RemovalListBody {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl IntoResponse for GuestListBody {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl IntoResponse for GuestBody {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self)).into_response()
    }
}

impl IntoResponse for RoomView {
    fn into_response(self) -> Response {
        let Self { person, room, availability, now } = self;
        Json(RoomBody {
            room: room.name,
            namespace: room.namespace,
            display_name: room.display_name,
            kind: room.backend.name(),
            // Whoever comes by the shared link chooses a name each time.
            participant: (!person.is_link() && !person.is_visitor())
                .then_some(ParticipantBody { name: person.name.clone(), display_name: person.display_name.clone() }),
            role: person.role,
            permissions: Permissions::in_call(person.role, room.media.audio_only).into(),
            media: room.media.into(),
            state: match availability {
                Availability::Early => "early",
                Availability::Full => "full",
                Availability::Open => "open",
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

impl IntoResponse for JoinBody {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl IntoResponse for CheckBody {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl From<Permissions> for PermissionsBody {
    fn from(permissions: Permissions) -> Self {
        let Permissions { microphone, camera, screen_share, data, moderate, add_people } = permissions;
        Self { microphone, camera, screen_share, data, moderate, add_people }
    }
}
