//! The Rooms, as the API server has them, by name and by UID: the name of a session says the UID of its Room.

use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use parking_lot::RwLock;

use super::by_uid::ByUid;
use super::changes::{ChangeStream, changes};
use super::guarded::Guarded;
use super::lists::Lists;
use super::other_shards::OtherShards;
use super::room_cache::{CachedRoom, RoomCacheWriter};
use super::scope::Scope;
use super::shard::Shard;
use super::unreadable::Unreadable;
use super::watch::{WatchStream, config, events, in_scope, kept, of_shard};
use crate::api::Room;

/// All Rooms, kept up to date by a watch.
#[derive(Clone)]
pub struct Rooms {
    store: Store<Room>,
    names: Arc<RwLock<ByUid<ObjectRef<Room>>>>,
}

/// Watches the Rooms of a scope.
#[must_use]
pub fn watch_rooms(client: &Client, scope: &Scope) -> (Rooms, WatchStream<Room>) {
    let (store, writer) = store();
    let rooms = Rooms::from(store.clone());
    let seen = rooms.clone();
    let events = kept(in_scope(client, scope, store, room_events), writer);
    (rooms, events.inspect(move |event| event.as_ref().map_or((), |event| seen.see(event))).boxed())
}

/// Gives back the memory that lists in an object have in reserve: a Room is read once, and kept for weeks.
fn give_back_reserve(room: &mut Room) {
    room.spec.participants.shrink_to_fit();
    if let Some(status) = &mut room.status {
        status.participants.shrink_to_fit();
        status.conditions.shrink_to_fit();
    }
}

fn room_events(api: Api<Guarded<Room>>) -> WatchStream<Room> {
    events(api, config(), &Unreadable::default()).modify(give_back_reserve).boxed()
}

/// What a watch of Rooms tells besides those that its store keeps.
#[derive(Clone, Default)]
pub struct Aside {
    /// The Rooms that cannot be read.
    pub unreadable: Unreadable,
    /// The Rooms of other shards.
    pub other_shards: OtherShards,
    /// When the Rooms were listed.
    pub lists: Lists,
}

fn compressed(event: Event<Room>) -> Event<CachedRoom> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(room) => Event::InitApply(room.into()),
        Event::InitDone => Event::InitDone,
        Event::Apply(room) => Event::Apply(room.into()),
        Event::Delete(room) => Event::Delete(room.into()),
    }
}

/// Watches the Rooms of a shard of a scope; tells what changed in the cache, see [`changes`], and in `aside` what it does not show.
#[must_use]
pub fn watch_room_changes<F: PartialEq + 'static>(
    client: &Client,
    scope: &Scope,
    shard: Shard,
    cache: RoomCacheWriter,
    facts: fn(&CachedRoom) -> F,
    aside: &Aside,
) -> ChangeStream<CachedRoom> {
    let one = |api| {
        let ours = of_shard(shard, events(api, config(), &aside.unreadable), aside.other_shards.reader());
        aside.lists.of(ours).map(|event| event.map(compressed)).boxed()
    };
    changes(in_scope(client, scope, cache.as_reader(), one), cache, facts)
}

impl From<Store<Room>> for Rooms {
    fn from(store: Store<Room>) -> Self {
        Self { store, names: Arc::default() }
    }
}

impl Rooms {
    /// Takes in an event that the store shows.
    fn see(&self, event: &Event<Room>) {
        self.names.write().see(event, ObjectRef::from_obj);
    }

    /// The Room of this name.
    #[must_use]
    pub fn get(&self, room: &ObjectRef<Room>) -> Option<Arc<Room>> {
        self.store.get(room)
    }

    /// The Room of this UID. One that came this moment may not be found.
    #[must_use]
    pub fn by_uid(&self, uid: &str) -> Option<Arc<Room>> {
        let name = self.names.read().get(uid).cloned()?;
        self.get(&name).filter(|room| room.metadata.uid.as_deref() == Some(uid))
    }

    /// A Room for which this holds. It looks at all of them.
    #[must_use]
    pub fn find(&self, wanted: impl Fn(&Room) -> bool) -> Option<Arc<Room>> {
        self.store.find(wanted)
    }

    /// Waits until the first list is complete.
    ///
    /// # Errors
    /// When the watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;

    use super::*;

    #[test]
    fn a_room_is_found_by_its_uid_until_it_is_gone_or_is_another_one_of_its_name() {
        let room = |name: &str, uid: &str| {
            let mut room = Room::default();
            (room.metadata.name, room.metadata.uid) = (Some(name.into()), Some(uid.into()));
            room
        };
        let (store, mut writer) = reflector::store();
        let rooms = Rooms::from(store);
        let mut see = |event: Event<Room>| {
            writer.apply_watcher_event(&event);
            rooms.see(&event);
        };
        let list = |rooms: &[(&str, &str)]| {
            let listed = rooms.iter().map(|(name, uid)| Event::InitApply(room(name, uid)));
            [Event::Init].into_iter().chain(listed).chain([Event::InitDone]).collect::<Vec<_>>()
        };
        let found = || ["1", "2", "3"].map(|uid| rooms.by_uid(uid).and_then(|room| room.metadata.name.clone()));
        let named = |names: [&str; 3]| names.map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));
        list(&[("a", "1"), ("b", "2")]).into_iter().for_each(&mut see);
        assert_eq!(found(), named(["a", "b", ""]));
        see(Event::Apply(room("a", "3")));
        assert_eq!(found(), named(["", "b", "a"]), "a was made again");
        see(Event::Delete(room("b", "2")));
        assert_eq!(found(), named(["", "", "a"]));
        // While the watch was interrupted, a was deleted and b made again.
        list(&[("b", "2")]).into_iter().for_each(&mut see);
        assert_eq!(found(), named(["", "b", ""]));
        assert_eq!(rooms.names.read().values().count(), 1);
    }
}
