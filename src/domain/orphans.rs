//! Which sessions on a media server belong to no Room any more, and which Rooms miss theirs.

use std::collections::HashMap;

use super::session::Installation;
use crate::api::{Phase, Room};

/// Sessions that no Room wants, among those whose names carry this installation's id.
///
/// A session that a pass has just made, but not yet written down, is no orphan: its Room exists, is not over, and the
/// session's epoch is the next one.
#[must_use]
pub fn orphans<'a>(sessions: impl IntoIterator<Item = &'a str>, rooms: &[impl AsRef<Room>], installation: &Installation) -> Vec<&'a str> {
    let by_uid: HashMap<&str, &Room> =
        rooms.iter().map(AsRef::as_ref).filter_map(|room| Some((room.metadata.uid.as_deref()?, room))).collect();
    let wanted = |session: &str| {
        let (uid, epoch) = session.strip_prefix(installation.prefix())?.rsplit_once('-')?;
        Some(wants(by_uid.get(uid).copied()?, session, epoch.parse().ok()?))
    };
    let ours = sessions.into_iter().filter(|session| session.starts_with(installation.prefix()));
    ours.filter(|session| wanted(session) != Some(true)).collect()
}

fn wants(room: &Room, session: &str, epoch: i64) -> bool {
    let Some(status) = &room.status else { return true };
    match &status.session {
        Some(recorded) if recorded.id == session => recorded.ended_at.is_none(),
        recorded => {
            let last = recorded.as_ref().map_or(0, |recorded| recorded.epoch);
            epoch > last && !matches!(status.phase, Phase::Suspended | Phase::Expired)
        }
    }
}

/// The session that a Room's status names as living.
#[must_use]
pub fn recorded_session(room: &Room) -> Option<&str> {
    let session = room.status.as_ref()?.session.as_ref()?;
    session.ended_at.is_none().then_some(&session.id)
}
