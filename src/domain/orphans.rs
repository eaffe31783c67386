//! Which sessions on a media server belong to no Room any more. Whether one does is told from the status alone, so that a Room whose
//! spec is not accepted keeps its session.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::room_summary::RoomSummary;
use super::session::Installation;

/// Sessions that no Room wants at `now`, among those whose names carry this installation's id.
///
/// `rooms` come with their UIDs. A session that a reconciliation may be creating at this moment, and has not recorded yet, is no orphan. Nor is one of a Room that is not among
/// these and for whose UID `is_kept` holds: it cannot be read, or another controller looks after it.
#[must_use]
pub fn orphans<'a>(
    sessions: impl IntoIterator<Item = &'a str>,
    rooms: impl IntoIterator<Item = (&'a str, &'a RoomSummary)>,
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
    for (uid, room) in rooms {
        let of_room = by_uid.get(uid).into_iter().flatten();
        wanted.extend(of_room.filter(|(session, epoch)| room.wants(session, *epoch, now)).map(|(session, _)| *session));
    }
    let is_kept = |session: &str| installation.room_and_epoch(session).is_some_and(|(uid, _)| is_kept(uid));
    ours.into_iter().filter(|session| !wanted.contains(session) && !is_kept(session)).collect()
}

/// Sessions in which people checked their connection, and whose end has come at `now`.
#[must_use]
pub fn ended_checks<'a>(sessions: impl IntoIterator<Item = &'a String>, installation: &Installation, now: Timestamp) -> Vec<&'a String> {
    sessions.into_iter().filter(|session| installation.check(session).is_some_and(|(_, ends_at)| ends_at <= now)).collect()
}

#[cfg(test)]
mod tests;
