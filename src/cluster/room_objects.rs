//! The objects that belong to Rooms, as the API server has them: one Room's cost the same however many others have.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use kube::Client;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::store::{Writer, WriterDropped};
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::Event;
use parking_lot::RwLock;
use serde::de::DeserializeOwned;

use super::changes::{ChangeStream, changes};
use super::scope::Scope;
use super::shard::Shard;
use super::watch::{WatchStream, kept, scope_events};
use crate::api::{Identified, Identity, MAX_PARTICIPANTS, Room, RoomGuest, RoomOwned, RoomRemoval};
use crate::domain::RoomIndex;

/// How many guests of a Room are looked at. More than are let in, so that the first of the others are judged with them; and no more than
/// that, so that it costs the same however many somebody makes.
const GUESTS_JUDGED: usize = 2 * MAX_PARTICIPANTS.unsigned_abs() as usize;
/// How many removals of a Room count, for the same reason. The oldest are forgotten first: a new one has to hold.
const REMOVALS_COUNTED: usize = 1000;

/// The objects of one kind, kept up to date by a watch.
#[derive(Clone)]
pub struct RoomObjects<K: RoomObject> {
    store: Store<K>,
    index: Arc<RwLock<Index>>,
}

/// The people who were added to Rooms while they live.
pub type Guests = RoomObjects<RoomGuest>;
/// The people who are kept out of Rooms.
pub type Removals = RoomObjects<RoomRemoval>;

/// A kind whose objects belong to Rooms, and can be watched.
pub trait RoomObject:
    RoomOwned<Scope = NamespaceResourceScope> + Default + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
}

impl<K> RoomObject for K where
    K: RoomOwned<Scope = NamespaceResourceScope> + Default + DeserializeOwned + Clone + Debug + Send + Sync + 'static
{
}

#[derive(Default)]
struct Index {
    current: RoomIndex,
    /// What a list that is under way has brought.
    listing: RoomIndex,
}

impl<K: RoomObject> RoomObjects<K> {
    /// No objects yet. Each event goes to [`Self::see`] first and to the writer then.
    #[must_use]
    pub fn new() -> (Self, Writer<K>) {
        let (store, writer) = store();
        (Self { store, index: Arc::default() }, writer)
    }

    /// Takes in an event that the store will show: names that it does not show yet are none, and whoever waits for the store may
    /// count on all of them.
    pub fn see(&self, event: &Event<K>) {
        let mut index = self.index.write();
        match event {
            Event::Init => index.listing = RoomIndex::default(),
            Event::InitApply(object) => index.listing.apply(object),
            Event::InitDone => index.current = std::mem::take(&mut index.listing),
            Event::Apply(object) => index.current.apply(object),
            Event::Delete(object) => index.current.remove(object),
        }
    }

    /// An object of any Room.
    #[must_use]
    pub fn get(&self, object: &ObjectRef<K>) -> Option<Arc<K>> {
        self.store.get(object)
    }

    /// Waits until the first list is complete.
    ///
    /// # Errors
    /// When the watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }

    /// The objects of a Room that `choose` names.
    fn of_room(&self, room: &impl Identified, choose: impl FnOnce(&RoomIndex) -> Vec<&str>) -> Vec<Arc<K>> {
        let Identity { namespace, name: room, .. } = room.identity();
        let names: Vec<ObjectRef<K>> =
            choose(&self.index.read().current).into_iter().map(|name| ObjectRef::new(name).within(namespace)).collect();
        names.iter().filter_map(|name| self.get(name)).filter(|object| object.room_name() == room).collect()
    }
}

impl Guests {
    /// The guests of a Room, in the order in which they came: as many as are looked at.
    #[must_use]
    pub fn of(&self, room: &impl Identified) -> Vec<Arc<RoomGuest>> {
        self.of_room(room, |index| index.first(room, GUESTS_JUDGED))
    }

    /// Whether a guest of a Room came after all of those.
    #[must_use]
    pub fn is_late(&self, guest: &RoomGuest, room: &impl Identified) -> bool {
        self.index.read().current.is_late(guest, room, GUESTS_JUDGED)
    }
}

impl Removals {
    /// The removals of a Room, in the order in which they came: as many as count.
    #[must_use]
    pub fn of(&self, room: &Room) -> Vec<Arc<RoomRemoval>> {
        self.of_room(room, |index| index.last(room, REMOVALS_COUNTED))
    }

    /// The identities that are kept out of a Room.
    #[must_use]
    pub fn identities(&self, room: &Room) -> BTreeSet<String> {
        self.of(room).iter().map(|removal| removal.spec.identity.clone()).collect()
    }
}

/// The Room that an object belongs to.
pub fn room_of(object: &impl RoomOwned) -> ObjectRef<Room> {
    ObjectRef::new(object.room_name()).within(object.meta().namespace.as_deref().unwrap_or_default())
}

/// Watches the objects of a kind.
#[must_use]
pub fn watch_room_objects<K: RoomObject>(client: &Client, scope: &Scope) -> (RoomObjects<K>, WatchStream<K>) {
    let (objects, writer) = RoomObjects::new();
    let events = seen(&objects, client, scope, Shard::WHOLE);
    (objects, kept(events, writer))
}

/// The same for those of a shard; tells what changed in the store, see [`changes`].
#[must_use]
pub fn watch_room_object_changes<K: RoomObject, F: PartialEq + 'static>(
    client: &Client,
    scope: &Scope,
    shard: Shard,
    facts: fn(&K) -> F,
) -> (RoomObjects<K>, ChangeStream<K>) {
    let (objects, writer) = RoomObjects::new();
    let events = seen(&objects, client, scope, shard);
    (objects, changes(events, writer, facts))
}

fn seen<K: RoomObject>(objects: &RoomObjects<K>, client: &Client, scope: &Scope, shard: Shard) -> WatchStream<K> {
    let index = objects.clone();
    let events = scope_events(client, scope, objects.store.clone(), shard);
    events.inspect(move |event| event.as_ref().map_or((), |event| index.see(event))).boxed()
}
