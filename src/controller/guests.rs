//! The guests of Rooms: makes the Room their owner, tells in their status what became of them, and deletes those of Presenters at
//! the end.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use kube::api::Patch;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::context::Context;
use super::request::{failure_of, timed};
use crate::api::{Phase, Reason, Room, RoomGuest, RoomGuestStatus, RoomOwned, RoomStatus};
use crate::clock;
use crate::cluster::{Change, delete_object, patch_params, room_of};
use crate::domain::{Failure, Observed, Person, Rejection, guest_status, judge_guests};

/// Brings the guests of a Room up to date, after a reconciliation that saw it so and left it with this status.
///
/// # Errors
/// With the first failure; the other guests are looked after all the same.
pub async fn reconcile_guests(observed: &Observed, status: &RoomStatus, context: &Context, now: Timestamp) -> Result<(), Failure> {
    let mut result = Ok(());
    for (guest, judged) in judge_guests(&observed.room, &observed.guests, &observed.removed) {
        let reconciled = reconcile_guest(guest, judged.as_ref(), &observed.room, status, context, now).await;
        result = result.and(reconciled);
    }
    result
}

async fn reconcile_guest(
    guest: &RoomGuest,
    judged: Result<&Person, &Rejection>,
    room: &Room,
    status: &RoomStatus,
    context: &Context,
    now: Timestamp,
) -> Result<(), Failure> {
    // The end is recorded by now. Presenters add people to a call and not to the Room for good; the objects of others stay theirs.
    if status.phase == Phase::Expired && guest.is_of_presenters() {
        return timed(delete_object(context.client.clone(), guest)).await.map_err(|error| failure_of(&error));
    }
    // A guest who cannot be adopted is told so much all the same.
    let adopted = adopt(guest, room, context).await;
    let after = guest_status(guest, judged.map(|person| (person, status)), now);
    let reported = report(guest, after, json!({"uid": guest.metadata.uid}), context).await;
    adopted.and(reported)
}

/// Tells guests that they have no Room, or came too late for its reconciliation to look at them. One at a time, and one of each
/// namespace after the other: whoever makes very many of them waits, and nobody else.
pub async fn follow(mut changed: mpsc::UnboundedReceiver<Change<RoomGuest>>, context: Arc<Context>) {
    let mut turns = Turns::default();
    loop {
        // All that came since the last one, so that no namespace waits behind what another has made at once.
        while let Ok(change) = changed.try_recv() {
            turns.add(change.object());
        }
        if let Some(guest) = turns.next() {
            tell(&guest, &context, clock::now()).await;
        } else if let Some(change) = changed.recv().await {
            turns.add(change.object());
        } else {
            return;
        }
    }
}

/// Guests who wait for their turn, by namespace.
#[derive(Default)]
struct Turns {
    waiting: HashMap<String, BTreeSet<String>>,
    namespaces: VecDeque<String>,
}

impl Turns {
    /// A guest waits, once, however often this is called.
    fn add(&mut self, guest: &RoomGuest) {
        let namespace = guest.namespace().unwrap_or_default();
        let waiting = self.waiting.entry(namespace.clone()).or_default();
        if waiting.is_empty() {
            self.namespaces.push_back(namespace);
        }
        waiting.insert(guest.name_any());
    }

    /// Whose turn it is.
    fn next(&mut self) -> Option<ObjectRef<RoomGuest>> {
        let namespace = self.namespaces.pop_front()?;
        let waiting = self.waiting.get_mut(&namespace)?;
        let guest = waiting.pop_first().map(|name| ObjectRef::new(&name).within(&namespace));
        if waiting.is_empty() {
            self.waiting.remove(&namespace);
        } else {
            self.namespaces.push_back(namespace);
        }
        guest
    }
}

/// Tells a guest whom no reconciliation looks at.
async fn tell(guest: &ObjectRef<RoomGuest>, context: &Context, now: Timestamp) {
    let Some(guest) = context.guests.get(guest).filter(|guest| guest.metadata.deletion_timestamp.is_none()) else { return };
    let rejection = match context.rooms.get(&room_of(guest.as_ref()).into()) {
        None => Rejection {
            reason: Reason::RoomNotFound,
            message: format!("spec.roomName: there is no Room \"{}\" in this namespace", guest.spec.room_name),
        },
        Some(room) if context.is_of_another(room.summary.class_name.as_deref()) || !context.guests.is_late(&guest, room.as_ref()) => return,
        Some(_) => Rejection::too_many_guests(),
    };
    let after = guest_status(&guest, Err(&rejection), now);
    // Only the guest as it was seen: the Room may come meanwhile, and its reconciliation say something else.
    let metadata = json!({"uid": guest.metadata.uid, "resourceVersion": guest.metadata.resource_version});
    if let Err(failure) = report(&guest, after, metadata, context).await {
        tracing::info!(namespace = guest.namespace(), guest = guest.name_any(), %failure, "the status of a guest could not be written");
    }
}

/// Makes the Room the owner of a guest, so that the guest goes with it.
async fn adopt(guest: &RoomGuest, room: &Room, context: &Context) -> Result<(), Failure> {
    let owners = guest.owner_references();
    if owners.iter().any(|owner| Some(&owner.uid) == room.metadata.uid.as_ref()) {
        return Ok(());
    }
    let owners: Vec<_> = owners.iter().cloned().chain(room.owner_ref(&())).collect();
    let patch = json!({"metadata": {"resourceVersion": guest.metadata.resource_version, "ownerReferences": owners}});
    fine_when_gone(timed(guests(guest, context).patch(&guest.name_any(), &patch_params(), &Patch::Merge(patch))).await)
}

/// Writes the status of a guest if it changed; `metadata` says of which object.
async fn report(guest: &RoomGuest, after: RoomGuestStatus, metadata: Value, context: &Context) -> Result<(), Failure> {
    if guest.status.as_ref() == Some(&after) {
        return Ok(());
    }
    // What is absent goes: a merge takes nothing away by itself.
    let patch = json!({"metadata": metadata, "status": {"secretName": after.secret_name, "conditions": after.conditions}});
    fine_when_gone(timed(guests(guest, context).patch_status(&guest.name_any(), &patch_params(), &Patch::Merge(patch))).await)
}

fn guests(guest: &RoomGuest, context: &Context) -> Api<RoomGuest> {
    Api::namespaced(context.client.clone(), guest.metadata.namespace.as_deref().unwrap_or_default())
}

fn fine_when_gone(answer: Result<RoomGuest, kube::Error>) -> Result<(), Failure> {
    match answer {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(failure_of(&error)),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(namespace: &str, name: &str) -> RoomGuest {
        let mut guest = RoomGuest::default();
        guest.metadata.namespace = Some(namespace.into());
        guest.metadata.name = Some(name.into());
        guest
    }

    #[test]
    fn a_namespace_with_very_many_guests_waits_for_those_with_few_and_each_guest_has_one_turn() {
        let mut turns = Turns::default();
        for number in 0..1000 {
            turns.add(&guest("crowd", &format!("g{number:03}")));
            turns.add(&guest("crowd", "g000"));
        }
        turns.add(&guest("team", "ann"));
        turns.add(&guest("team", "ben"));
        let mut told = || turns.next().map(|guest| guest.name);
        assert_eq!([told(), told(), told(), told(), told()].map(Option::unwrap), ["g000", "ann", "g001", "ben", "g002"]);
        assert_eq!(std::iter::from_fn(told).count(), 997);
        assert!(turns.waiting.is_empty() && turns.namespaces.is_empty());
    }
}
