//! Holds the sessions on a media server against the Rooms: lost ones are restored, orphans are closed, people are counted.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::api::{Phase, Room};
use crate::backend::{Backend, Signalling};
use crate::clock;
use crate::cluster::{CachedRoom, version_of, versions_now};
use crate::controller::context::Context;
use crate::domain::{Failure, SESSION_PREFIX, ended_checks, orphans};

/// Pause between two looks at a media server that works.
pub const SWEEP_EVERY: Duration = Duration::from_secs(3);
/// Sessions that are closed, or held on to, at the same time, and how long that may take in one sweep.
const AT_ONCE: usize = 8;
const WITHIN: Duration = Duration::from_secs(5);

/// The sessions on a media server, each with the number of people in it.
pub type Sessions = HashMap<String, i32>;

/// Lists the sessions of a media server. Those of other installations too: a Room may still live in one that was made before this
/// one was installed.
pub async fn list(backend: &dyn Backend) -> Result<Sessions, Failure> {
    let summaries = backend.list_sessions(SESSION_PREFIX).await?;
    Ok(summaries.into_iter().map(|summary| (summary.id, i32::try_from(summary.joined).unwrap_or(i32::MAX))).collect())
}

/// Enqueues the Rooms of a class for which these `sessions` are news, and closes orphans; with `counts` people are counted again.
///
/// Gives the sessions that look like orphans, to be the `suspects` of the next sweep: what still does then is closed.
pub async fn sweep(
    class: &str,
    backend: &dyn Backend,
    sessions: &Sessions,
    suspects: &BTreeSet<String>,
    counts: bool,
    context: &Context,
    now: Timestamp,
) -> BTreeSet<String> {
    let rooms = context.rooms.all();
    context.occupancy.swept(class, sessions, clock::uptime(), now);
    if counts {
        context.occupancy.count(class, sessions.clone());
    }
    let is_watched = |room: &CachedRoom| {
        let uid = room.uid();
        backend.signalling() == Signalling::Direct && is_used(room, sessions) && context.states.is_rechecked(uid, now)
    };
    let is_due = |room: &CachedRoom| {
        is_news(room, class, sessions, context, now) || is_watched(room) || counts && is_miscounted(room, class, context)
    };
    let due = rooms.iter().filter(|room| lives_here(room, class) && is_due(room));
    due.for_each(|room| context.enqueue(room.name()));
    context.metrics.swept(class, now);
    let found = close_orphans(class, backend, sessions, suspects, &rooms, context, now).await;
    context.metrics.orphans(class, found.len());
    found
}

/// Closes the sessions that belong to no Room for the second time: what a reconciliation has just closed, or just made, is gone or
/// known by then. Closes, too, those in which people checked their connection, when their end has come.
pub async fn close_orphans(
    class: &str,
    backend: &dyn Backend,
    sessions: &Sessions,
    suspects: &BTreeSet<String>,
    rooms: &[Arc<CachedRoom>],
    context: &Context,
    now: Timestamp,
) -> BTreeSet<String> {
    let unreadable = context.unreadable.all().into_iter().filter(|room| room.deletion_timestamp.is_none()).filter_map(|room| room.uid);
    let unreadable: HashSet<String> = unreadable.collect();
    let is_of_another = |uid: &str| unreadable.contains(uid) || context.other_shards.have(uid);
    let summaries = rooms.iter().map(|room| (&**room.uid(), &room.summary));
    let found = orphans(sessions.keys().map(String::as_str), summaries, is_of_another, &context.installation, now);
    let found: BTreeSet<String> = found.into_iter().map(str::to_owned).collect();
    if context.fence.check().is_err() {
        return found;
    }
    let orphans = confirm(found.intersection(suspects), rooms, context).await.unwrap_or_default();
    for session in &orphans {
        tracing::info!(class, session, "closing a session that belongs to no Room");
    }
    let close = async |session: &String| {
        if let Err(failure) = backend.close(session).await {
            tracing::warn!(class, session, %failure, "a session that belongs to no Room could not be closed; it is tried again");
        }
    };
    // One that cannot be closed holds up neither the others nor the class.
    let closing = stream::iter(orphans.into_iter().chain(ended_checks(sessions.keys(), &context.installation, now)));
    let closing = closing.for_each_concurrent(AT_ONCE, close);
    let _ = timeout(WITHIN, closing).await;
    found
}

/// Those of the sessions that belong to no Room, or to one that the API server has now as it was when they were `judged`: what has come to be known
/// since says nothing of that. None when the API server does not say.
async fn confirm<'a>(sessions: impl Iterator<Item = &'a String>, judged: &[Arc<CachedRoom>], context: &Context) -> Option<Vec<&'a String>> {
    let sessions: Vec<&String> = sessions.collect();
    if sessions.is_empty() {
        return Some(sessions);
    }
    let now = timeout(WITHIN, versions_now::<Room>(&context.client, &context.scope)).await.ok()?.ok()?;
    let judged: HashMap<String, String> = judged.iter().filter_map(|room| version_of(room.as_ref())).collect();
    let is_as_judged = |uid: &str| !now.contains_key(uid) || now.get(uid) == judged.get(uid);
    Some(sessions.into_iter().filter(|id| context.installation.room_and_epoch(id).is_none_or(|(uid, _)| is_as_judged(uid))).collect())
}

/// Holds on to the sessions in which people seem to be, see [`Backend::hold`].
pub async fn hold_on_to_used(class: &str, backend: &dyn Backend, sessions: &Sessions, context: &Context) {
    if context.fence.check().is_err() {
        return;
    }
    let rooms = context.rooms.all();
    let used = rooms.iter().filter(|room| lives_here(room, class) && !room.summary.is_deleted && is_used(room, sessions));
    let hold = async |room: &Arc<CachedRoom>| {
        // It may have ended since the list was made.
        let newest = context.rooms.get(room.name());
        let session = newest.as_deref().filter(|room| room.summary.phase == Phase::Open).and_then(|room| room.summary.recorded_session());
        if let Some(session) = session
            && let Err(failure) = backend.hold(session).await
        {
            tracing::info!(class, session, %failure, "a session could not be held on to; it is tried again");
        }
    };
    let _ = timeout(WITHIN, stream::iter(used).for_each_concurrent(AT_ONCE, hold)).await;
}

/// Whether the session of a Room is not what its status says: lost, made by the gateway, or empty for longer than it may be.
fn is_news(room: &CachedRoom, class: &str, sessions: &Sessions, context: &Context, now: Timestamp) -> bool {
    let Some(session) = room.summary.live_session() else { return false };
    let is_idle = || {
        let after = room.summary.close_when_empty_after?;
        let since = context.occupancy.empty_since(class, &session.id)?;
        Some(Duration::try_from(now.duration_since(since)).unwrap_or_default() >= after)
    };
    session.created_at.is_some() != sessions.contains_key(&session.id) || is_idle() == Some(true)
}

fn is_used(room: &CachedRoom, sessions: &Sessions) -> bool {
    room.summary.recorded_session().is_some_and(|session| sessions.get(session).is_some_and(|joined| *joined > 0))
}

fn is_miscounted(room: &CachedRoom, class: &str, context: &Context) -> bool {
    room.summary.recorded_session().is_some_and(|session| context.occupancy.joined(class, session) != room.summary.joined)
}

fn lives_here(room: &CachedRoom, class: &str) -> bool {
    room.summary.class_name.as_deref() == Some(class)
}
