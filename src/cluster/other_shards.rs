//! The Rooms of other shards: of these it is only known that they are there, and which class each lives on.

use std::sync::Arc;

use kube::runtime::watcher::Event;
use parking_lot::RwLock;

use super::by_uid::ByUid;
use super::class_names::ClassNames;
use crate::api::Room;

/// The Rooms that other controllers look after.
#[derive(Clone, Default)]
pub struct OtherShards(Arc<RwLock<Vec<Classes>>>);

/// The class of each Room of one watch.
type Classes = ByUid<Option<Arc<str>>>;

impl OtherShards {
    /// Whether there is a Room of this UID.
    #[must_use]
    pub fn have(&self, uid: &str) -> bool {
        self.0.read().iter().any(|watched| watched.get(uid).is_some())
    }

    /// How many Rooms have a class for which this holds, or none.
    #[must_use]
    pub fn count(&self, has_class: impl Fn(Option<&str>) -> bool) -> usize {
        self.0.read().iter().flat_map(ByUid::values).filter(|class| has_class(class.as_deref())).count()
    }

    /// Takes in the events of one watch.
    pub(super) fn reader(&self) -> impl FnMut(&Event<Room>) + Send + use<> {
        let mut all = self.0.write();
        let (shards, watch) = (self.clone(), all.len());
        all.push(Classes::default());
        let mut names = ClassNames::default();
        move |event| {
            if let Some(watched) = shards.0.write().get_mut(watch) {
                watched.see(event, |room| room.class_name().map(|name| names.keep(name)));
            }
        }
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
