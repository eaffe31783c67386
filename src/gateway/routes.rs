//! The resources of the API.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;

use super::address::OwnAddress;
use super::lobby::{Denial, Joined, Lobby, View};
use super::problem::Problem;
use crate::domain::Invite;

/// `GET /v1/room`: what the holder of an invite is told about the call.
pub async fn room(State(lobby): State<Arc<Lobby>>, headers: HeaderMap) -> Result<View, Problem> {
    let invite = lobby.invite(&headers)?;
    let view = lobby.view(&invite).await;
    if let Err(Denial::Unavailable(cause)) = &view {
        tracing::info!(namespace = invite.namespace, room = invite.room, participant = invite.participant, cause, "view unavailable");
    }
    Ok(view?)
}

/// `POST /v1/join`: the way in. The body has no meaning; it is read so that its limit holds.
pub async fn join(
    State(lobby): State<Arc<Lobby>>,
    OwnAddress(address): OwnAddress,
    headers: HeaderMap,
    _: Bytes,
) -> Result<Joined, Problem> {
    let invite = lobby.invite(&headers).inspect_err(|denial| record(None, Err(denial)))?;
    let joined = lobby.join(&invite).await;
    record(Some(&invite), joined.as_ref().map(drop));
    let mut joined = joined?;
    joined.admission.url.get_or_insert(address);
    Ok(joined)
}

/// Logs how a join ended. Names come from signed invites only; invite and media token never get here.
fn record(invite: Option<&Invite>, outcome: Result<(), &Denial>) {
    let namespace = invite.map(|invite| invite.namespace.as_str());
    let room = invite.map(|invite| invite.room.as_str());
    let participant = invite.map(|invite| invite.participant.as_str());
    let result = outcome.map_or_else(|denial| Problem::from(denial).name(), |()| "joined");
    let cause = if let Err(Denial::Unavailable(cause)) = outcome { Some(cause.as_str()) } else { None };
    tracing::info!(namespace, room, participant, result, cause, "join");
}
