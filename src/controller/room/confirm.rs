//! Between plan and execution, I/O towards the API server only: what takes something away is done by what is true now. A cache may be
//! seconds behind without anybody knowing, and what was ended or put out does not come back by itself.

use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::ObjectRef;

use super::observe::Snapshot;
use crate::api::{GUEST_PREFIX, Room, RoomGuest, RoomRemoval};
use crate::clock;
use crate::cluster::{NamespacedName, Version, version_now, version_of};
use crate::controller::context::Context;
use crate::controller::request::{failure_of, timed};
use crate::domain::{Failure, Plan};

/// Whether a plan takes nothing away, or does so by what the API server says now. Of a Room it is asked only where nothing proves that the watch
/// shows the same.
///
/// # Errors
/// When the API server does not say.
pub async fn is_current(plan: &Plan, snapshot: &Snapshot, context: &Context) -> Result<bool, Failure> {
    if !plan.takes_away() {
        return Ok(true);
    }
    let room = snapshot.room();
    let is_fresh = context.freshness.is_recent(snapshot.namespace(), &context.rooms, clock::uptime());
    let newest = context.rooms.get(&NamespacedName::of(room)).and_then(|cached| {
        let written = context.states.ahead_of(cached.as_ref());
        written.map_or_else(|| version_of(cached.as_ref()), |written| version_of(written.as_ref()))
    });
    // The media server may have taken seconds to answer.
    if newest != version_of(room) {
        return Ok(false);
    }
    if !is_fresh && !is_as_known::<Room>(version_of(room), snapshot.name(), snapshot, context).await? {
        return Ok(false);
    }
    for identity in plan.removed() {
        if !is_removed(identity, snapshot, context).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether nothing has changed that lets somebody stay: a guest who has come since, or a removal that is gone.
async fn is_removed(identity: &str, snapshot: &Snapshot, context: &Context) -> Result<bool, Failure> {
    let room = snapshot.room();
    if let Some(name) = identity.strip_prefix(GUEST_PREFIX) {
        let guest = context.guests.get(&ObjectRef::new(name).within(snapshot.namespace()));
        let counts = guest.as_deref().filter(|guest| !context.guests.is_late(guest, room));
        let mut judged = snapshot.observed.guests.iter().filter(|guest| guest.metadata.name.as_deref() == Some(name));
        if counts.and_then(version_of) != judged.next().and_then(|guest| version_of(guest.as_ref())) {
            return Ok(false);
        }
        if !is_as_known::<RoomGuest>(guest.as_deref().and_then(version_of), name, snapshot, context).await? {
            return Ok(false);
        }
    }
    let mut removals = context.removals.of(room);
    removals.retain(|removal| removal.spec.identity == identity);
    if snapshot.observed.removed.contains(identity) && removals.is_empty() {
        return Ok(false);
    }
    for removal in removals {
        let name = removal.metadata.name.as_deref().unwrap_or_default();
        if !is_as_known::<RoomRemoval>(version_of(removal.as_ref()), name, snapshot, context).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_as_known<K>(known: Option<Version>, name: &str, snapshot: &Snapshot, context: &Context) -> Result<bool, Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone,
{
    let now = timed(version_now::<K>(&context.client, snapshot.namespace(), name)).await.map_err(|error| failure_of(&error))?;
    Ok(now == known)
}
