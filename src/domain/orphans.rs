//! Which sessions on a media server belong to no Room any more. Whether one does is told from the status alone, so that a Room whose
//! spec is not accepted keeps its session.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::session::Installation;
use super::window::Window;
use crate::api::{ConditionType, Phase, Room, RoomStatus};

/// Sessions that no Room wants at `now`, among those whose names carry this installation's id.
///
/// A session that a reconciliation may be creating at this moment, and has not recorded yet, is no orphan. Nor is one of a Room that cannot
/// be read, of which only the UID is known, in `unreadable`.
#[must_use]
pub fn orphans<'a>(
    sessions: impl IntoIterator<Item = &'a str>,
    rooms: &[impl AsRef<Room>],
    unreadable: &HashSet<String>,
    installation: &Installation,
    now: Timestamp,
) -> Vec<&'a str> {
    let by_uid: HashMap<&str, &Room> =
        rooms.iter().map(AsRef::as_ref).filter_map(|room| Some((room.metadata.uid.as_deref()?, room))).collect();
    let wanted = |session: &str| {
        let (uid, epoch) = installation.room_and_epoch(session)?;
        Some(unreadable.contains(uid) || wants(by_uid.get(uid).copied()?, session, epoch, now))
    };
    let ours = sessions.into_iter().filter(|session| session.starts_with(installation.prefix()));
    ours.filter(|session| wanted(session) != Some(true)).collect()
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
