//! Parameters of writes: each that leaves something names the field manager, so that `managedFields` says which fields Roomkeeper owns.

use std::fmt::Debug;

use kube::api::{DeleteParams, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
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
