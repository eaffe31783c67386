//! Which sessions on a media server belong to no Room any more, and which Rooms miss theirs.

use std::collections::HashMap;

use jiff::Timestamp;

use super::session::Installation;
use super::window::{Moment, Window};
use crate::api::{ConditionType, Phase, Room, RoomStatus};

/// Sessions that no Room wants at `now`, among those whose names carry this installation's id.
///
/// A session that a pass may just be making, and has not yet written down, is no orphan.
#[must_use]
pub fn orphans<'a>(
    sessions: impl IntoIterator<Item = &'a str>,
    rooms: &[impl AsRef<Room>],
    installation: &Installation,
    now: Timestamp,
) -> Vec<&'a str> {
    let by_uid: HashMap<&str, &Room> =
        rooms.iter().map(AsRef::as_ref).filter_map(|room| Some((room.metadata.uid.as_deref()?, room))).collect();
    let wanted = |session: &str| {
        let (uid, epoch) = installation.room_and_epoch(session)?;
        Some(wants(by_uid.get(uid).copied()?, session, epoch, now))
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

/// Whether a pass may be making the Room's next session: one over a new spec, or one at a moment of the window.
fn may_be_opening(room: &Room, status: &RoomStatus, now: Timestamp) -> bool {
    if status.observed_generation != room.metadata.generation {
        return true;
    }
    let accepted = status.condition(ConditionType::Accepted, true).is_some();
    let during = Window::recorded(status).is_some_and(|window| window.at(now) == Moment::During);
    accepted && during && status.phase != Phase::Suspended
}

/// The session that a Room's status names as living.
#[must_use]
pub fn recorded_session(room: &Room) -> Option<&str> {
    room.status.as_ref()?.live_session().map(|session| session.id.as_str())
}

#[cfg(test)]
mod tests;
