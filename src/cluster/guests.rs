//! The guests as the API server has them, by Room: one Room's cost the same however many others have.

use std::sync::Arc;

use futures::StreamExt;
use kube::Client;
use kube::runtime::reflector::store::{Writer, WriterDropped};
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::Event;
use parking_lot::RwLock;

use super::changes::{ChangeStream, changes};
use super::scope::Scope;
use super::watch::{WatchStream, kept, scope_events};
use crate::api::{Room, RoomGuest};
use crate::domain::GuestIndex;

/// The guests, kept up to date by a watch.
#[derive(Clone)]
pub struct Guests {
    store: Store<RoomGuest>,
    index: Arc<RwLock<Index>>,
}

#[derive(Default)]
struct Index {
    current: GuestIndex,
    /// What a list that is under way has brought.
    listing: GuestIndex,
}

impl Guests {
    /// No guests yet. Each event goes to [`Self::see`] first and to the writer then.
    #[must_use]
    pub fn new() -> (Self, Writer<RoomGuest>) {
        let (store, writer) = store();
        (Self { store, index: Arc::default() }, writer)
    }

    /// Takes in an event that the store will show: names that it does not show yet are no guests, and whoever waits for the store may
    /// count on all of them.
    pub fn see(&self, event: &Event<RoomGuest>) {
        let mut index = self.index.write();
        match event {
            Event::Init => index.listing = GuestIndex::default(),
            Event::InitApply(guest) => index.listing.apply(guest),
            Event::InitDone => index.current = std::mem::take(&mut index.listing),
            Event::Apply(guest) => index.current.apply(guest),
            Event::Delete(guest) => index.current.remove(guest),
        }
    }

    /// The guests of a Room, in the order in which they came: as many as are looked at.
    #[must_use]
    pub fn of(&self, room: &Room) -> Vec<Arc<RoomGuest>> {
        let namespace = room.metadata.namespace.as_deref().unwrap_or_default();
        let names: Vec<ObjectRef<RoomGuest>> =
            self.index.read().current.of(room).into_iter().map(|name| ObjectRef::new(name).within(namespace)).collect();
        names
            .iter()
            .filter_map(|guest| self.get(guest))
            .filter(|guest| Some(&guest.spec.room_name) == room.metadata.name.as_ref())
            .collect()
    }

    /// Whether a guest of a Room came after all of those.
    #[must_use]
    pub fn is_late(&self, guest: &RoomGuest, room: &Room) -> bool {
        self.index.read().current.is_late(guest, room)
    }

    /// A guest of any Room.
    #[must_use]
    pub fn get(&self, guest: &ObjectRef<RoomGuest>) -> Option<Arc<RoomGuest>> {
        self.store.get(guest)
    }

    /// Waits until the first list is complete.
    ///
    /// # Errors
    /// When the watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }
}

/// Watches the guests.
#[must_use]
pub fn watch_guests(client: &Client, scope: &Scope) -> (Guests, WatchStream<RoomGuest>) {
    let (guests, writer) = Guests::new();
    let events = seen(&guests, client, scope);
    (guests, kept(events, writer))
}

/// The same; tells what changed in the store, see [`changes`].
#[must_use]
pub fn watch_guest_changes<F: PartialEq + 'static>(
    client: &Client,
    scope: &Scope,
    facts: fn(&RoomGuest) -> F,
) -> (Guests, ChangeStream<RoomGuest>) {
    let (guests, writer) = Guests::new();
    let events = seen(&guests, client, scope);
    (guests, changes(events, writer, facts))
}

fn seen(guests: &Guests, client: &Client, scope: &Scope) -> WatchStream<RoomGuest> {
    let index = guests.clone();
    let events = scope_events(client, scope, guests.store.clone());
    events.inspect(move |event| event.as_ref().map_or((), |event| index.see(event))).boxed()
}
