//! Guests who are being added. The watch does not show them yet, and without them more than a Room may have could be added at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::api::Room;

/// Names of guests who are being added, by Room.
#[derive(Clone, Default)]
pub struct GuestArrivals(Arc<Mutex<HashMap<ObjectRef<Room>, HashSet<String>>>>);

/// A guest who is being added, as long as this lives.
pub struct Arrival {
    arrivals: GuestArrivals,
    room: ObjectRef<Room>,
    name: String,
}

impl GuestArrivals {
    /// One more guest of a Room that has these, if it may have one more.
    pub fn begin(&self, room: &ObjectRef<Room>, name: &str, known: &HashSet<String>, most: usize) -> Option<Arrival> {
        let mut rooms = self.0.lock();
        let arriving = rooms.entry(room.clone()).or_default();
        if known.len() + arriving.difference(known).count() >= most {
            return None;
        }
        arriving.insert(name.to_owned());
        Some(Arrival { arrivals: self.clone(), room: room.clone(), name: name.to_owned() })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut rooms = self.arrivals.0.lock();
        if let Some(arriving) = rooms.get_mut(&self.room) {
            arriving.remove(&self.name);
            if arriving.is_empty() {
                rooms.remove(&self.room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_who_are_being_added_count_until_they_are_and_once_when_they_are_seen_already() {
        let arrivals = GuestArrivals::default();
        let (room, other) = (ObjectRef::new("call").within("team"), ObjectRef::new("other").within("team"));
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
        let first = arrivals.begin(&room, "a", &known(&["x"]), 3).unwrap();
        let second = arrivals.begin(&room, "b", &known(&["x", "a"]), 3).unwrap();
        assert!(arrivals.begin(&room, "c", &known(&["x"]), 3).is_none());
        assert!(arrivals.begin(&other, "c", &known(&["x"]), 3).is_some());
        drop(first);
        assert!(arrivals.begin(&room, "c", &known(&["x"]), 3).is_some());
        drop(second);
        assert!(arrivals.0.lock().is_empty());
    }
}
