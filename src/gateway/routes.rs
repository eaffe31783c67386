//! The resources of the API.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::address::OwnAddress;
use super::answer::GuestAnswer;
use super::body::Strict;
use super::lobby::{Denial, Joined, Lobby, View};
use super::problem::Problem;
use crate::api::Role;
use crate::domain::Invite;
use crate::telemetry::AUDIT;

/// `GET /v1/room`: what the holder of an invite is told about the call.
pub async fn room(State(lobby): State<Arc<Lobby>>, headers: HeaderMap) -> Result<View, Problem> {
    let invite = lobby.invite(&headers)?;
    let view = lobby.view(&invite).await;
    if let Err(Denial::Unavailable(cause)) = &view {
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
    State(lobby): State<Arc<Lobby>>,
    OwnAddress(address): OwnAddress,
    headers: HeaderMap,
    body: Result<Strict<JoinRequest>, Problem>,
) -> Result<Joined, Problem> {
    let invite = lobby.invite(&headers).inspect_err(|denial| record("join", None, None, Some(denial)))?;
    let Strict(JoinRequest { display_name }) = body?;
    let joined = lobby.join(&invite, display_name.as_deref()).await;
    let identity = joined.as_ref().ok().map(|joined| joined.identity.as_str());
    record("join", Some(&invite), identity, joined.as_ref().err());
    let mut joined = joined?;
    joined.admission.url.get_or_insert(address);
    Ok(joined)
}

/// `POST /v1/participants/{identity}/mute`, for Presenters.
pub async fn mute(State(lobby): State<Arc<Lobby>>, Path(identity): Path<String>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let invite = lobby.invite(&headers)?;
    done("mute", &invite, lobby.mute(&invite, &identity).await)
}

/// `POST /v1/participants/{identity}/remove`, for Presenters.
pub async fn remove(State(lobby): State<Arc<Lobby>>, Path(identity): Path<String>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let invite = lobby.invite(&headers)?;
    done("remove", &invite, lobby.remove(&invite, &identity).await)
}

/// `POST /v1/end`, for Presenters.
pub async fn end(State(lobby): State<Arc<Lobby>>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let invite = lobby.invite(&headers)?;
    done("end", &invite, lobby.end(&invite).await)
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
    State(lobby): State<Arc<Lobby>>,
    OwnAddress(address): OwnAddress,
    headers: HeaderMap,
    body: Result<Strict<GuestRequest>, Problem>,
) -> Result<GuestAnswer, Problem> {
    let invite = lobby.invite(&headers)?;
    let added = match body {
        Ok(Strict(GuestRequest { display_name, role })) => lobby.add_guest(&invite, display_name.as_deref(), role).await,
        Err(problem) => Err(Denial::Malformed(problem)),
    };
    if let Err(denial) = &added {
        record("add guest", Some(&invite), None, Some(denial));
    }
    Ok(GuestAnswer::new(added?, &address.replacen("ws", "http", 1)))
}

/// The answer to a verb that gives nothing back. A refusal is recorded; what was done has been already.
fn done(verb: &str, invite: &Invite, outcome: Result<(), Denial>) -> Result<StatusCode, Problem> {
    if let Err(denial) = &outcome {
        record(verb, Some(invite), None, Some(denial));
    }
    outcome?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes down how a request ended. Names come from signed invites only; invite and media token never get here.
fn record(event: &str, invite: Option<&Invite>, identity: Option<&str>, denial: Option<&Denial>) {
    let namespace = invite.map(|invite| invite.namespace.as_str());
    let room = invite.map(|invite| invite.room.as_str());
    let participant = identity.or_else(|| invite.map(|invite| invite.participant.as_str()));
    let problem = denial.map(Problem::from);
    let result = problem.as_ref().map_or("joined", Problem::name);
    let cause = if let Some(Denial::Unavailable(cause)) = denial { Some(cause.as_str()) } else { None };
    tracing::info!(target: AUDIT, event, namespace, room, participant, result, cause);
}
