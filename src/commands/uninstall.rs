//! The end of an installation. Rooms that stay would wait for ever for somebody to take the finalizer off them, and with them their
//! namespaces and the CRD; this takes it off. Rooms that go along are deleted first. Run by a hook of the chart.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::sleep;

use crate::api::{FINALIZER, Room};
use crate::args::ReleaseArgs;
use crate::clock;
use crate::cluster::Scope;
use crate::controller::LEASE;

/// How long the last controller may take to give its Lease up, or to let it run out.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the controller may take to end the calls of Rooms that are deleted: longer than it waits for a media server that does not
/// answer.
const CLEANUP: Duration = Duration::from_secs(75);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);
/// Rooms of one list.
const PAGE: u32 = 500;

/// Why Rooms were not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The API server refuses, or does not answer.
    #[error("{0}")]
    Cluster(#[from] kube::Error),
    /// A controller works.
    #[error("a controller still works ({0}): uninstall it first, because Rooms that it looks after need their finalizer")]
    Alive(String),
}

/// Takes the finalizer off all Rooms once no controller works any more; or, with `delete_rooms`, deletes them all, lets the
/// controller end their calls, and takes it off those that are still there then.
///
/// # Errors
/// When a controller still works, or the API server refuses or does not answer.
pub async fn run(client: Client, args: ReleaseArgs) -> Result<(), ReleaseError> {
    let scope = Scope::new(args.watch_namespaces);
    if args.delete_rooms {
        delete(&client, &scope).await?;
    } else {
        // It would put it on again.
        until_nobody_works(&client, &args.operator_namespace).await?;
    }
    let mut released = 0;
    for room in rooms(&client, &scope).await? {
        let Some(at) = room.finalizers().iter().position(|finalizer| finalizer == FINALIZER) else { continue };
        let namespace = room.namespace().unwrap_or_default();
        release(&Api::namespaced(client.clone(), &namespace), &room.name_any(), at).await?;
        tracing::info!(namespace, room = room.name_any(), "released");
        released += 1;
    }
    tracing::info!(released, "no Room waits for Roomkeeper any more");
    Ok(())
}

/// Waits until no controller holds the Lease, or the one that does has stopped to renew it.
async fn until_nobody_works(client: &Client, namespace: &str) -> Result<(), ReleaseError> {
    let leases = Api::<Lease>::namespaced(client.clone(), namespace);
    let held = async || -> kube::Result<Option<LeaseSpec>> {
        let spec = leases.get_opt(LEASE).await?.and_then(|lease| lease.spec);
        Ok(spec.filter(|spec| spec.holder_identity.as_ref().is_some_and(|holder| !holder.is_empty())))
    };
    let began = clock::uptime();
    let mut last = None;
    let mut renewed_at = began;
    while let Some(lease) = held().await? {
        let now = clock::uptime();
        let holder = lease.holder_identity.clone().unwrap_or_default();
        if last.as_ref() != Some(&lease) {
            renewed_at = now;
            last = Some(lease);
        }
        // Seen to end, like a candidate sees it; the first look says nothing about when it was renewed.
        if now.saturating_sub(renewed_at) >= PATIENCE {
            return Ok(());
        }
        if now.saturating_sub(began) >= 2 * PATIENCE {
            return Err(ReleaseError::Alive(holder));
        }
        tracing::info!(holder, "waiting for the controller to end");
        sleep(LOOK).await;
    }
    Ok(())
}

/// Deletes all Rooms, and waits until they are gone, or nobody can be expected to clean them up any more.
async fn delete(client: &Client, scope: &Scope) -> kube::Result<()> {
    for room in rooms(client, scope).await? {
        let namespace = room.namespace().unwrap_or_default();
        let only_that_one = Preconditions { uid: room.uid(), ..Preconditions::default() };
        let params = DeleteParams::default().preconditions(only_that_one);
        match Api::<Room>::namespaced(client.clone(), &namespace).delete(&room.name_any(), &params).await {
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            other => drop(other?),
        }
        tracing::info!(namespace, room = room.name_any(), "deleted");
    }
    let began = clock::uptime();
    loop {
        let left = rooms(client, scope).await?.len();
        if left == 0 || clock::uptime().saturating_sub(began) >= CLEANUP {
            return Ok(());
        }
        tracing::info!(left, "waiting for calls to end");
        sleep(LOOK).await;
    }
}

/// All Rooms of a scope.
async fn rooms(client: &Client, scope: &Scope) -> kube::Result<Vec<PartialObjectMeta<Room>>> {
    let mut all = Vec::new();
    for rooms in scope.apis::<Room>(client) {
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = match rooms.list_metadata(&page).await {
                Ok(list) => list,
                // The kind is gone, and all Rooms with it.
                Err(kube::Error::Api(status)) if status.is_not_found() => break,
                Err(error) => return Err(error),
            };
            all.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(all)
}

/// Takes the finalizer off a Room, if it is still at this place of the list.
async fn release(rooms: &Api<Room>, name: &str, at: usize) -> kube::Result<()> {
    let place = format!("/metadata/finalizers/{at}");
    let operations = json!([{"op": "test", "path": place, "value": FINALIZER}, {"op": "remove", "path": place}]);
    let patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError)?;
    match rooms.patch(name, &PatchParams::default(), &Patch::<Room>::Json(patch)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}
