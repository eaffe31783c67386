//! What is kept of each Room by its UID, as the events of one watch tell it.

use std::collections::HashMap;

use kube::runtime::watcher::Event;

use crate::api::Room;

/// Something of each Room.
pub(super) struct ByUid<V> {
    current: HashMap<String, V>,
    /// What a list that is under way has brought.
    listing: HashMap<String, V>,
}

impl<V> Default for ByUid<V> {
    fn default() -> Self {
        Self { current: HashMap::new(), listing: HashMap::new() }
    }
}

impl<V> ByUid<V> {
    /// Takes in an event; `what` gives what is kept of its Room.
    pub fn see(&mut self, event: &Event<Room>, what: impl FnOnce(&Room) -> V) {
        let of = |room: &Room| Some((room.metadata.uid.clone()?, what(room)));
        match event {
            Event::Init => self.listing = HashMap::new(),
            Event::InitApply(room) => self.listing.extend(of(room)),
            Event::InitDone => self.current = std::mem::take(&mut self.listing),
            Event::Apply(room) => self.current.extend(of(room)),
            Event::Delete(room) => drop(room.metadata.uid.as_ref().and_then(|uid| self.current.remove(uid))),
        }
    }

    /// What is kept of the Room of this UID.
    pub fn get(&self, uid: &str) -> Option<&V> {
        self.current.get(uid)
    }

    /// What is kept of all Rooms.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.current.values()
    }
}
