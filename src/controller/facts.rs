//! What of an object matters to Rooms: who changes anything else wakes nobody. Status is left out, because the controller itself
//! writes it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;

use crate::api::{DEFAULT_CLASS_ANNOTATION, RoomClass, RoomOwned};
use crate::cluster::CachedRoom;

/// Spec and deletion, which both raise the generation of a Room, and what asks for its invites again.
pub type RoomFacts = (Option<i64>, Option<Box<str>>);

/// Spec and deletion of an object that belongs to a Room.
pub type RoomOwnedFacts = (Option<i64>, bool);

/// Spec of a class, and whether it is the default one.
pub type ClassFacts = (Option<i64>, Option<String>);

/// The labels of a namespace, by which classes choose.
pub type NamespaceFacts = BTreeMap<String, String>;

pub fn room_facts(room: &CachedRoom) -> RoomFacts {
    (room.generation, room.reissue.clone())
}

pub fn room_owned_facts<K: RoomOwned>(object: &K) -> RoomOwnedFacts {
    (object.meta().generation, object.meta().deletion_timestamp.is_some())
}

pub fn class_facts(class: &RoomClass) -> ClassFacts {
    (class.metadata.generation, class.annotations().get(DEFAULT_CLASS_ANNOTATION).cloned())
}

pub fn namespace_facts(namespace: &Namespace) -> NamespaceFacts {
    namespace.labels().clone()
}
