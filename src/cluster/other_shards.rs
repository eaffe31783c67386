//! The Rooms of other shards: of these it is only known that they are there, and which class each lives on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::runtime::watcher::Event;
use parking_lot::RwLock;

use crate::api::Room;

/// The Rooms that other controllers look after.
#[derive(Clone, Default)]
pub struct OtherShards(Arc<RwLock<Vec<Classes>>>);

/// The class of each Room by its UID, of one watch.
type Classes = HashMap<String, Option<Arc<str>>>;

impl OtherShards {
    /// Whether there is a Room of this UID.
    #[must_use]
    pub fn have(&self, uid: &str) -> bool {
        self.0.read().iter().any(|watched| watched.contains_key(uid))
    }

    /// How many Rooms have a class for which this holds, or none.
    #[must_use]
    pub fn count(&self, has_class: impl Fn(Option<&str>) -> bool) -> usize {
        self.0.read().iter().flat_map(HashMap::values).filter(|class| has_class(class.as_deref())).count()
    }

    /// Takes in the events of one watch.
    pub(super) fn reader(&self) -> impl FnMut(&Event<Room>) + Send + use<> {
        let mut all = self.0.write();
        let mut reader = Reader { shards: self.clone(), watch: all.len(), listing: HashMap::new(), names: HashSet::new() };
        all.push(HashMap::new());
        move |event| reader.see(event)
    }
}

struct Reader {
    shards: OtherShards,
    /// Which of the watches this is.
    watch: usize,
    /// What a list that is under way has brought.
    listing: Classes,
    /// Names of classes, of which there are few.
    names: HashSet<Arc<str>>,
}

impl Reader {
    fn see(&mut self, event: &Event<Room>) {
        let named = match event {
            Event::InitApply(room) | Event::Apply(room) => room.metadata.uid.clone().map(|uid| (uid, self.class_of(room))),
            _ => None,
        };
        let mut all = self.shards.0.write();
        let Some(current) = all.get_mut(self.watch) else { return };
        match event {
            Event::Init => self.listing = HashMap::new(),
            Event::InitApply(_) => self.listing.extend(named),
            Event::InitDone => *current = std::mem::take(&mut self.listing),
            Event::Apply(_) => current.extend(named),
            Event::Delete(room) => drop(room.metadata.uid.as_ref().and_then(|uid| current.remove(uid))),
        }
    }

    fn class_of(&mut self, room: &Room) -> Option<Arc<str>> {
        let name = room.class_name()?;
        if let Some(known) = self.names.get(name) {
            return Some(known.clone());
        }
        let name = Arc::<str>::from(name);
        self.names.insert(name.clone());
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(uid: &str, class: &str) -> Room {
        let mut room = Room::default();
        room.metadata.uid = Some(uid.into());
        room.spec.room_class_name = Some(class.into()).filter(|class: &String| !class.is_empty());
        room
    }

    #[test]
    fn rooms_of_others_are_known_until_they_are_gone_by_each_watch_for_itself() {
        let others = OtherShards::default();
        let (mut one, mut other) = (others.reader(), others.reader());
        let mut list = |rooms: &[Room]| {
            one(&Event::Init);
            for room in rooms {
                one(&Event::InitApply(room.clone()));
            }
            one(&Event::InitDone);
        };
        let known = || ["a", "b", "c"].map(|uid| others.have(uid));
        list(&[room("a", "standard"), room("b", "")]);
        other(&Event::Apply(room("c", "large")));
        assert_eq!(known(), [true; 3]);
        assert_eq!(others.count(|class| class.is_none_or(|class| class == "standard")), 2);
        // While the watch was interrupted, a was deleted.
        list(&[room("b", "large")]);
        assert_eq!(known(), [false, true, true]);
        assert_eq!(others.count(|class| class == Some("large")), 2);
        other(&Event::Delete(room("c", "large")));
        assert_eq!(known(), [false, true, false]);
    }
}
