//! What every reconciliation of the controller needs: the caches, the backends, and what must be remembered between reconciliations.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::{mpsc, watch};

use super::class::occupancy::Occupancy;
use super::room::backoff::RetrySchedule;
use super::room::recheck::RecheckWindows;
use super::room::write_cache::WriteCache;
use crate::api::{Room, RoomClass, RoomGuest};
use crate::backend::Registry;
use crate::cluster::OtherClasses;
use crate::domain::{Installation, KeyRing};
use crate::observability::metrics::Metrics;

/// Shared by all reconciliations and loops of the controller.
pub struct Context {
    /// Writes go through it; it never repeats a request by itself.
    pub client: Client,
    /// All Rooms.
    pub rooms: Store<Room>,
    /// All guests.
    pub guests: Store<RoomGuest>,
    /// All RoomClasses of this installation.
    pub classes: Store<RoomClass>,
    /// Those of others.
    pub others: OtherClasses,
    /// All Namespaces, for their labels.
    pub namespaces: Store<Namespace>,
    /// The invite signing keys.
    pub keys: watch::Receiver<Option<Arc<KeyRing>>>,
    /// The backends by class.
    pub backends: Registry,
    /// Who was seen in the sessions.
    pub occupancy: Occupancy,
    /// Calls that are looked into at every sweep.
    pub rechecks: RecheckWindows,
    /// The names of sessions.
    pub installation: Installation,
    /// Base of join links, without a slash at the end.
    pub gateway_url: String,
    /// What was written and may not have come back through the watch yet.
    pub writes: WriteCache,
    /// Retries and rechecks.
    pub retries: RetrySchedule,
    /// Publishes Events.
    pub recorder: Recorder,
    /// Metrics.
    pub metrics: Metrics,
    /// Rooms that should be looked at now.
    pub queue: mpsc::UnboundedSender<ObjectRef<Room>>,
}

impl Context {
    /// Has the Rooms looked at now for which `wanted` holds.
    pub fn enqueue(&self, wanted: impl Fn(&Room) -> bool) {
        for room in self.rooms.state().iter().filter(|room| wanted(room)) {
            // The receiver lives as long as the controller; when it is gone there is nothing left to look at.
            let _ = self.queue.send(ObjectRef::from_obj(room.as_ref()));
        }
    }

    /// Whether a Room is another installation's, by its class. One that names none, and was not accepted yet, is so where that one has a
    /// default class and we have none.
    pub fn is_of_another(&self, room: &Room) -> bool {
        match room.class_name() {
            Some(class) => self.others.have(class),
            None => self.others.have_default() && !self.classes.state().iter().any(|class| class.is_default()),
        }
    }
}
