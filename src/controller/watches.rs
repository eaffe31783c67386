//! What makes a reconciliation due: changed specs, classes, namespaces, signing keys, and steps of the clock. The clock's own
//! progress is the wake-up that each reconciliation asks for.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::context::Context;
use super::guests;
use super::settings::Settings;
use crate::api::{DEFAULT_CLASS_ANNOTATION, Room, RoomClass, RoomGuest};
use crate::clock;
use crate::cluster::{OtherClasses, OwnSecrets, WatchStream, watch_classes, watch_namespaces, watch_own_secrets, watch_scope};

/// The caches, and the tasks that keep them up to date.
pub struct Watches {
    /// All Rooms.
    pub rooms: Store<Room>,
    /// All guests.
    pub guests: Store<RoomGuest>,
    /// All RoomClasses of this installation.
    pub classes: Store<RoomClass>,
    /// Those of others.
    pub others: OtherClasses,
    /// All Namespaces.
    pub namespaces: Store<Namespace>,
    /// The Secrets of the operator's own namespace.
    pub secrets: OwnSecrets,
    /// Changes when a class, or a Secret of the operator's own namespace, did.
    pub classes_changed: watch::Receiver<()>,
    gone: mpsc::UnboundedReceiver<String>,
    relabelled: mpsc::UnboundedReceiver<String>,
    guests_changed: mpsc::UnboundedReceiver<Arc<RoomGuest>>,
    tasks: JoinSet<()>,
}

/// Starts the watches. Each Room whose spec changed is sent to `queue`.
pub fn start(client: &Client, settings: &Settings, queue: &mpsc::UnboundedSender<ObjectRef<Room>>) -> Watches {
    let Settings { operator_namespace, scope, controller_name, .. } = settings;
    let (rooms, room_writer) = reflector::store();
    let (guests, guest_writer) = reflector::store();
    let (classes, class_writer) = reflector::store();
    let (namespaces, namespace_writer) = reflector::store();
    let (secrets, secret_changes) = watch_own_secrets(client.clone(), operator_namespace);
    let (class_change, classes_changed) = watch::channel(());
    let others = OtherClasses::default();
    let class_change = Arc::new(class_change);
    let (tell_gone, gone) = mpsc::unbounded_channel();
    let (tell_relabelled, relabelled) = mpsc::unbounded_channel();
    let (tell_guest, guests_changed) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(follow_guests(watch_scope(client, scope, guests.clone(), guest_writer), tell_guest));
    tasks.spawn(follow_rooms(watch_scope(client, scope, rooms.clone(), room_writer), queue.clone(), tell_gone));
    tasks.spawn(follow_classes(watch_classes(client, controller_name, others.clone(), class_writer), class_change.clone()));
    let namespace_events = watch_namespaces(client, scope, namespaces.clone(), namespace_writer);
    tasks.spawn(follow_namespaces(namespace_events, tell_relabelled));
    tasks.spawn(secret_changes.for_each(move |()| {
        class_change.send_replace(());
        std::future::ready(())
    }));
    Watches { rooms, guests, classes, others, namespaces, secrets, classes_changed, gone, relabelled, guests_changed, tasks }
}

impl Watches {
    /// Waits until every cache has its first full list.
    ///
    /// # Errors
    /// When a watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.secrets.ready().await?;
        self.namespaces.wait_until_ready().await?;
        self.classes.wait_until_ready().await?;
        self.guests.wait_until_ready().await?;
        self.rooms.wait_until_ready().await
    }
}

