//! Judges the people who are in a call already: who may stay, and until when.

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::authorize::{has_ended, recorded_end};
use super::live_rooms::LiveRooms;
use crate::api::Room;
use crate::backend::TokenSubject;
use crate::domain::{Refusal, admit, recognize};

/// Who of the people in a call may not stay there.
pub struct MembersReview {
    /// For each of the people, in the order in which they were given, why they may not stay.
    pub refusals: Vec<Option<Refusal>>,
    /// When the call ends for all of them, if that is known.
    pub ends_at: Option<Timestamp>,
}

impl MembersReview {
    fn same_for_all(refusal: Option<Refusal>, people: usize, ends_at: Option<Timestamp>) -> Self {
        Self { refusals: vec![refusal; people], ends_at }
    }
}

/// Judges the people in a Room's call.
///
/// While the Room is not accepted everybody stays: only the end of the window last in force comes all the same.
pub fn review_members(rooms: &LiveRooms, room: &ObjectRef<Room>, subjects: &[&TokenSubject], now: Timestamp) -> MembersReview {
    let same = |refusal, ends_at| MembersReview::same_for_all(refusal, subjects.len(), ends_at);
    let Some(room) = rooms.get(room) else { return same(Some(Refusal::InvalidInvite), None) };
    if room.metadata.deletion_timestamp.is_some() {
        return same(Some(Refusal::Over), None);
    }
    let Ok(valid) = rooms.accept(&room, rooms.roster(&room)) else {
        return same(has_ended(&room, now).then_some(Refusal::Over), recorded_end(&room));
    };
    let review = |subject: &&TokenSubject| {
        if !rooms.has_session(&room, &subject.session) {
            return Some(Refusal::InvalidInvite);
        }
        let person = recognize(&valid.roster, &subject.member());
        person.and_then(|person| admit(&valid, &person, 0, now)).err()
    };
    MembersReview { refusals: subjects.iter().map(review).collect(), ends_at: Some(valid.window.until) }
}

/// The class of the Room whose session this is, or may be, and the Room.
pub fn class_and_room_of(rooms: &LiveRooms, session: &str) -> Option<(String, ObjectRef<Room>)> {
    let room = rooms.of_session(session)?;
    let class = rooms.accept(&room, rooms.roster(&room)).ok()?.class;
    Some((class, ObjectRef::from_obj(room.as_ref())))
}
