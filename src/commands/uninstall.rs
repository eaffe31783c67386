//! The cleanup after an uninstallation, run by a hook of the chart. Without a controller nobody removes the finalizer from Rooms, so that
//! their deletion, and that of their namespaces and of the CRD, would never finish: this removes it, or deletes the Rooms first.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ListParams, Patch};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::sleep;

use crate::api::{FINALIZER, Room};
use crate::args::ReleaseArgs;
use crate::clock;
use crate::cluster::{Scope, delete_object, patch_params};
use crate::controller::LEASE;

/// A Lease that has not been renewed for this long has no holder any more: longer than the controller's Lease lasts.
const LEASE_EXPIRES: Duration = Duration::from_secs(15);
/// How long to wait for the controller to clean up after deleted Rooms: longer than it waits itself for a media server that does not
/// answer.
const CLEANUP: Duration = Duration::from_secs(75);
const POLL_EVERY: Duration = Duration::from_millis(500);
/// How many Rooms one request lists.
const PAGE: u32 = 500;

/// Why the finalizers could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum UninstallError {
    /// The API server refused, or could not be reached.
    #[error("{0}")]
    Cluster(#[from] kube::Error),
    /// A controller still renews the Lease.
    #[error("a controller still works ({0}): uninstall it first, because Rooms that it looks after need their finalizer")]
    Alive(String),
}

/// Waits until no controller works any more, then removes the finalizer from all Rooms. With `delete_rooms` it deletes all Rooms while the
/// controller still works, so that their calls are ended, and removes the finalizer from those that are left.
///
/// # Errors
/// When a controller still works, or the API server refuses or cannot be reached.
pub async fn run(client: Client, args: ReleaseArgs) -> Result<(), UninstallError> {
    let scope = Scope::new(&args.watch_namespaces);
    if args.delete_rooms {
        delete(&client, &scope).await?;
    } else {
        // A controller would add the finalizer again.
        wait_for_controllers_to_end(&client, &args.operator_namespace).await?;
    }
    let mut released = 0;
    for room in rooms(&client, &scope).await? {
        let Some(index) = room.finalizers().iter().position(|finalizer| finalizer == FINALIZER) else { continue };
        let namespace = room.namespace().unwrap_or_default();
        remove_finalizer(&Api::namespaced(client.clone(), &namespace), &room.name_any(), index).await?;
        tracing::info!(namespace, room = room.name_any(), "released");
        released += 1;
    }
    tracing::info!(released, "no Room waits for Roomkeeper any more");
    Ok(())
}

/// Waits until no controller holds the Lease, or its holder has stopped renewing it.
async fn wait_for_controllers_to_end(client: &Client, namespace: &str) -> Result<(), UninstallError> {
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
        // Counted from the first look: `renewTime` is not trusted, as in the election itself.
        if now.saturating_sub(renewed_at) >= LEASE_EXPIRES {
            return Ok(());
        }
        if now.saturating_sub(began) >= 2 * LEASE_EXPIRES {
            return Err(UninstallError::Alive(holder));
        }
        tracing::info!(holder, "waiting for the controller to end");
        sleep(POLL_EVERY).await;
    }
    Ok(())
}

/// Deletes all Rooms and waits until the controller has cleaned up after them, but no longer than [`CLEANUP`].
async fn delete(client: &Client, scope: &Scope) -> kube::Result<()> {
    for room in rooms(client, scope).await? {
        // A Room of the same name that was made since the list stays.
        delete_object(client.clone(), &room).await?;
        tracing::info!(namespace = room.namespace(), room = room.name_any(), "deleted");
    }
    let began = clock::uptime();
    loop {
        let left = rooms(client, scope).await?.len();
        if left == 0 || clock::uptime().saturating_sub(began) >= CLEANUP {
            return Ok(());
        }
        tracing::info!(left, "waiting for calls to end");
        sleep(POLL_EVERY).await;
    }
}

async fn rooms(client: &Client, scope: &Scope) -> kube::Result<Vec<PartialObjectMeta<Room>>> {
    let mut all = Vec::new();
    for rooms in scope.apis::<Room>(client) {
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = match rooms.list_metadata(&page).await {
                Ok(list) => list,
                // The CRD is gone, and all Rooms with it.
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

/// Removes the finalizer from a Room, if it is still at this index of the list.
async fn remove_finalizer(rooms: &Api<Room>, name: &str, index: usize) -> kube::Result<()> {
    let entry = format!("/metadata/finalizers/{index}");
    let operations = json!([{"op": "test", "path": entry, "value": FINALIZER}, {"op": "remove", "path": entry}]);
    let patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError)?;
    match rooms.patch(name, &patch_params(), &Patch::<Room>::Json(patch)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}
