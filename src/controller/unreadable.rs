//! Rooms that cannot be read: their sessions are kept, and when they are deleted they are let go. Everything else waits for a version that
//! can read them.

use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::api::ObjectMeta;
use kube::core::PartialObjectMeta;
use tokio::time::timeout;

use super::context::Context;
use super::finalizer::finalizer_patch;
use super::request::timed;
use crate::api::{Room, has_finalizer};
use crate::cluster::patch_params;

/// How often one is tried again that could not be let go.
const AGAIN: Duration = Duration::from_secs(10);

/// Lets the Rooms go that are being deleted: their invites go with them, and their sessions are closed as orphans.
pub async fn follow(context: Arc<Context>) {
    let mut changes = context.unreadable.changes();
    loop {
        for metadata in context.unreadable.all() {
            if metadata.deletion_timestamp.is_some() && has_finalizer(&metadata) {
                release(&metadata, &context).await;
            }
        }
        // Ends with the process.
        let _ = timeout(AGAIN, changes.changed()).await;
    }
}

/// Takes our finalizer off, unless somebody changed the object in between.
async fn release(metadata: &ObjectMeta, context: &Context) {
    let (namespace, name) = (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default());
    let rooms = Api::<PartialObjectMeta<Room>>::namespaced(context.client.clone(), namespace);
    match timed(rooms.patch(name, &patch_params(), &finalizer_patch(metadata, false))).await {
        Ok(_) => tracing::info!(namespace, room = name, "a Room that cannot be read is deleted"),
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => tracing::warn!(namespace, room = name, %error, "a Room that cannot be read waits for its deletion"),
    }
}
