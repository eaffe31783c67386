//! Parameters of writes: each names the field manager, so that `managedFields` says which fields Roomkeeper owns.

use kube::api::{PatchParams, PostParams};

use crate::api::MANAGER;

/// For creating and replacing an object.
#[must_use]
pub fn post_params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
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
