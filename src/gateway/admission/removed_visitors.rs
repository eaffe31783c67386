//! Visitors of shared links whom a Presenter has removed. An invite of their own would bring them back as if nothing had happened.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::api::Room;

/// Most visitors of one Room who are remembered; the oldest are forgotten first.
const MOST: usize = 1000;

/// Who was removed, by Room. Known to this gateway alone, as long as it runs.
#[derive(Clone, Default)]
pub struct RemovedVisitors(Arc<Mutex<HashMap<ObjectRef<Room>, Removed>>>);

#[derive(Default)]
struct Removed {
    /// UID of the Room: one of its name that is made later has visitors of its own.
    room: String,
    identities: VecDeque<String>,
}

impl RemovedVisitors {
    /// Remembers a visitor. Rooms that are not there any more, by `uid_of`, are forgotten.
    pub fn add(&self, room: &ObjectRef<Room>, identity: &str, uid_of: impl Fn(&ObjectRef<Room>) -> Option<String>) {
        let mut rooms = self.0.lock();
        rooms.retain(|room, removed| uid_of(room).as_ref() == Some(&removed.room));
        let Some(uid) = uid_of(room) else { return };
        let identities = &mut rooms.entry(room.clone()).or_insert_with(|| Removed { room: uid, ..Removed::default() }).identities;
        identities.retain(|known| known != identity);
        identities.push_back(identity.to_owned());
        if identities.len() > MOST {
            identities.pop_front();
        }
    }

    /// Those of a Room with this UID.
    pub fn of(&self, room: &ObjectRef<Room>, uid: &str) -> Vec<String> {
        let rooms = self.0.lock();
        rooms
            .get(room)
            .filter(|removed| removed.room == uid)
            .map(|removed| removed.identities.iter().cloned().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> ObjectRef<Room> {
        ObjectRef::new(name).within("team")
    }

    #[test]
    fn visitors_are_remembered_as_long_as_their_room_is_there_and_each_once() {
        let removed = RemovedVisitors::default();
        for identity in ["link.a", "link.b", "link.a"] {
            removed.add(&room("one"), identity, |_| Some("1".into()));
        }
        assert_eq!(removed.of(&room("one"), "1"), ["link.b", "link.a"]);
        assert!(removed.of(&room("one"), "2").is_empty() && removed.of(&room("two"), "1").is_empty());
        removed.add(&room("two"), "link.c", |room| (room.name == "two").then(|| "2".into()));
        assert!(removed.of(&room("one"), "1").is_empty());
    }

    #[test]
    fn of_very_many_the_last_thousand_are_remembered() {
        let removed = RemovedVisitors::default();
        for number in 0..1500 {
            removed.add(&room("one"), &number.to_string(), |_| Some("1".into()));
        }
        let remembered = removed.of(&room("one"), "1");
        assert_eq!((remembered.len(), remembered[0].as_str()), (1000, "500"));
    }
}
