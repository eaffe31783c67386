//! Tends the guests of Rooms: makes the Room their owner, and tells in their status what became of them.

use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::context::Context;
use super::request::{failure_of, timed};
use super::room::observe::Snapshot;
use crate::api::{MANAGER, Reason, Room, RoomGuest, RoomGuestStatus, RoomStatus};
use crate::clock;
use crate::domain::{Failure, Rejection, guest_status, judge_guests};

/// Brings the guests of a Room up to date, after a reconciliation that left the Room with this status.
pub async fn reconcile_guests(snapshot: &Snapshot, status: &RoomStatus, context: &Context, now: Timestamp) -> Result<(), Failure> {
    for (guest, verdict) in judge_guests(snapshot.room(), &snapshot.observed.guests) {
        adopt(guest, snapshot.room(), context).await?;
        let after = guest_status(guest, verdict.as_ref().map(|person| (person, status)), now);
        report(guest, after, context).await?;
    }
    Ok(())
}

/// A guest came or changed: its Room is due, and if there is none, the guest is told so.
pub async fn changed(guest: Arc<RoomGuest>, context: &Context) {
    let room = ObjectRef::<Room>::new(&guest.spec.room_name).within(&guest.namespace().unwrap_or_default());
    if context.rooms.get(&room).is_some() || guest.metadata.deletion_timestamp.is_some() {
        let _ = context.queue.send(room);
        return;
    }
    let message = format!("spec.roomName: there is no Room \"{}\" in this namespace", guest.spec.room_name);
    let rejection = Rejection { reason: Reason::RoomNotFound, message };
    let after = guest_status(&guest, Err(&rejection), clock::now());
    if let Err(failure) = report(&guest, after, context).await {
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
    fine_when_gone(timed(guests(guest, context).patch(&guest.name_any(), &params(), &Patch::Merge(patch))).await)
}

/// Writes the status of a guest if it changed.
async fn report(guest: &RoomGuest, after: RoomGuestStatus, context: &Context) -> Result<(), Failure> {
    if guest.status.as_ref() == Some(&after) {
        return Ok(());
    }
    // What is absent goes: a merge takes nothing away by itself.
    let patch =
        json!({"metadata": {"uid": guest.metadata.uid}, "status": {"secretName": after.secret_name, "conditions": after.conditions}});
    fine_when_gone(timed(guests(guest, context).patch_status(&guest.name_any(), &params(), &Patch::Merge(patch))).await)
}

fn guests(guest: &RoomGuest, context: &Context) -> Api<RoomGuest> {
    Api::namespaced(context.client.clone(), guest.metadata.namespace.as_deref().unwrap_or_default())
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

fn fine_when_gone(answer: Result<RoomGuest, kube::Error>) -> Result<(), Failure> {
    match answer {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(failure_of(&error)),
        Ok(_) => Ok(()),
    }
}
