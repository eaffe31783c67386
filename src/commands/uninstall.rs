//! The cleanup after an uninstallation, run by a hook of the chart. Without a controller nobody removes the finalizer from Rooms, so that
//! their deletion, and that of their namespaces and of the CRD, would never finish: this removes it, or deletes the Rooms first.

use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ApiResource, DynamicObject, ListParams, Patch};
use kube::core::PartialObjectMetaExt;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::sleep;

use crate::api::{DEFAULT_CLASS_ANNOTATION, DEFAULT_CONTROLLER, FINALIZER, Room, RoomClass};
use crate::args::ReleaseArgs;
use crate::clock;
use crate::cluster::{Scope, delete_object, patch_params};
use crate::controller::lease_name;

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

/// Waits until no controller works any more, then removes the finalizer from all Rooms of the installation. With `delete_rooms` it deletes
/// them while the controller still works, so that their calls are ended, and removes the finalizer from those that are left.
///
/// # Errors
/// When a controller still works, or the API server refuses or cannot be reached.
pub async fn run(client: Client, args: ReleaseArgs) -> Result<(), UninstallError> {
    let rooms = Rooms::new(client.clone(), Scope::new(&args.watch_namespaces), &args.controller_name).await?;
    if args.delete_rooms {
        rooms.delete().await?;
    } else {
        // A controller would add the finalizer again.
        let leases: Vec<String> = (0..args.shards.get()).map(lease_name).collect();
        // At the same time, because each may take a while, and the hook has to end.
        try_join_all(leases.iter().map(|lease| wait_for_controller_to_end(&client, &args.operator_namespace, lease))).await?;
    }
    let mut released = 0;
    for room in rooms.list().await? {
        let Some(index) = room.finalizers().iter().position(|finalizer| finalizer == FINALIZER) else { continue };
        let namespace = room.namespace().unwrap_or_default();
        rooms.remove_finalizer(&room, index).await?;
        tracing::info!(namespace, room = room.name_any(), "released");
        released += 1;
    }
    tracing::info!(released, "no Room waits for Roomkeeper any more");
    Ok(())
}

/// Waits until no controller holds the Lease of this name, or its holder has stopped renewing it.
async fn wait_for_controller_to_end(client: &Client, namespace: &str, lease: &str) -> Result<(), UninstallError> {
    let leases = Api::<Lease>::namespaced(client.clone(), namespace);
    let held = async || -> kube::Result<Option<LeaseSpec>> {
        let spec = leases.get_opt(lease).await?.and_then(|lease| lease.spec);
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

/// The Rooms of an installation. They are read as they are, so that one that this version cannot read is released, too.
struct Rooms {
    client: Client,
    scope: Scope,
    kind: ApiResource,
    classes: Vec<DynamicObject>,
    controller: String,
}

impl Rooms {
    /// Those of the installation whose classes have this name of a controller, by the classes that there are now.
    async fn new(client: Client, scope: Scope, controller: &str) -> kube::Result<Self> {
        let classes = list(&Api::all_with(client.clone(), &ApiResource::erase::<RoomClass>(&()))).await?;
        Ok(Self { client, scope, kind: ApiResource::erase::<Room>(&()), classes, controller: controller.to_owned() })
    }

    async fn list(&self) -> kube::Result<Vec<DynamicObject>> {
        let mut all = Vec::new();
        for api in self.scope.dynamic_apis(&self.client, &self.kind) {
            all.extend(list(&api).await?);
        }
        all.retain(|room| !is_of_another(room, &self.classes, &self.controller));
        Ok(all)
    }

    /// Deletes all Rooms and waits until the controller has cleaned up after them, but no longer than [`CLEANUP`].
    async fn delete(&self) -> kube::Result<()> {
        for room in self.list().await? {
            // A Room of the same name that was made since the list stays.
            delete_object(self.client.clone(), &room.metadata.clone().into_response_partial::<Room>()).await?;
            tracing::info!(namespace = room.namespace(), room = room.name_any(), "deleted");
        }
        let began = clock::uptime();
        loop {
            let left = self.list().await?.len();
            if left == 0 || clock::uptime().saturating_sub(began) >= CLEANUP {
                return Ok(());
            }
            tracing::info!(left, "waiting for calls to end");
            sleep(POLL_EVERY).await;
        }
    }

    /// Removes the finalizer from a Room, if it is still at this index of the list.
    async fn remove_finalizer(&self, room: &DynamicObject, index: usize) -> kube::Result<()> {
        let entry = format!("/metadata/finalizers/{index}");
        let operations = json!([{"op": "test", "path": entry, "value": FINALIZER}, {"op": "remove", "path": entry}]);
        let patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError)?;
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &room.namespace().unwrap_or_default(), &self.kind);
        match api.patch(&room.name_any(), &patch_params(), &Patch::<DynamicObject>::Json(patch)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// Whether a Room is another installation's, by its class: as the controller sees it.
fn is_of_another(room: &DynamicObject, classes: &[DynamicObject], controller: &str) -> bool {
    let text = |object: &DynamicObject, path: &str| object.data.pointer(path)?.as_str().map(str::to_owned);
    let is_ours = |class: &DynamicObject| text(class, "/spec/controllerName").as_deref().unwrap_or(DEFAULT_CONTROLLER) == controller;
    let is_default = |class: &&DynamicObject| class.annotations().get(DEFAULT_CLASS_ANNOTATION).is_some_and(|value| value == "true");
    if let Some(name) = text(room, "/spec/roomClassName").or_else(|| text(room, "/status/roomClassName")) {
        return classes.iter().any(|class| class.name_any() == name && !is_ours(class));
    }
    let mut defaults = classes.iter().filter(is_default).peekable();
    defaults.peek().is_some() && !defaults.any(is_ours)
}

/// All objects of an API, in pages. Where their CRD is gone, there are none.
async fn list(api: &Api<DynamicObject>) -> kube::Result<Vec<DynamicObject>> {
    let mut all = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = match api.list(&page).await {
            Ok(list) => list,
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(all),
            Err(error) => return Err(error),
        };
        all.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::Value;

    use super::*;

    fn object(name: &str, content: &Value) -> DynamicObject {
        let mut object = json!({"metadata": {"name": name}});
        object.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    #[rstest]
    #[case::of_ours(json!({"spec": {"roomClassName": "ours"}}), false)]
    #[case::of_theirs(json!({"spec": {"roomClassName": "theirs"}}), true)]
    #[case::accepted_by_theirs(json!({"spec": {}, "status": {"roomClassName": "theirs"}}), true)]
    #[case::of_a_class_that_is_gone(json!({"spec": {"roomClassName": "gone"}}), false)]
    #[case::of_no_class_where_the_default_is_theirs(json!({"spec": {}}), true)]
    fn a_room_is_anothers_if_its_class_is(#[case] room: Value, #[case] of_another: bool) {
        let theirs = json!({"spec": {"controllerName": "theirs"}});
        let mut default = object("theirs", &theirs);
        default.annotations_mut().insert(DEFAULT_CLASS_ANNOTATION.into(), "true".into());
        let classes = [object("ours", &json!({"spec": {}})), default];
        let room = object("room", &room);
        assert_eq!(is_of_another(&room, &classes, DEFAULT_CONTROLLER), of_another);
        assert!(!is_of_another(&room, &[], DEFAULT_CONTROLLER));
    }
}
