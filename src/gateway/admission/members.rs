//! Judges the people who are in a call already: who may stay, in which role, and until when.

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::authorize::recognized;
use super::live_rooms::LiveRooms;
use crate::api::{Role, Room};
use crate::backend::TokenSubject;
use crate::domain::{Refusal, Window, admit, remain};

/// Who of the people in a call may stay there.
pub struct MembersReview {
    /// For each of the people, in the order in which they were given, the role that they have now, or why they may not stay.
    pub verdicts: Vec<Result<Role, Refusal>>,
    /// Whether the Room is accepted: if it is not, a role may be lowered and not raised.
    pub accepted: bool,
    /// When the call ends for all of them, if that is known.
    pub ends_at: Option<Timestamp>,
}

/// Judges the people in a Room's call. While the Room is not accepted, what it takes away counts all the same.
pub fn review_members(rooms: &LiveRooms, room: &ObjectRef<Room>, subjects: &[&TokenSubject], now: Timestamp) -> MembersReview {
    let nobody = |refusal| MembersReview { verdicts: vec![Err(refusal); subjects.len()], accepted: false, ends_at: None };
    let Some(room) = rooms.get(room) else { return nobody(Refusal::InvalidInvite) };
    if room.metadata.deletion_timestamp.is_some() {
        return nobody(Refusal::Over);
    }
    let roster = rooms.roster(&room);
    let valid = rooms.accept(&room, roster.clone()).ok();
    let judge = |subject: &TokenSubject| {
        let person = recognized(rooms, &roster, subject);
        match &valid {
            Some(valid) => person.and_then(|person| admit(valid, &person, 0, now)).map(|grant| grant.role),
            None => remain(&room, now).and(person).map(|person| person.role),
        }
    };
    let verdict = |subject: &&TokenSubject| {
        if rooms.has_session(&room, &subject.session) { judge(subject) } else { Err(Refusal::InvalidInvite) }
    };
    let window = valid.as_ref().map_or_else(|| Window::in_force_unaccepted(&room), |valid| Some(valid.window));
    MembersReview {
        verdicts: subjects.iter().map(verdict).collect(),
        accepted: valid.is_some(),
        ends_at: window.map(|window| window.until),
    }
}

/// The class of the Room whose session this is, or may be, and the Room.
pub fn class_and_room_of(rooms: &LiveRooms, session: &str) -> Option<(String, ObjectRef<Room>)> {
    let room = rooms.of_session(session)?;
    Some((room.class_name()?.to_owned(), ObjectRef::from_obj(room.as_ref())))
}
