//! Parameters of writes: each that leaves something names the field manager, so that `managedFields` says which fields Roomkeeper owns.

use kube::api::{DeleteParams, PatchParams, PostParams, Preconditions};

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
