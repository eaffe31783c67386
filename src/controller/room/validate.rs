//! Second stage: the Room as its class and its namespace allow it. Caches alone are asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;

use crate::api::{Room, RoomGuest};
use crate::controller::context::Context;
use crate::domain::{NamespaceView, Rejection, Roster, ValidRoom, accept};

/// Judges a Room with these guests, and without those who were removed.
pub fn validate(room: &Room, guests: &[Arc<RoomGuest>], removed: BTreeSet<String>, context: &Context) -> Result<ValidRoom, Rejection> {
    let namespace = context.namespaces.get(&ObjectRef::new(room.metadata.namespace.as_deref().unwrap_or_default()));
    let labels = namespace.as_ref().and_then(|namespace| namespace.metadata.labels.as_ref());
    let classes = context.classes.state();
    let roster = Arc::new(Roster::new(room, guests, removed));
    accept(room, roster, classes.iter().map(AsRef::as_ref), NamespaceView::Labels(labels))
}
