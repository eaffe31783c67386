//! What all reconciliations and loops of the controller share.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;

use super::class::occupancy::Occupancy;
use super::fence::Fence;
use super::media_address::IncludedMedia;
use super::room::requeues::Requeues;
use super::room::seats::Seats;
use super::room::state::RoomStates;
use crate::api::RoomClass;
use crate::backend::Registry;
use crate::clock;
use crate::cluster::{
    BackendFactory, CachedRoom, Freshness, Guests, NamespacedName, OtherClasses, OtherShards, Removals, RoomCache, Scope, Shard, Unreadable,
};
use crate::domain::{Installation, KeyRing, Priority, RoomSummary, priority};
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
    /// How many Rooms are worked on at the same time, and those that wait.
    pub seats: Seats,
    /// When each Room is due again.
    pub requeues: Requeues,
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
}

impl Context {
    /// Has a Room reconciled when there is a seat for it, if it is there and ours.
    pub fn enqueue(&self, name: &NamespacedName) {
        let Some(room) = self.rooms.get(name) else { return };
        if self.is_of_another(room.summary.class_name.as_deref()) {
            return;
        }
        // A moment that comes while it waits may make it more urgent.
        let uid = room.uid();
        self.requeues.at_the_latest(name, self.states.at_the_latest(uid, room.summary.next_transition, clock::now()));
        let (class, priority) = self.urgency(&room);
        self.seats.line_up(name, &class, priority);
    }

    /// Has the Rooms reconciled now that live on a class, or may be waiting for it.
    pub fn enqueue_users(&self, class: &str) {
        let rooms = self.rooms.all();
        let users = rooms.iter().filter(|room| may_use(room.summary.class_name.as_deref(), class));
        users.for_each(|room| self.enqueue(room.name()));
    }

    /// The class whose seats a Room takes, and how urgent it is. Those that have no class take what is set aside for none.
    pub fn urgency(&self, room: &CachedRoom) -> (String, Priority) {
        let written = self.states.ahead_of(room).map(|room| RoomSummary::of(&room));
        let summary = written.as_ref().unwrap_or(&room.summary);
        let priority = match self.states.closed_at(room.uid(), summary.recorded_session()) {
            Some(_) => Priority::Background,
            None => priority(summary, &self.guests.of(room), clock::now()),
        };
        let class = summary.class_name.as_deref().filter(|class| self.has_class(class));
        (class.unwrap_or_default().to_owned(), priority)
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
