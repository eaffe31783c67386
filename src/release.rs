//! After an uninstallation: Rooms stay, and nobody is left who would take the finalizer off them, so that they, their namespaces and the
//! CRD could not be deleted any more. This takes it off. Run by a hook of the chart.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::sleep;

use crate::api::{FINALIZER, Room};
use crate::clock;
use crate::cluster::Scope;
use crate::config::ReleaseArgs;
use crate::controller::LEASE;

/// How long the last controller may take to give its Lease up, or to let it run out.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the Lease is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Rooms of one list.
const PAGE: u32 = 500;

/// Waits until no controller works any more, and takes the finalizer off all Rooms.
///
/// # Errors
/// When the API server refuses, or does not answer.
pub async fn run(client: Client, args: ReleaseArgs) -> Result<(), kube::Error> {
    // Who still works would put it on again.
    let leases = Api::<Lease>::namespaced(client.clone(), &args.operator_namespace);
    let began = clock::uptime();
    while clock::uptime().saturating_sub(began) < PATIENCE {
        let holder = leases.get_opt(LEASE).await?.and_then(|lease| lease.spec?.holder_identity).filter(|holder| !holder.is_empty());
        let Some(holder) = holder else { break };
        tracing::info!(holder, "a controller still works");
        sleep(LOOK).await;
    }
    let mut released = 0;
    for rooms in Scope::new(args.watch_namespaces).apis::<Room>(&client) {
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = match rooms.list_metadata(&page).await {
                Ok(list) => list,
                // The kind is gone, and all Rooms with it.
                Err(kube::Error::Api(status)) if status.is_not_found() => break,
                Err(error) => return Err(error),
            };
            for room in &list.items {
                let Some(at) = room.finalizers().iter().position(|finalizer| finalizer == FINALIZER) else { continue };
                let namespace = room.namespace().unwrap_or_default();
                release(&Api::namespaced(client.clone(), &namespace), &room.name_any(), at).await?;
                tracing::info!(namespace, room = room.name_any(), "released");
                released += 1;
            }
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    tracing::info!(released, "no Room waits for Roomkeeper any more");
    Ok(())
}

/// Takes the finalizer off a Room, if it is still at this place of the list.
async fn release(rooms: &Api<Room>, name: &str, at: usize) -> Result<(), kube::Error> {
    let place = format!("/metadata/finalizers/{at}");
    let operations = json!([{"op": "test", "path": place, "value": FINALIZER}, {"op": "remove", "path": place}]);
    let patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError)?;
    match rooms.patch(name, &PatchParams::default(), &Patch::<Room>::Json(patch)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}
