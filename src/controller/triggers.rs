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
use kube::ResourceExt;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use tokio::sync::{mpsc, watch};

use super::context::Context;
use super::room::seats::SEATS_OF_A_CLASS;
use crate::api::{Room, RoomGuest, RoomRemoval};
use crate::cluster::{Change, room_of};

/// What makes a Room due, as it comes in.
pub struct Triggers {
    pub rooms: mpsc::UnboundedReceiver<Change<Room>>,
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
pub fn controller(triggers: Triggers, context: &Arc<Context>) -> Controller<Room> {
    let Triggers { rooms, guests, removals, namespaces, enqueued, steps } = triggers;
    let all_rooms = context.rooms.clone();
    // As many as can hang, so that no Room waits for them.
    let tasks = TASKS_WITHOUT_SEAT + SEATS_OF_A_CLASS * context.classes.len();
    Controller::for_stream(changed_rooms(rooms, context.clone()), context.rooms.clone())
        .with_config(Config::default().concurrency(u16::try_from(tasks).unwrap_or(u16::MAX)))
        .watches_stream(objects(guests), |guest| [room_of(&guest)])
        .watches_stream(objects(removals), |removal| [room_of(&removal)])
        .watches_stream(objects(namespaces), move |namespace| rooms_in(&all_rooms, &namespace.name_any()))
        .reconcile_on(received(enqueued))
        .reconcile_on(rooms_without_class(context.clone()))
        .reconcile_all_on(clock_steps(steps))
        .reconcile_all_on(new_keys(context))
}

/// The Rooms that changed. Of one that is gone nothing is remembered.
fn changed_rooms(
    rooms: mpsc::UnboundedReceiver<Change<Room>>,
    context: Arc<Context>,
) -> impl Stream<Item = Result<Room, watcher::Error>> + Send + 'static {
    received(rooms).filter_map(move |change| {
        future::ready(match change {
            Change::Applied(room) => Some(Ok(Arc::unwrap_or_clone(room))),
            Change::Deleted(room) => {
                context.states.forget(room.metadata.uid.as_deref().unwrap_or_default());
                let name = ObjectRef::from_obj(room.as_ref());
                // Another one of this name may be there by now, and wait.
                if context.rooms.get(&name).is_none() {
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

fn rooms_in(rooms: &Store<Room>, namespace: &str) -> Vec<ObjectRef<Room>> {
    let rooms = rooms.state().into_iter();
    rooms.filter(|room| room.metadata.namespace.as_deref() == Some(namespace)).map(|room| ObjectRef::from_obj(room.as_ref())).collect()
}

/// The Rooms that have no class of ours, whenever something changed among the classes of other installations: they may be ours to
/// judge now.
fn rooms_without_class(context: Arc<Context>) -> impl Stream<Item = ObjectRef<Room>> + Send + 'static {
    changes_of(context.others.changes()).flat_map(move |()| {
        let classes = context.classes.state();
        let is_ours = |name: &str| classes.iter().any(|class| class.name_any() == name);
        let rooms = context.rooms.state().into_iter().filter(|room| !room.class_name().is_some_and(is_ours));
        stream::iter(rooms.map(|room| ObjectRef::from_obj(room.as_ref())).collect::<Vec<_>>())
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
