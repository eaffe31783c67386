//! What the watches of the API server set off in the gateway: connections are judged again, and backends follow their classes.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::signalling::Connections;
use crate::api::{Room, RoomClass, RoomOwned};
use crate::backend::Registry;
use crate::cluster::{BackendFactory, OwnSecrets, room_of, sync_backends};

/// What may have left somebody in a call without the right to be there.
pub enum Change {
    /// A change of one Room.
    Room(ObjectRef<Room>),
    /// A change of something that all Rooms depend on.
    Everything,
}

/// Changes of Rooms.
pub fn of_rooms(rooms: impl Stream<Item = Result<Event<Room>, watcher::Error>> + Send) -> impl Stream<Item = Change> + Send {
    rooms.filter_map(|event| ready(event.ok().and_then(|event| Change::of(event, ObjectRef::from_obj))))
}

/// Changes of objects that belong to Rooms.
pub fn of_room_objects<K: RoomOwned + Send>(
    objects: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send,
) -> impl Stream<Item = Change> + Send {
    objects.filter_map(|event| ready(event.ok().and_then(|event| Change::of(event, room_of))))
}

/// Hands changes on as they come.
pub async fn forward(changes: impl Stream<Item = Change> + Send, to: UnboundedSender<Change>) {
    // Fails only when the gateway ends.
    changes
        .for_each(|change| {
            let _ = to.send(change);
            ready(())
        })
        .await;
}

/// Keeps the backends in line with classes and credentials, and says each time that everything may have changed.
pub async fn follow_classes(
    changes: impl Stream<Item = ()> + Send,
    backends: Arc<Registry>,
    classes: Store<RoomClass>,
    secrets: OwnSecrets,
    factory: BackendFactory,
    to: UnboundedSender<Change>,
) {
    let mut known = HashMap::new();
    let mut changes = std::pin::pin!(changes);
    while changes.next().await.is_some() {
        sync_backends(&backends, &classes, &secrets, &factory, &mut known);
        // Fails only when the gateway ends.
        let _ = to.send(Change::Everything);
    }
}

/// Puts out whoever a change leaves without the right to be in a call.
pub async fn recheck_connections(mut changes: UnboundedReceiver<Change>, connections: Arc<Connections>) {
    while let Some(change) = changes.recv().await {
        match change {
            Change::Room(room) => connections.room_changed(&room),
            Change::Everything => connections.everything_changed(),
        }
    }
}

impl Change {
    fn of<K>(event: Event<K>, room: fn(&K) -> ObjectRef<Room>) -> Option<Self> {
        match event {
            Event::Apply(object) | Event::Delete(object) => Some(Self::Room(room(&object))),
            Event::InitDone => Some(Self::Everything),
            // Not in the store yet.
            Event::Init | Event::InitApply(_) => None,
        }
    }
}
