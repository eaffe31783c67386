//! The resources of the API.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;

use super::address::OwnAddress;
use super::body::Strict;
use super::limits::Limits;
use super::lobby::{Denial, Joined, Lobby, View};
use super::problem::Problem;
use crate::domain::Invite;
use crate::metrics::Metrics;

/// Body of `POST /v1/join`: nothing yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinForm {}

/// `GET /v1/room`: what the holder of an invite is told about the call.
pub async fn room(State(lobby): State<Arc<Lobby>>, State(limits): State<Arc<Limits>>, headers: HeaderMap) -> Result<View, Problem> {
    let invite = lobby.invite(&headers)?;
    limits.count(&invite)?;
    let view = lobby.view(&invite).await;
    if let Err(Denial::Unavailable(cause)) = &view {
        tracing::info!(namespace = invite.namespace, room = invite.room, participant = invite.participant, cause, "view unavailable");
    }
    Ok(view?)
}

/// `POST /v1/join`: the way in.
pub async fn join(
    State(lobby): State<Arc<Lobby>>,
    State(limits): State<Arc<Limits>>,
    State(metrics): State<Metrics>,
    OwnAddress(address): OwnAddress,
    headers: HeaderMap,
    _: Strict<Option<JoinForm>>,
) -> Result<Joined, Problem> {
    let invite = lobby.invite(&headers).inspect_err(|denial| record(&metrics, None, Err(denial)))?;
    limits.count(&invite).inspect_err(|problem| metrics.join_ended(problem.name()))?;
    let joined = lobby.join(&invite).await;
    record(&metrics, Some(&invite), joined.as_ref().map(drop));
    let mut joined = joined?;
    joined.admission.url.get_or_insert(address);
    Ok(joined)
}

/// Logs and counts how a join ended. Names come from signed invites only; invite and media token never get here.
fn record(metrics: &Metrics, invite: Option<&Invite>, outcome: Result<(), &Denial>) {
    let namespace = invite.map(|invite| invite.namespace.as_str());
    let room = invite.map(|invite| invite.room.as_str());
    let participant = invite.map(|invite| invite.participant.as_str());
    let result = outcome.map_or_else(|denial| Problem::from(denial).name(), |()| "joined");
    metrics.join_ended(result);
    let cause = if let Err(Denial::Unavailable(cause)) = outcome { Some(cause.as_str()) } else { None };
    tracing::info!(namespace, room, participant, result, cause, "join");
}
