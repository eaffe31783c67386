//! The Rooms as the controller keeps them: of very many, which are read one at a time.
//!
//! This is by hand, because an object in kube's `Store` has all of its metadata, and its name and versions twice. Here a Room has beside its
//! compressed text what is asked of all Rooms again and again.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use parking_lot::RwLock;
use tokio::sync::watch;

use super::changes::{Cache, Recall};
use super::class_names::ClassNames;
use super::compressed_room::CompressedRoom;
use super::namespaced_name::NamespacedName;
use crate::api::{Identified, Identity, REISSUE_ANNOTATION, Room};
use crate::domain::RoomSummary;

/// A Room, of which the most is compressed.
#[derive(Clone, Debug)]
pub struct CachedRoom {
    name: NamespacedName,
    uid: Arc<str>,
    resource_version: Option<Box<str>>,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// The value of the annotation that asks for the invites again.
    pub reissue: Option<Box<str>>,
    pub summary: RoomSummary,
    whole: CompressedRoom,
}

impl CachedRoom {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &NamespacedName {
        &self.name
    }

    /// All of it; `None` only by a fault of Roomkeeper's.
    #[must_use]
    pub fn whole(&self) -> Option<Arc<Room>> {
        let read = self
            .whole
            .read(self.identity())
            .inspect_err(|error| tracing::error!(room = %self.name, %error, "a Room cannot be read from the cache"));
        read.ok().map(Arc::new)
    }

    /// Its UID.
    #[must_use]
    pub fn uid(&self) -> &Arc<str> {
        &self.uid
    }
}

impl From<Room> for CachedRoom {
    fn from(room: Room) -> Self {
        Self {
            name: NamespacedName::of(&room),
            uid: room.metadata.uid.as_deref().unwrap_or_default().into(),
            resource_version: room.metadata.resource_version.as_deref().map(Box::from),
            generation: room.metadata.generation,
            reissue: room.annotations().get(REISSUE_ANNOTATION).map(|value| value.as_str().into()),
            summary: RoomSummary::of(&room),
            whole: room.into(),
        }
    }
}

impl Identified for CachedRoom {
    fn identity(&self) -> Identity<'_> {
        Identity {
            namespace: self.name.namespace(),
            name: self.name.name(),
            uid: Some(&*self.uid),
            resource_version: self.resource_version.as_deref(),
        }
    }
}

/// All Rooms of a controller, kept up to date by a watch.
#[derive(Clone)]
pub struct RoomCache {
    rooms: Arc<RwLock<HashMap<NamespacedName, Arc<CachedRoom>>>>,
    is_complete: watch::Receiver<bool>,
}

/// Keeps a cache up to date.
pub struct RoomCacheWriter {
    cache: RoomCache,
    /// What a list that is under way has brought.
    listing: HashMap<NamespacedName, Arc<CachedRoom>>,
    classes: ClassNames,
    completes: watch::Sender<bool>,
}

impl Recall<CachedRoom> for RoomCache {
    fn recall(&self, room: &NamespacedName) -> Option<Arc<CachedRoom>> {
        self.get(room)
    }
}

impl Recall<CachedRoom> for RoomCacheWriter {
    fn recall(&self, room: &NamespacedName) -> Option<Arc<CachedRoom>> {
        self.cache.get(room)
    }
}

impl Cache<CachedRoom> for RoomCacheWriter {
    fn apply(&mut self, event: Event<CachedRoom>) {
        match event {
            Event::Init => self.listing = HashMap::new(),
            Event::InitApply(room) => {
                let room = self.kept(room);
                self.listing.insert(room.name.clone(), room);
            }
            Event::InitDone => {
                *self.cache.rooms.write() = std::mem::take(&mut self.listing);
                self.completes.send_replace(true);
            }
            Event::Apply(room) => {
                let room = self.kept(room);
                self.cache.rooms.write().insert(room.name.clone(), room);
            }
            Event::Delete(room) => drop(self.cache.rooms.write().remove(&room.name)),
        }
    }

    fn by_name(&self) -> HashMap<NamespacedName, Arc<CachedRoom>> {
        self.cache.rooms.read().clone()
    }
}

