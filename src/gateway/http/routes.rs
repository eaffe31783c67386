//! The resources of the API.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;

use crate::api::Role;
use crate::domain::Invite;
use crate::gateway::AppState;
use crate::gateway::admission::join::{Denied, JoinResponse, View};
use crate::gateway::http::client_ip::OwnAddress;
use crate::gateway::http::json::StrictJson;
use crate::gateway::http::problem::Problem;
use crate::gateway::http::request_span;
use crate::gateway::http::responses::GuestAnswer;
use crate::observability::logs::AUDIT;

/// `GET /v1/room`: what the holder of an invite is told about the call.
pub async fn room(State(door): State<AppState>, headers: HeaderMap) -> Result<View, Problem> {
    let invite = invite(&door, &headers)?;
    let view = door.lobby.view(&invite).await;
    if let Err(Denied::Unavailable(cause)) = &view {
        tracing::info!(namespace = invite.namespace, room = invite.room, participant = invite.participant, cause, "view unavailable");
    }
    Ok(view?)
}

/// Body of `POST /v1/join`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct JoinRequest {
    /// The name that others see; of those who come by the shared link alone.
    display_name: Option<String>,
}

/// `POST /v1/join`: the way in.
pub async fn join(
    State(door): State<AppState>,
    OwnAddress(address): OwnAddress,
    headers: HeaderMap,
    body: Result<StrictJson<JoinRequest>, Problem>,
) -> Result<JoinResponse, Problem> {
    let joined = try_join(&door, &headers, body).await;
    door.metrics.join_ended(joined.as_ref().err().map_or("joined", Problem::name));
    let mut joined = joined?;
    joined.credentials.url.get_or_insert(address);
    Ok(joined)
}

async fn try_join(door: &AppState, headers: &HeaderMap, body: Result<StrictJson<JoinRequest>, Problem>) -> Result<JoinResponse, Problem> {
    let invite = invite(door, headers).inspect_err(|problem| refused("join", None, problem, None))?;
    let StrictJson(JoinRequest { display_name }) = body.inspect_err(|problem| refused("join", Some(&invite), problem, None))?;
    let joined = door.lobby.join(&invite, display_name.as_deref()).await;
    if let Ok(JoinResponse { identity, .. }) = &joined {
        let Invite { namespace, room, .. } = &invite;
        tracing::info!(target: AUDIT, event = "join", namespace, room, participant = identity, result = "joined");
    }
    told("join", &invite, joined)
}

/// `POST /v1/participants/{identity}/mute`, for Presenters.
pub async fn mute(State(door): State<AppState>, Path(identity): Path<String>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let invite = invite(&door, &headers)?;
    told("mute", &invite, door.lobby.mute(&invite, &identity).await).map(|()| StatusCode::NO_CONTENT)
}

/// `POST /v1/participants/{identity}/remove`, for Presenters.
pub async fn remove(State(door): State<AppState>, Path(identity): Path<String>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let invite = invite(&door, &headers)?;
    told("remove", &invite, door.lobby.remove(&invite, &identity).await).map(|()| StatusCode::NO_CONTENT)
}

/// `POST /v1/end`, for Presenters.
pub async fn end(State(door): State<AppState>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let invite = invite(&door, &headers)?;
    told("end", &invite, door.lobby.end(&invite).await).map(|()| StatusCode::NO_CONTENT)
}

/// Body of `POST /v1/guests`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GuestRequest {
    /// The name that others see.
    display_name: Option<String>,
    /// The role; that of a participant for whom none is set, if absent.
    #[serde(default)]
    role: Role,
}

/// `POST /v1/guests`, for Presenters: adds a person, and answers with the join link.
pub async fn add_guest(
    State(door): State<AppState>,
    OwnAddress(address): OwnAddress,
    headers: HeaderMap,
    body: Result<StrictJson<GuestRequest>, Problem>,
) -> Result<GuestAnswer, Problem> {
    let invite = invite(&door, &headers)?;
    let added = match body {
        Ok(StrictJson(GuestRequest { display_name, role })) => door.lobby.add_guest(&invite, display_name.as_deref(), role).await,
        // Whoever may not add people is told that, whatever they sent.
        Err(problem) => Err(door.lobby.may_add_people(&invite).err().unwrap_or(Denied::Malformed(problem))),
    };
    Ok(GuestAnswer::new(told("add guest", &invite, added)?, &address.replacen("ws", "http", 1)))
}

/// The invite of a request: genuine, and not used too often.
fn invite(door: &AppState, headers: &HeaderMap) -> Result<Invite, Problem> {
    let invite = door.lobby.invite(headers)?;
    door.limits.count(&invite)?;
    request_span::about(door, &ObjectRef::new(&invite.room).within(&invite.namespace));
    Ok(invite)
}

/// What came of a request; a refusal is written down.
fn told<T>(event: &str, invite: &Invite, outcome: Result<T, Denied>) -> Result<T, Problem> {
    outcome.map_err(|denial| {
        let problem = Problem::from(&denial);
        let cause = if let Denied::Unavailable(cause) = &denial { Some(cause.as_str()) } else { None };
        refused(event, Some(invite), &problem, cause);
        problem
    })
}

/// Writes down a refusal. Names come from signed invites only; invite and media token never get here.
fn refused(event: &str, invite: Option<&Invite>, problem: &Problem, cause: Option<&str>) {
    let namespace = invite.map(|invite| invite.namespace.as_str());
    let room = invite.map(|invite| invite.room.as_str());
    let participant = invite.map(|invite| invite.participant.as_str());
    tracing::info!(target: AUDIT, event, namespace, room, participant, result = problem.name(), cause);
}
