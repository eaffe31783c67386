//! Which sessions on a media server belong to no Room any more. Whether one does is told from the status alone, so that a Room whose
//! spec is not accepted keeps its session.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::session::Installation;
use super::window::Window;
use crate::api::{ConditionType, Phase, Room, RoomStatus};

/// Sessions that no Room wants at `now`, among those whose names carry this installation's id.
///
/// A session that a reconciliation may be creating at this moment, and has not recorded yet, is no orphan. Nor is one of a Room that is not among
/// these and for whose UID `is_kept` holds: it cannot be read, or another controller looks after it.
#[must_use]
pub fn orphans<'a>(
    sessions: impl IntoIterator<Item = &'a str>,
    rooms: &[impl AsRef<Room>],
    is_kept: impl Fn(&str) -> bool,
    installation: &Installation,
    now: Timestamp,
) -> Vec<&'a str> {
    let is_call = |session: &&str| session.starts_with(installation.prefix()) && installation.check(session).is_none();
    let ours: Vec<&str> = sessions.into_iter().filter(is_call).collect();
    // By the sessions, of which there may be far fewer than Rooms.
    let mut by_uid: HashMap<&str, Vec<(&str, i64)>> = HashMap::new();
    for session in &ours {
        if let Some((uid, epoch)) = installation.room_and_epoch(session) {
            by_uid.entry(uid).or_default().push((*session, epoch));
        }
    }
    let mut wanted = HashSet::new();
    for room in rooms.iter().map(AsRef::as_ref) {
        let of_room = room.metadata.uid.as_deref().and_then(|uid| by_uid.get(uid)).into_iter().flatten();
        wanted.extend(of_room.filter(|(session, epoch)| wants(room, session, *epoch, now)).map(|(session, _)| *session));
    }
    let is_kept = |session: &str| installation.room_and_epoch(session).is_some_and(|(uid, _)| is_kept(uid));
    ours.into_iter().filter(|session| !wanted.contains(session) && !is_kept(session)).collect()
}

/// Sessions in which people checked their connection, and whose end has come at `now`.
#[must_use]
pub fn ended_checks<'a>(sessions: impl IntoIterator<Item = &'a String>, installation: &Installation, now: Timestamp) -> Vec<&'a String> {
    sessions.into_iter().filter(|session| installation.check(session).is_some_and(|(_, ends_at)| ends_at <= now)).collect()
}

fn wants(room: &Room, session: &str, epoch: i64, now: Timestamp) -> bool {
    if room.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let Some(status) = &room.status else { return true };
    match &status.session {
        Some(recorded) if recorded.id == session => recorded.ended_at.is_none(),
        recorded => {
            let last = recorded.as_ref().map_or(0, |recorded| recorded.epoch);
            epoch > last && may_be_opening(room, status, now)
        }
    }
}

/// Whether a reconciliation may be creating the Room's next session: because the spec is new, or because the window contains `now`.
fn may_be_opening(room: &Room, status: &RoomStatus, now: Timestamp) -> bool {
    if status.observed_generation != room.metadata.generation {
        return true;
    }
    let accepted = status.condition(ConditionType::Accepted, true).is_some();
    let during = Window::recorded(status).is_some_and(|window| window.contains(now));
    accepted && during && status.phase != Phase::Suspended
}

#[cfg(test)]
mod tests;