/// The watch has ended.
#[derive(Debug, thiserror::Error)]
#[error("the watch of the Rooms has ended")]
pub struct RoomWatchEnded(#[from] watch::error::RecvError);

impl RoomCache {
    /// An empty one.
    #[must_use]
    pub fn new() -> (Self, RoomCacheWriter) {
        let (completes, is_complete) = watch::channel(false);
        let cache = Self { rooms: Arc::default(), is_complete };
        (cache.clone(), RoomCacheWriter { cache, listing: HashMap::new(), classes: ClassNames::default(), completes })
    }

    /// The Room of this name.
    #[must_use]
    pub fn get(&self, room: &NamespacedName) -> Option<Arc<CachedRoom>> {
        self.rooms.read().get(room).cloned()
    }

    /// All Rooms.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<CachedRoom>> {
        self.rooms.read().values().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rooms.read().len()
    }

    /// Waits until the first list is complete.
    ///
    /// # Errors
    /// When the watch ended before.
    pub async fn ready(&self) -> Result<(), RoomWatchEnded> {
        self.is_complete.clone().wait_for(|is_complete| *is_complete).await?;
        Ok(())
    }
}

impl RoomCacheWriter {
    /// The cache.
    #[must_use]
    pub fn as_reader(&self) -> RoomCache {
        self.cache.clone()
    }

    /// A Room as it is kept: what is known already is not kept again.
    fn kept(&mut self, mut room: CachedRoom) -> Arc<CachedRoom> {
        if let Some(known) = self.cache.get(&room.name).filter(|known| known.uid == room.uid) {
            room.name = known.name.clone();
            room.uid = known.uid.clone();
        }
        if let Some(class) = &mut room.summary.class_name {
            *class = self.classes.keep(class);
        }
        room.into()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::fixtures::room_from;

    fn room(name: &str, uid: &str, class: &str) -> CachedRoom {
        let mut room = room_from(json!({"roomClassName": class}));
        let metadata = &mut room.metadata;
        (metadata.name, metadata.uid, metadata.resource_version) = (Some(name.into()), Some(uid.into()), Some("7".into()));
        room.into()
    }

    #[test]
    fn what_is_asked_of_all_rooms_is_at_hand_and_the_rest_comes_back() {
        let mut room = room_from(json!({"roomClassName": "standard", "suspend": true}));
        room.metadata.annotations = Some([(REISSUE_ANNOTATION.to_owned(), "2".to_owned())].into());
        room.metadata.resource_version = Some("12".into());
        room.metadata.generation = Some(3);
        let cached = CachedRoom::from(room.clone());
        assert_eq!(cached.identity(), room.identity());
        assert_eq!((cached.generation, cached.reissue.as_deref()), (Some(3), Some("2")));
        assert_eq!(cached.summary, RoomSummary::of(&room));
        assert_eq!(cached.whole().as_deref(), Some(&room));
    }

    #[test]
    fn a_list_is_shown_when_it_is_complete_and_then_each_change() {
        let (rooms, mut writer) = RoomCache::new();
        let known = || {
            let mut known: Vec<_> = rooms.all().iter().map(|room| format!("{} {}", room.name().name(), room.uid())).collect();
            known.sort();
            known
        };
        writer.apply(Event::Init);
        writer.apply(Event::InitApply(room("a", "1", "standard")));
        writer.apply(Event::InitApply(room("b", "2", "standard")));
        assert!(rooms.ready().now_or_never().is_none() && known().is_empty());
        writer.apply(Event::InitDone);
        assert!(rooms.ready().now_or_never().is_some_and(|ready| ready.is_ok()));
        assert_eq!(known(), ["a 1", "b 2"]);
        writer.apply(Event::Apply(room("a", "3", "standard")));
        writer.apply(Event::Delete(room("b", "2", "standard")));
        assert_eq!(known(), ["a 3"]);
        // While the watch was interrupted, a was deleted and b made again.
        for event in [Event::Init, Event::InitApply(room("b", "4", "standard")), Event::InitDone] {
            writer.apply(event);
        }
        assert_eq!((known(), rooms.count()), (vec!["b 4".to_owned()], 1));
    }

    #[test]
    fn whoever_waits_for_the_first_list_is_told_when_the_watch_ends_before() {
        let (rooms, writer) = RoomCache::new();
        drop(writer);
        assert!(rooms.ready().now_or_never().is_some_and(|ready| ready.is_err()));
    }

    #[test]
    fn names_of_rooms_and_of_classes_are_kept_once_however_often_they_are_told() {
        let (rooms, mut writer) = RoomCache::new();
        writer.apply(Event::Apply(room("a", "1", "standard")));
        writer.apply(Event::Apply(room("b", "2", "standard")));
        let before = rooms.get(room("a", "1", "").name()).unwrap();
        writer.apply(Event::Apply(room("a", "1", "standard")));
        let after = rooms.get(before.name()).unwrap();
        assert!(Arc::ptr_eq(before.uid(), after.uid()));
        let class_of = |name: &str| rooms.get(room(name, "", "").name()).unwrap().summary.class_name.clone().unwrap();
        assert!(Arc::ptr_eq(&class_of("a"), &class_of("b")));
    }
}
