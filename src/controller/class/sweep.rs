//! Holds the sessions on a media server against the Rooms: lost ones are restored, orphans are closed, people are counted.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{Room, RoomStatus};
use crate::backend::{Backend, Signalling};
use crate::clock;
use crate::controller::context::Context;
use crate::domain::{Failure, SESSION_PREFIX, orphans, recorded_session};

/// Sweeps the sessions of a class; `count` says whether people are counted anew.
///
/// Gives the sessions that look like orphans, to be the `suspects` of the next sweep: what still does then is closed.
pub async fn sweep(
    class: &str,
    backend: &dyn Backend,
    suspects: BTreeSet<String>,
    count: bool,
    context: &Context,
) -> Result<BTreeSet<String>, Failure> {
    // Those of other installations too: a Room may still live in one that was made before this was installed.
    let summaries = backend.list_sessions(SESSION_PREFIX).await?;
    let joined: HashMap<String, i32> =
        summaries.into_iter().map(|summary| (summary.id, i32::try_from(summary.joined).unwrap_or(i32::MAX))).collect();
    let rooms = context.rooms.state();
    let found: BTreeSet<String> =
        orphans(joined.keys().map(String::as_str), &rooms, &context.installation, clock::now()).into_iter().map(str::to_owned).collect();
    context.metrics.orphans(class, found.len());
    // Twice seen: what a reconciliation has just closed, or just made, is gone or known by then.
    for session in found.intersection(&suspects) {
        tracing::info!(class, session, "closing a session that belongs to no Room");
        backend.close(session).await?;
    }
    let now = clock::now();
    context.occupancy.saw(class, &joined, now);
    context.enqueue(|room| lives_here(room, class) && is_news(room, class, &joined, context, now));
    if backend.signalling() == Signalling::Direct {
        let is_watched = |room: &Room| context.rechecks.holds(room.metadata.uid.as_deref().unwrap_or_default(), now);
        let is_used = |room: &Room| recorded_session(room).is_some_and(|session| joined.get(session).is_some_and(|joined| *joined > 0));
        context.enqueue(|room| lives_here(room, class) && is_used(room) && is_watched(room));
    }
    context.metrics.swept(class, now);
    if count {
        context.occupancy.count(class, joined);
        context.enqueue(|room| {
            let counted = room.status.as_ref().and_then(|status| status.counts).map_or(0, |counts| counts.joined);
            lives_here(room, class) && recorded_session(room).is_some_and(|session| context.occupancy.joined(class, session) != counted)
        });
    }
    Ok(found)
}

/// Whether the session of a Room is not what its status says: lost, made by the door, or empty for longer than it may be.
fn is_news(room: &Room, class: &str, sessions: &HashMap<String, i32>, context: &Context, now: Timestamp) -> bool {
    let Some(session) = room.status.as_ref().and_then(RoomStatus::live_session) else { return false };
    let is_idle = || {
        let after = Duration::from(room.spec.session.as_ref()?.close_when_empty_after?);
        let since = context.occupancy.empty_since(class, &session.id)?;
        Some(now.duration_since(since).unsigned_abs() >= after)
    };
    session.created_at.is_some() != sessions.contains_key(&session.id) || is_idle() == Some(true)
}

fn lives_here(room: &Room, class: &str) -> bool {
    room.class_name() == Some(class)
}
