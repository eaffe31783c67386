//! The API server that the gateway writes to, in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use parking_lot::Mutex;

use super::{NOON, moment};
use crate::api::{Reason, RoomGuest, RoomRemoval};
use crate::cluster::{Guests, Removals};
use crate::domain::ValidRoom;
use crate::gateway::admission::KubeWriter;

/// An API server that shows at once what is written to it.
pub struct FakeWriter {
    pub events: Mutex<Vec<String>>,
    guests: Guests,
    guest_writer: Arc<Mutex<Writer<RoomGuest>>>,
    removals: Removals,
    removal_writer: Mutex<Writer<RoomRemoval>>,
    /// How many objects were made.
    pub created: AtomicUsize,
    /// Whether it refuses everything.
    pub fails: AtomicBool,
    /// How long the watch takes to show a guest that was made; no time, if `None`.
    pub shown_after: Mutex<Option<Duration>>,
    /// A guest whom somebody else makes just before the next one.
    pub beside: Mutex<Option<RoomGuest>>,
}

impl FakeWriter {
    /// Writes guests and removals to these.
    pub fn new((guests, guest_writer): (Guests, Writer<RoomGuest>), (removals, removal_writer): (Removals, Writer<RoomRemoval>)) -> Self {
        Self {
            events: Mutex::default(),
            guests,
            guest_writer: Arc::new(Mutex::new(guest_writer)),
            removals,
            removal_writer: Mutex::new(removal_writer),
            created: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
            shown_after: Mutex::default(),
            beside: Mutex::default(),
        }
    }

    /// Something that happened to a guest.
    pub fn guest(&self, event: &Event<RoomGuest>) {
        show(&self.guests, &self.guest_writer, event);
    }

    /// Something that happened to a removal.
    pub fn removal(&self, event: &Event<RoomRemoval>) {
        self.removals.see(event);
        self.removal_writer.lock().apply_watcher_event(event);
    }
}

fn show(guests: &Guests, writer: &Mutex<Writer<RoomGuest>>, event: &Event<RoomGuest>) {
    guests.see(event);
    writer.lock().apply_watcher_event(event);
}

#[async_trait]
impl KubeWriter for FakeWriter {
    async fn publish_event(&self, room: &ValidRoom, reason: Reason, note: String) {
        self.events.lock().push(format!("{}: {reason}: {note}", room.name));
    }

    async fn create_guest(&self, mut guest: RoomGuest) -> Result<RoomGuest, String> {
        guest.metadata.uid = Some("5e1f0000-0000-4000-8000-000000000001".into());
        guest.metadata.creation_timestamp = Some(Time(moment(NOON)));
        self.created.fetch_add(1, Ordering::Relaxed);
        if let Some(other) = self.beside.lock().take() {
            self.guest(&Event::Apply(other));
        }
        let shown_after = *self.shown_after.lock();
        let (guests, writer) = (self.guests.clone(), self.guest_writer.clone());
        let created = guest.clone();
        let show = move || show(&guests, &writer, &Event::Apply(guest));
        match shown_after {
            Some(after) => drop(tokio::spawn(async move {
                tokio::time::sleep(after).await;
                show();
            })),
            None => show(),
        }
        Ok(created)
    }

    async fn delete_guest(&self, guest: &RoomGuest) -> Result<(), String> {
        self.guest(&Event::Delete(guest.clone()));
        Ok(())
    }

    async fn create_removal(&self, removal: RoomRemoval) -> Result<(), String> {
        if self.fails.load(Ordering::Relaxed) {
            return Err("the API server does not answer".into());
        }
        self.created.fetch_add(1, Ordering::Relaxed);
        self.removal(&Event::Apply(removal));
        Ok(())
    }

    async fn delete_removal(&self, removal: &RoomRemoval) -> Result<(), String> {
        self.removal(&Event::Delete(removal.clone()));
        Ok(())
    }
}
