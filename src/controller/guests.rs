//! The guests of Rooms: makes the Room their owner, and tells in their status what became of them.

use std::sync::Arc;

use jiff::Timestamp;
use kube::api::Patch;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::context::Context;
use super::request::{failure_of, timed};
use crate::api::{Reason, Room, RoomGuest, RoomGuestStatus, RoomStatus};
use crate::clock;
use crate::cluster::{Change, patch_params};
use crate::domain::{Failure, Person, Rejection, guest_status, judge_guests};

/// Brings the guests of a Room up to date, after a reconciliation that left the Room with this status.
///
/// # Errors
/// With the first failure; the other guests are looked after all the same.
pub async fn reconcile_guests(
    room: &Room,
    guests: &[Arc<RoomGuest>],
    status: &RoomStatus,
    context: &Context,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut result = Ok(());
    for (guest, judged) in judge_guests(room, guests) {
        let reconciled = reconcile_guest(guest, judged.as_ref(), room, status, context, now).await;
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
    // A guest who cannot be adopted is told so much all the same.
    let adopted = adopt(guest, room, context).await;
    let after = guest_status(guest, judged.map(|person| (person, status)), now);
    let reported = report(guest, after, json!({"uid": guest.metadata.uid}), context).await;
    adopted.and(reported)
}

/// Tells guests that they have no Room, as they come.
pub async fn follow(mut guests: mpsc::UnboundedReceiver<Change<RoomGuest>>, context: Arc<Context>) {
    while let Some(change) = guests.recv().await {
        if let Change::Applied(guest) = change {
            tell_without_room(&guest, &context, clock::now()).await;
        }
    }
}

async fn tell_without_room(guest: &RoomGuest, context: &Context, now: Timestamp) {
    let room = ObjectRef::<Room>::new(&guest.spec.room_name).within(&guest.namespace().unwrap_or_default());
    if context.rooms.get(&room).is_some() || guest.metadata.deletion_timestamp.is_some() {
        return;
    }
    let message = format!("spec.roomName: there is no Room \"{}\" in this namespace", guest.spec.room_name);
    let rejection = Rejection { reason: Reason::RoomNotFound, message };
    let after = guest_status(guest, Err(&rejection), now);
    // Only the guest as it was seen: the Room may come meanwhile, and its reconciliation say something else.
    let metadata = json!({"uid": guest.metadata.uid, "resourceVersion": guest.metadata.resource_version});
    if let Err(failure) = report(guest, after, metadata, context).await {
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
