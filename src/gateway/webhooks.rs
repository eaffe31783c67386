//! Hints of media servers that something happened in a session. They are signed, and say no more than where to look: whoever
//! is seen there and not allowed is put out, so that a hint that comes again does no harm, and one that is lost costs time.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};

use crate::backend::TokenSubject;
use crate::domain::Refusal;
use crate::gateway::AppState;
use crate::gateway::http::problem::Problem;
use crate::observability::logs::AUDIT;

/// Longest hint, in bytes. LiveKit sends what it knows of room, person and track.
pub const LONGEST_HINT: usize = 64 * 1024;

/// `POST /v1/hooks/livekit`.
pub async fn livekit(State(door): State<AppState>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = (door.clock)();
    let mut known = false;
    for (class, backend) in door.backends.usable() {
        let Some(session) = backend.webhook_session(authorization, &body, now) else { continue };
        known = true;
        let Some((room, of_class)) = door.lobby.room_of(&session) else { continue };
        if of_class != class {
            continue;
        }
        let Ok(Some(members)) = backend.observe(&session).await else { continue };
        let holder = |identity: String, generation| TokenSubject { session: session.clone(), identity, generation };
        let holders: Vec<TokenSubject> = members.into_iter().map(|member| holder(member.identity, member.generation)).collect();
        let (refusals, _) = door.lobby.judge(&room, &holders.iter().collect::<Vec<_>>());
        for (holder, refusal) in holders.iter().zip(refusals) {
            let Some(refusal) = refusal else { continue };
            let removed = backend.remove(&holder.session, &holder.identity).await.is_ok();
            let (namespace, reason) = (room.namespace.as_deref(), Problem::from(&refusal).name());
            tracing::info!(target: AUDIT, event = "put out after a hint", namespace, room = room.name, participant = holder.identity, reason, removed);
        }
    }
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::from(&Refusal::InvalidInvite)) }
}
