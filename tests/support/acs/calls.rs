//! Who is in which call.

use std::collections::{BTreeMap, BTreeSet};

/// Raw ids of who is in a call, by the id of its room.
#[derive(Default)]
pub struct Calls(BTreeMap<String, BTreeSet<String>>);

impl Calls {
    /// Somebody is in the call of a room from now on.
    pub fn enter(&mut self, room: &str, raw_id: &str) {
        self.0.entry(room.to_owned()).or_default().insert(raw_id.to_owned());
    }

    /// Somebody is not in the call of a room from now on.
    pub fn eject(&mut self, room: &str, raw_id: &str) {
        if let Some(people) = self.0.get_mut(room) {
            people.remove(raw_id);
        }
    }

    /// Who is in the call of a room.
    pub fn of(&self, room: &str) -> Vec<String> {
        self.0.get(room).into_iter().flatten().cloned().collect()
    }
}
