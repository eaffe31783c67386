//! The caches, and the tasks that keep them up to date.

use std::sync::Arc;

use futures::{Stream, StreamExt, future};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::runtime::reflector::{self, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::facts::{class_facts, namespace_facts, room_facts, room_owned_facts};
use super::startup::StartError;
use crate::api::{RoomClass, RoomGuest, RoomRemoval};
use crate::args::ControllerArgs;
use crate::cluster::{
    Aside, CachedRoom, Change, Guests, OtherClasses, OwnSecrets, Removals, RoomCache, Scope, Shard, watch_class_changes,
    watch_namespace_changes, watch_own_secrets, watch_room_changes, watch_room_object_changes,
};
use crate::observability::metrics::Metrics;

/// The caches.
pub struct Watches {
    pub rooms: RoomCache,
    /// What is known of Rooms besides.
    pub aside: Aside,
    pub guests: Guests,
    pub removals: Removals,
    /// The RoomClasses of this installation.
    pub classes: Store<RoomClass>,
    /// The RoomClasses of other installations.
    pub others: OtherClasses,
    pub namespaces: Store<Namespace>,
    /// The Secrets of the operator's own namespace.
    pub secrets: OwnSecrets,
}

/// What changed in the caches. The watches go on whether or not somebody takes it.
pub struct Changes {
    pub rooms: mpsc::UnboundedReceiver<Change<CachedRoom>>,
    pub guests: mpsc::UnboundedReceiver<Change<RoomGuest>>,
    pub removals: mpsc::UnboundedReceiver<Change<RoomRemoval>>,
    pub namespaces: mpsc::UnboundedReceiver<Change<Namespace>>,
    /// The guests once more, for those that have no Room.
    pub guests_without_room: mpsc::UnboundedReceiver<Change<RoomGuest>>,
    /// Changes when a class, or a Secret of the operator's own namespace, did.
    pub classes: watch::Receiver<()>,
}

/// Starts the watches of a shard as `tasks`, none of which ends but by a fault.
pub fn start(client: &Client, args: &ControllerArgs, shard: Shard, metrics: &Metrics, tasks: &mut JoinSet<()>) -> (Watches, Changes) {
    let ControllerArgs { operator_namespace, controller_name, .. } = args;
    let scope = &Scope::new(&args.watch_namespaces);
    let (rooms, room_writer) = RoomCache::new();
    let (classes, class_writer) = reflector::store();
    let (namespaces, namespace_writer) = reflector::store();
    let (secrets, secret_changes) = watch_own_secrets(client.clone(), operator_namespace, metrics.clone());
    let others = OtherClasses::default();

    let (room, rooms_changed) = mpsc::unbounded_channel();
    let (guest, guests_changed) = mpsc::unbounded_channel();
    let (removal, removals_changed) = mpsc::unbounded_channel();
    let (lonely_guest, guests_without_room) = mpsc::unbounded_channel();
    let (namespace, namespaces_changed) = mpsc::unbounded_channel();
    let (class, classes_changed) = watch::channel(());
    let class = Arc::new(class);

    // Whoever took the receivers has ended when they are gone: then nothing is left to do.
    let aside = Aside::default();
    let room_changes = watch_room_changes(client, scope, shard, room_writer, room_facts, &aside);
    follow(room_changes, tasks, move |change| drop(room.send(change)));
    let (guests, guest_changes) = watch_room_object_changes(client, scope, shard, room_owned_facts);
    follow(guest_changes, tasks, move |change| {
        drop(lonely_guest.send(change.clone()));
        drop(guest.send(change));
    });
    let (removals, removal_changes) = watch_room_object_changes(client, scope, shard, room_owned_facts);
    follow(removal_changes, tasks, move |change| drop(removal.send(change)));
    let namespace_changes = watch_namespace_changes(client, scope, namespace_writer, namespace_facts);
    follow(namespace_changes, tasks, move |change| drop(namespace.send(change)));
    let class_changes = watch_class_changes(client, controller_name, others.clone(), class_writer, class_facts);
    let of_secret = class.clone();
    follow(class_changes, tasks, move |_| class.send_replace(()));
    follow(secret_changes, tasks, move |()| of_secret.send_replace(()));

    let watches = Watches { rooms, aside, guests, removals, classes, others, namespaces, secrets };
    let changes = Changes {
        rooms: rooms_changed,
        guests: guests_changed,
        removals: removals_changed,
        namespaces: namespaces_changed,
        guests_without_room,
        classes: classes_changed,
    };
    (watches, changes)
}

fn follow<T: Send + 'static>(
    changes: impl Stream<Item = T> + Send + 'static,
    tasks: &mut JoinSet<()>,
    mut each: impl FnMut(T) + Send + 'static,
) {
    tasks.spawn(changes.for_each(move |change| {
        each(change);
        future::ready(())
    }));
}

impl Watches {
    /// Waits until every cache has its first full list.
    ///
    /// # Errors
    /// When a watch ended before.
    pub async fn ready(&self) -> Result<(), StartError> {
        self.secrets.ready().await?;
        self.namespaces.wait_until_ready().await?;
        self.classes.wait_until_ready().await?;
        self.guests.ready().await?;
        self.removals.ready().await?;
        Ok(self.rooms.ready().await?)
    }
}
