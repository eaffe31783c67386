//! Our finalizer among those of a Room.

use kube::api::{ObjectMeta, Patch};
use serde_json::{Value, json};

use crate::api::FINALIZER;

/// Writes the finalizers with ours, or without it, unless somebody else changed the object in between.
pub fn finalizer_patch(metadata: &ObjectMeta, ours: bool) -> Patch<Value> {
    let others = metadata.finalizers.iter().flatten().filter(|finalizer| *finalizer != FINALIZER).map(String::as_str);
    let finalizers: Vec<&str> = others.chain(ours.then_some(FINALIZER)).collect();
    Patch::Merge(json!({"metadata": {"resourceVersion": metadata.resource_version, "finalizers": finalizers}}))
}
