//! What makes a Room due: changes of itself, its guests and removals, its namespace and its class, of the signing keys, and steps of the clock.
//! The clock's own progress is the wake-up that each reconciliation asks for.
//!
//! All of it goes into the queue of kube's `Controller`, by its own means. What it lacks is done before: `cluster::changes` tells
//! of a change once the store shows it. Classes do not trigger by `watches_stream`: a class' loop enqueues its Rooms when it has
//! brought the backend in line, so that no Room is told that its media server is not known yet, or makes its session on one that
//! the class has left.

use std::sync::Arc;

use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use tokio::sync::{mpsc, watch};

use super::context::Context;
use super::room::seats::SEATS_OF_A_CLASS;
use crate::api::{Room, RoomGuest, RoomRemoval};
use crate::cluster::{CachedRoom, Change, RoomCache, name_of, room_of};

/// What makes a Room due, as it comes in.
pub struct Triggers {
    pub rooms: mpsc::UnboundedReceiver<Change<CachedRoom>>,
    pub guests: mpsc::UnboundedReceiver<Change<RoomGuest>>,
    pub removals: mpsc::UnboundedReceiver<Change<RoomRemoval>>,
    pub namespaces: mpsc::UnboundedReceiver<Change<Namespace>>,
    /// What [`Context::enqueue`] brings.
    pub enqueued: mpsc::UnboundedReceiver<ObjectRef<Room>>,
    /// Steps of the clock.
    pub steps: mpsc::UnboundedReceiver<()>,
}

/// How many Rooms kube's Controller may have a task for beyond those that have a seat. It looks at all its tasks whenever one of them is done, and
/// without a limit there is one for each Room at a start.
const TASKS_WITHOUT_SEAT: usize = 512;

/// The controller of Rooms with its triggers.
pub fn controller(triggers: Triggers, context: &Arc<Context>) -> Controller<CachedRoom> {
    let Triggers { rooms, guests, removals, namespaces, enqueued, steps } = triggers;
    let all_rooms = context.rooms.clone();
    // As many as can hang, so that no Room waits for them.
    let tasks = TASKS_WITHOUT_SEAT + SEATS_OF_A_CLASS * context.classes.len();
    // Its queue keeps the name of each Room for as long as nothing happens to it. Of what comes by `for_stream` it keeps UID and version besides, twice.
    Controller::for_stream(stream::pending(), context.rooms.store())
        .with_config(Config::default().concurrency(u16::try_from(tasks).unwrap_or(u16::MAX)))
        .reconcile_on(changed_rooms(rooms, context.clone()))
        .watches_stream(objects(guests), |guest| [cached(room_of(&guest))])
        .watches_stream(objects(removals), |removal| [cached(room_of(&removal))])
        .watches_stream(objects(namespaces), move |namespace| rooms_in(&all_rooms, &namespace.name_any()))
        .reconcile_on(received(enqueued).map(cached))
        .reconcile_on(rooms_without_class(context.clone()))
        .reconcile_all_on(clock_steps(steps))
        .reconcile_all_on(new_keys(context))
}

/// The Rooms that changed. Of one that is gone nothing is remembered.
fn changed_rooms(
    rooms: mpsc::UnboundedReceiver<Change<CachedRoom>>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<CachedRoom>> + Send + 'static {
    received(rooms).filter_map(move |change| {
        future::ready(match change {
            Change::Applied(room) => Some(cached(name_of(&room))),
            Change::Deleted(room) => {
                context.states.forget(room.meta().uid.as_deref().unwrap_or_default());
                let name = name_of(&room);
                // Another one of this name may be there by now, and wait.
                if context.rooms.cached(&name).is_none() {
                    context.seats.leave(&name);
                }
                None
            }
        })
    })
}

/// What a channel brings, as long as there is somebody who sends.
fn received<T: Send + 'static>(mut receiver: mpsc::UnboundedReceiver<T>) -> impl Stream<Item = T> + Send + 'static {
    stream::poll_fn(move |wakeup| receiver.poll_recv(wakeup))
}

/// Changed objects, as kube's triggers take them. They are never errors: those stay with the watch, which tries again.
fn objects<K: Clone + Send + Sync + 'static>(
    changes: mpsc::UnboundedReceiver<Change<K>>,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + 'static {
    received(changes).map(|change| Ok(K::clone(change.object())))
}

/// A Room, by the name under which kube's `Controller` has it.
fn cached(room: ObjectRef<Room>) -> ObjectRef<CachedRoom> {
    room.into_kind_unchecked(())
}

fn rooms_in(rooms: &RoomCache, namespace: &str) -> Vec<ObjectRef<CachedRoom>> {
    let rooms = rooms.all().into_iter();
    rooms.filter(|room| room.meta().namespace.as_deref() == Some(namespace)).map(|room| cached(name_of(&room))).collect()
}

/// The Rooms that have no class of ours, whenever something changed among the classes of other installations: they may be ours to
/// judge now.
fn rooms_without_class(context: Arc<Context>) -> impl Stream<Item = ObjectRef<CachedRoom>> + Send + 'static {
    changes_of(context.others.changes()).flat_map(move |()| {
        let classes = context.classes.state();
        let is_ours = |name: &str| classes.iter().any(|class| class.name_any() == name);
        let rooms = context.rooms.all().into_iter().filter(|room| !room.summary.class_name.as_deref().is_some_and(is_ours));
        stream::iter(rooms.map(|room| cached(name_of(&room))).collect::<Vec<_>>())
    })
}

fn clock_steps(steps: mpsc::UnboundedReceiver<()>) -> impl Stream<Item = ()> + Send + 'static {
    received(steps).inspect(|()| tracing::info!("the clock was set, or the process was suspended: all Rooms are looked at"))
}

fn new_keys(context: &Context) -> impl Stream<Item = ()> + Send + 'static {
    changes_of(context.keys.clone()).inspect(|()| tracing::info!("the invite signing keys changed: all invites are looked at"))
}

/// Each change of a watched value, but for those that were seen before.
fn changes_of<T: Send + Sync + 'static>(receiver: watch::Receiver<T>) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(receiver, async |mut receiver| receiver.changed().await.is_ok().then_some(((), receiver)))
}
