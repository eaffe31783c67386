//! Webhooks of media servers: something happened in a session. They are signed, and say no more than where to look: whoever
//! is seen there and not allowed is removed. So a webhook that comes again does no harm, and one that is lost costs time.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tower_http::limit::RequestBodyLimitLayer;

use super::admission::{LiveRooms, class_and_room_of, review_members};
use super::http::Problem;
use super::wall_clock::WallClock;
use crate::backend::{Backend, Registry, TokenSubject};
use crate::domain::{Refusal, SessionMember};
use crate::observability::logs::AUDIT;

/// Longest body, in bytes. LiveKit sends what it knows of room, person and track.
const LONGEST_BODY: usize = 64 * 1024;

/// What webhooks are judged by.
#[derive(Clone)]
pub struct Webhooks {
    pub rooms: LiveRooms,
    pub backends: Arc<Registry>,
    pub clock: WallClock,
}

/// The paths that media servers call.
pub fn routes(webhooks: Webhooks) -> Router {
    Router::new().route("/v1/hooks/livekit", post(livekit)).layer(RequestBodyLimitLayer::new(LONGEST_BODY)).with_state(webhooks)
}

/// `POST /v1/hooks/livekit`.
async fn livekit(State(webhooks): State<Webhooks>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = webhooks.clock.now();
    let mut is_genuine = false;
    for (class, backend) in webhooks.backends.usable() {
        let Some(session) = backend.webhook_session(authorization, &body, now) else { continue };
        is_genuine = true;
        put_out_strangers(&webhooks, &class, backend.as_ref(), &session).await;
    }
    if is_genuine { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::from(&Refusal::InvalidInvite)) }
}

/// Puts out whoever is in a session and may not be there, if the session is that of a Room of this class.
async fn put_out_strangers(webhooks: &Webhooks, class: &str, backend: &dyn Backend, session: &str) {
    let Some((of_class, room)) = class_and_room_of(&webhooks.rooms, session) else { return };
    if of_class != class {
        return;
    }
    let Ok(Some(members)) = backend.observe(session).await else { return };
    let subject = |SessionMember { identity, display_name, role: _, generation, signed_by }| TokenSubject {
        session: session.to_owned(),
        identity,
        display_name,
        generation,
        signed_by,
    };
    let subjects: Vec<TokenSubject> = members.into_iter().map(subject).collect();
    let review = review_members(&webhooks.rooms, &room, &subjects.iter().collect::<Vec<_>>(), webhooks.clock.now());
    for (TokenSubject { identity, .. }, verdict) in subjects.iter().zip(review.verdicts) {
        let Err(refusal) = verdict else { continue };
        let removed = backend.remove(session, identity).await.is_ok();
        let (namespace, reason) = (room.namespace.as_deref(), Problem::from(&refusal).name());
        tracing::info!(target: AUDIT, event = "put out after a hint", namespace, room = room.name, participant = identity, reason, removed);
    }
}
