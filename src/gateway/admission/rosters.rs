//! The rosters of Rooms that people ask for. Making one takes as long as there are people in it, and at the moment when a call opens all of them come.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::api::{Room, RoomGuest, RoomRemoval};
use crate::domain::Roster;

/// Most people in all rosters that are kept, some five megabytes. Each Room counts as one more, so that of Rooms without people there are not any number.
const MOST_PEOPLE: usize = 20_000;

/// Rosters, kept for as long as what they were made from is what the API server has.
#[derive(Clone, Default)]
pub struct Rosters(Arc<Mutex<HashMap<String, Made>>>);

/// A roster and what it was made from. As long as this is held, nothing else can be at the same place in memory.
struct Made {
    room: Arc<Room>,
    guests: Vec<Arc<RoomGuest>>,
    removals: Vec<Arc<RoomRemoval>>,
    roster: Arc<Roster>,
}

impl Rosters {
    /// The roster of a Room with these guests and removals.
    pub fn of(&self, room: &Arc<Room>, guests: Vec<Arc<RoomGuest>>, removals: Vec<Arc<RoomRemoval>>) -> Arc<Roster> {
        let uid = room.metadata.uid.as_deref().unwrap_or_default();
        if let Some(made) = self.0.lock().get(uid).filter(|made| made.is_from(room, &guests, &removals)) {
            return made.roster.clone();
        }
        let removed: BTreeSet<String> = removals.iter().map(|removal| removal.spec.identity.clone()).collect();
        let roster = Arc::new(Roster::new(room, &guests, removed));
        let made = Made { room: room.clone(), guests, removals, roster: roster.clone() };
        let mut kept = self.0.lock();
        kept.insert(uid.to_owned(), made);
        if kept.values().map(Made::size).sum::<usize>() > MOST_PEOPLE {
            kept.retain(|kept_uid, _| kept_uid == uid);
        }
        roster
    }
}

impl Made {
    fn is_from(&self, room: &Arc<Room>, guests: &[Arc<RoomGuest>], removals: &[Arc<RoomRemoval>]) -> bool {
        Arc::ptr_eq(&self.room, room) && are_same(&self.guests, guests) && are_same(&self.removals, removals)
    }

    fn size(&self) -> usize {
        1 + self.room.spec.participants.len() + self.guests.len() + self.removals.len()
    }
}

fn are_same<K>(some: &[Arc<K>], others: &[Arc<K>]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| Arc::ptr_eq(one, other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::{guest, room_from};

    fn room_of(people: usize, uid: &str) -> Arc<Room> {
        let names: Vec<_> = (0..people).map(|number| json!({"name": format!("p{number}")})).collect();
        let mut room = room_from(json!({"participants": names}));
        room.metadata.uid = Some(uid.to_owned());
        Arc::new(room)
    }

    fn removal(identity: &str) -> Arc<RoomRemoval> {
        let spec = json!({"roomName": "standup", "identity": identity});
        Arc::new(serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": spec})).unwrap())
    }

    /// What is kept of a Room without guests and removals.
    fn made_of(room: &Arc<Room>) -> Made {
        Made { room: room.clone(), guests: Vec::new(), removals: Vec::new(), roster: crate::fixtures::roster(room) }
    }

    #[test]
    fn a_roster_is_made_once_and_again_when_the_room_a_guest_or_a_removal_changes() {
        let (rosters, room) = (Rosters::default(), room_of(2, "uid"));
        let first = rosters.of(&room, Vec::new(), Vec::new());
        assert!(Arc::ptr_eq(&first, &rosters.of(&room, Vec::new(), Vec::new())));

        let edited = rosters.of(&room_of(1, "uid"), Vec::new(), Vec::new());
        assert_eq!((first.people().count(), edited.people().count()), (2, 1));

        let eve = guest("eve", "Attendee", None);
        let role = |guest: &Arc<RoomGuest>| rosters.of(&room, vec![guest.clone()], Vec::new()).get("guest-eve").map(|person| person.role);
        assert_eq!(role(&eve), Some(crate::api::Role::Attendee));
        assert_eq!(role(&guest("eve", "Consumer", None)), Some(crate::api::Role::Consumer));

        let removed = |removals| rosters.of(&room, vec![eve.clone()], removals).has_removed("p1");
        assert_eq!([vec![removal("p0")], vec![removal("p1")], Vec::new()].map(removed), [false, true, false]);
    }

    #[test]
    fn however_many_rooms_are_asked_for_the_rosters_of_so_many_people_are_kept() {
        let rosters = Rosters::default();
        for number in 0..500 {
            assert_eq!(rosters.of(&room_of(350, &number.to_string()), Vec::new(), Vec::new()).people().count(), 350);
            assert!(rosters.0.lock().len() * 350 <= MOST_PEOPLE);
        }
        let of_links = room_of(0, "link");
        rosters.0.lock().extend((0..MOST_PEOPLE).map(|number| (format!("link-{number}"), made_of(&of_links))));
        rosters.of(&of_links, Vec::new(), Vec::new());
        assert!(rosters.0.lock().len() <= MOST_PEOPLE, "Rooms to which people come by the shared link alone");
    }
}
