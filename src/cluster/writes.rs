//! Writes, and their parameters: each that leaves something names the field manager, so that `managedFields` says which fields Roomkeeper owns.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Event, Recorder, Reporter};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::api::MANAGER;

/// For creating and replacing an object.
#[must_use]
pub fn post_params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}

/// For deleting the object of this UID, and no other of its name.
#[must_use]
pub fn delete_params(uid: Option<String>) -> DeleteParams {
    DeleteParams { preconditions: Some(Preconditions { uid, ..Preconditions::default() }), ..DeleteParams::default() }
}

/// For a JSON patch or a merge patch.
#[must_use]
pub fn patch_params() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// For server-side apply, which takes over the fields that somebody else owns.
#[must_use]
pub fn apply_params() -> PatchParams {
    PatchParams::apply(MANAGER).force()
}

/// Publishes an Event about an object, as told by this component.
///
/// Each has a recorder of its own: one that is kept shows two Events that differ in their notes alone as one that came twice.
///
/// # Errors
/// When the API server refuses the Event or does not answer.
pub async fn publish_event(client: Client, component: &str, event: &Event, regarding: &ObjectReference) -> kube::Result<()> {
    let reporter = Reporter { controller: component.to_owned(), instance: None };
    Recorder::new(client, reporter).publish(event, regarding).await
}

/// Deletes this object, and no other of its name. One that is gone counts as deleted.
///
/// # Errors
/// When the API server refuses the request or does not answer.
pub async fn delete_object<K>(client: Client, object: &K) -> kube::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
{
    let api = Api::<K>::namespaced(client, object.meta().namespace.as_deref().unwrap_or_default());
    match api.delete(&object.name_any(), &delete_params(object.uid())).await {
        // Of a conflict there is one reason: another object has the name by now.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        answer => answer.map(drop),
    }
}
