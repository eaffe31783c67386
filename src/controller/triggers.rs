//! What makes a Room due: changes of itself, its guests and removals, its namespace and its class, of the signing keys, steps of the clock, and the
//! time at which it wanted to be looked at again.
//!
//! This and the [worker](super::room::worker) are by hand, because kube's `Controller` keeps more of a Room with which nothing happens than Roomkeeper
//! itself, has a task for each that is due, and knows no priority. A class is not among the triggers: its loop enqueues its Rooms when it has
//! brought the backend in line, so that no Room is told that its media server is not known yet, or makes its session on one that the class has left.

use std::collections::HashSet;
use std::sync::Arc;
use std::vec;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, future, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use tokio::sync::{mpsc, watch};

use super::context::Context;
use crate::api::{RoomGuest, RoomRemoval};
use crate::cluster::{CachedRoom, Change, NamespacedName, room_of};

/// How many triggers are looked at together: a Room that is named by several of them is enqueued once.
const AT_ONCE: usize = 1_024;

/// What makes a Room due, as it comes in.
pub struct Triggers {
    pub rooms: mpsc::UnboundedReceiver<Change<CachedRoom>>,
    pub guests: mpsc::UnboundedReceiver<Change<RoomGuest>>,
    pub removals: mpsc::UnboundedReceiver<Change<RoomRemoval>>,
    pub namespaces: mpsc::UnboundedReceiver<Change<Namespace>>,
    /// Steps of the clock.
    pub steps: mpsc::UnboundedReceiver<()>,
}

/// Enqueues the Rooms that are due, for as long as the controller works.
pub async fn follow(triggers: Triggers, context: Arc<Context>) {
    let Triggers { rooms, guests, removals, namespaces, steps } = triggers;
    let due: [BoxStream<'static, NamespacedName>; 8] = [
        changed_rooms(rooms, context.clone()).boxed(),
        received(guests).map(|guest| room_of(guest.object().as_ref()).into()).boxed(),
        received(removals).map(|removal| room_of(removal.object().as_ref()).into()).boxed(),
        rooms_of_changed_namespaces(namespaces, context.clone()).boxed(),
        requeued(context.clone()).boxed(),
        rooms_without_class(context.clone()).boxed(),
        rooms_at(clock_steps(steps), context.clone()).boxed(),
        rooms_at(new_keys(&context), context.clone()).boxed(),
    ];
    // Somebody may make very many guests of one Room at once.
    let mut at_once = stream::select_all(due).ready_chunks(AT_ONCE);
    while let Some(rooms) = at_once.next().await {
        let mut seen = HashSet::new();
        rooms.iter().filter(|room| seen.insert(*room)).for_each(|room| context.enqueue(room));
    }
}

/// The Rooms that changed. Of one that is gone nothing is remembered.
fn changed_rooms(
    rooms: mpsc::UnboundedReceiver<Change<CachedRoom>>,
    context: Arc<Context>,
) -> impl Stream<Item = NamespacedName> + Send + 'static {
    received(rooms).filter_map(move |change| {
        future::ready(match change {
            Change::Applied(room) => Some(room.name().clone()),
            Change::Deleted(room) => {
                context.states.forget(room.uid());
                let name = room.name();
                // Another one of this name may be there by now, and wait.
                if context.rooms.get(name).is_none() {
                    context.seats.leave(name);
                    context.requeues.forget(name);
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

fn rooms_of_changed_namespaces(
    namespaces: mpsc::UnboundedReceiver<Change<Namespace>>,
    context: Arc<Context>,
) -> impl Stream<Item = NamespacedName> + Send + 'static {
    received(namespaces).flat_map(move |namespace| {
        let namespace = namespace.object().name_any();
        rooms_with(&context, |room| room.name().namespace() == namespace)
    })
}

/// The Rooms that wanted to be looked at again by now.
fn requeued(context: Arc<Context>) -> impl Stream<Item = NamespacedName> + Send + 'static {
    stream::unfold(context, async |context| Some((context.requeues.next().await, context)))
}

/// The Rooms that have no class of ours, whenever something changed among the classes of other installations: they may be ours to
/// judge now.
fn rooms_without_class(context: Arc<Context>) -> impl Stream<Item = NamespacedName> + Send + 'static {
    changes_of(context.others.changes()).flat_map(move |()| {
        let classes = context.classes.state();
        let is_ours = |name: &str| classes.iter().any(|class| class.name_any() == name);
        rooms_with(&context, |room| !room.summary.class_name.as_deref().is_some_and(is_ours))
    })
}

/// All Rooms, whenever something happens.
fn rooms_at(
    happenings: impl Stream<Item = ()> + Send + 'static,
    context: Arc<Context>,
) -> impl Stream<Item = NamespacedName> + Send + 'static {
    happenings.flat_map(move |()| rooms_with(&context, |_| true))
}

fn rooms_with(context: &Context, wanted: impl Fn(&CachedRoom) -> bool) -> stream::Iter<vec::IntoIter<NamespacedName>> {
    let rooms = context.rooms.all().into_iter().filter(|room| wanted(room));
    stream::iter(rooms.map(|room| room.name().clone()).collect::<Vec<_>>())
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