/// Passes on what concerns several Rooms, until it is aborted or a watch ends; the watches end with it.
pub fn follow(watches: Watches, context: Arc<Context>) -> tokio::task::JoinHandle<()> {
    let Watches { mut gone, mut relabelled, mut guests_changed, mut tasks, .. } = watches;
    tokio::spawn(async move {
        let mut keys = context.keys.clone();
        let steps = clock::watch_for_steps(|| {
            tracing::info!("the clock was set, or the process was suspended: all Rooms are looked at");
            context.enqueue(|_| true);
        });
        tokio::pin!(steps);
        loop {
            tokio::select! {
                () = &mut steps => {}
                // None of them ends but by a fault.
                Some(_) = tasks.join_next() => return,
                Some(uid) = gone.recv() => {
                    context.writes.forget(&uid);
                    context.retries.forget(&uid);
                    context.rechecks.forget(&uid);
                }
                Some(guest) = guests_changed.recv() => guests::changed(guest, &context).await,
                Some(namespace) = relabelled.recv() => context.enqueue(|room| room.metadata.namespace.as_deref() == Some(&namespace)),
                Ok(()) = keys.changed() => {
                    tracing::info!("the invite signing keys changed: all invites are looked at");
                    context.enqueue(|_| true);
                }
            }
        }
    })
}

/// A Room is due when its spec changed or it is being deleted: both raise the generation. Status writes, our own above all,
/// do not.
async fn follow_rooms(mut events: WatchStream<Room>, queue: mpsc::UnboundedSender<ObjectRef<Room>>, gone: mpsc::UnboundedSender<String>) {
    let mut generations: HashMap<String, Option<i64>> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(room) | Event::InitApply(room)) => {
                let generation = room.metadata.generation;
                if generations.insert(room.uid().unwrap_or_default(), generation) != Some(generation) {
                    let _ = queue.send(ObjectRef::from_obj(&room));
                }
            }
            Ok(Event::Delete(room)) => {
                let uid = room.uid().unwrap_or_default();
                generations.remove(&uid);
                let _ = gone.send(uid);
            }
            Ok(Event::Init | Event::InitDone) | Err(_) => {}
        }
    }
}

/// A guest that came, went or changed; its own status does not raise the generation.
async fn follow_guests(mut events: WatchStream<RoomGuest>, changed: mpsc::UnboundedSender<Arc<RoomGuest>>) {
    let mut known: HashMap<String, (Option<i64>, bool)> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(guest) | Event::InitApply(guest)) => {
                let facts = (guest.metadata.generation, guest.metadata.deletion_timestamp.is_some());
                if known.insert(guest.uid().unwrap_or_default(), facts) != Some(facts) {
                    let _ = changed.send(Arc::new(guest));
                }
            }
            Ok(Event::Delete(mut guest)) => {
                known.remove(&guest.uid().unwrap_or_default());
                // The last state of one that nothing held does not say that it is deleted.
                guest.metadata.deletion_timestamp.get_or_insert(Time(clock::now()));
                let _ = changed.send(Arc::new(guest));
            }
            Ok(Event::Init | Event::InitDone) | Err(_) => {}
        }
    }
}

/// What Rooms are judged by: spec and default annotation. The class's own status, written often, is not.
pub type ClassFacts = (Option<i64>, Option<String>);

/// The facts of a class.
pub fn class_facts(class: &RoomClass) -> ClassFacts {
    (class.metadata.generation, class.annotations().get(DEFAULT_CLASS_ANNOTATION).cloned())
}

async fn follow_classes(mut events: WatchStream<RoomClass>, changed: Arc<watch::Sender<()>>) {
    let mut known: HashMap<String, ClassFacts> = HashMap::new();
    while let Some(event) = events.next().await {
        let news = match event {
            Ok(Event::Apply(class) | Event::InitApply(class)) => {
                let facts = class_facts(&class);
                known.insert(class.name_any(), facts.clone()) != Some(facts)
            }
            Ok(Event::Delete(class)) => known.remove(&class.name_any()).is_some(),
            Ok(Event::Init | Event::InitDone) | Err(_) => false,
        };
        if news {
            changed.send_replace(());
        }
    }
}

async fn follow_namespaces(mut events: WatchStream<Namespace>, relabelled: mpsc::UnboundedSender<String>) {
    while let Some(event) = events.next().await {
        if let Ok(Event::Apply(namespace)) = event {
            let _ = relabelled.send(namespace.name_any());
        }
    }
}
