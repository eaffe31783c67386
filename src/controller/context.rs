//! What all reconciliations and loops of the controller share.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::{mpsc, watch};

use super::class::occupancy::Occupancy;
use super::fence::Fence;
use super::media_address::IncludedMedia;
use super::room::seats::Seats;
use super::room::state::RoomStates;
use crate::api::{Room, RoomClass};
use crate::backend::Registry;
use crate::cluster::{
    BackendFactory, CachedRoom, Freshness, Guests, OtherClasses, OtherShards, Removals, RoomCache, Scope, Shard, Unreadable, name_of,
};
use crate::domain::{Installation, KeyRing, RoomSummary};
use crate::observability::health::Health;
use crate::observability::metrics::Metrics;

/// Caches, backends, and what is remembered between reconciliations.
pub struct Context {
    /// Writes go through it; it never repeats a request by itself.
    pub client: Client,
    pub rooms: RoomCache,
    /// The Rooms that cannot be read.
    pub unreadable: Unreadable,
    /// The Rooms of other shards.
    pub other_shards: OtherShards,
    pub guests: Guests,
    pub removals: Removals,
    /// The RoomClasses of this installation.
    pub classes: Store<RoomClass>,
    /// The RoomClasses of other installations.
    pub others: OtherClasses,
    /// The Namespaces, for their labels.
    pub namespaces: Store<Namespace>,
    /// The invite signing keys.
    pub keys: watch::Receiver<Option<Arc<KeyRing>>>,
    /// Builds backends.
    pub factory: BackendFactory,
    /// The backends by class.
    pub backends: Registry,
    /// Who was seen in the sessions.
    pub occupancy: Occupancy,
    /// What is remembered of each Room.
    pub states: RoomStates,
    /// How many Rooms are worked on at the same time.
    pub seats: Seats,
    /// How fresh `rooms` is.
    pub freshness: Freshness,
    /// Where people reach the media of the included LiveKit.
    pub included_media: IncludedMedia,
    pub installation: Installation,
    /// Where it looks for Rooms.
    pub scope: Scope,
    /// Which of the namespaces there are its own.
    pub shard: Shard,
    /// Base of join links, without a slash at the end.
    pub gateway_url: String,
    pub metrics: Metrics,
    pub health: Health,
    /// Whether anything may be done.
    pub fence: Fence,
    /// Rooms that are due now.
    pub queue: mpsc::UnboundedSender<ObjectRef<Room>>,
}

impl Context {
    /// Has the Rooms reconciled now for which `wanted` holds.
    pub fn enqueue(&self, wanted: impl Fn(&CachedRoom) -> bool) {
        self.enqueue_among(&self.rooms.all(), wanted);
    }

    /// The same among these.
    pub fn enqueue_among(&self, rooms: &[Arc<CachedRoom>], wanted: impl Fn(&CachedRoom) -> bool) {
        for room in rooms.iter().filter(|room| wanted(room)) {
            // The receiver lives as long as the controller; when it is gone there is nothing left to do.
            let _ = self.queue.send(name_of(room));
        }
    }

    /// Has the Rooms reconciled now that live on a class, or may be waiting for it.
    pub fn enqueue_users(&self, class: &str) {
        self.enqueue(|room| may_use(room.summary.class_name.as_deref(), class));
    }

    /// The class whose seats a Room takes; those that have none take what is set aside for no class.
    pub fn class_of<'a>(&self, room: &'a RoomSummary) -> &'a str {
        room.class_name.as_deref().filter(|class| self.has_class(class)).unwrap_or_default()
    }

    /// Whether there is a class of this name that is ours.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.get(&ObjectRef::new(name)).is_some()
    }

    /// Whether a Room of this class is another installation's. One that names none, and was not accepted yet, is so where that one has a
    /// default class and we have none.
    pub fn is_of_another(&self, class: Option<&str>) -> bool {
        match class {
            Some(class) => self.others.have(class),
            None => self.others.have_default() && !self.classes.state().iter().any(|class| class.is_default()),
        }
    }
}

/// Whether a Room of this class, or of none yet, lives on a class, or may be waiting for it.
pub fn may_use(named: Option<&str>, class: &str) -> bool {
    named.is_none_or(|name| name == class)
}
