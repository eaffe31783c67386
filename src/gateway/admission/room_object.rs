//! Objects that the gateway makes for Presenters.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::ObjectMeta;

use crate::api::{MANAGED_BY, MANAGER, Room};
use crate::domain::ValidRoom;

/// The metadata of an object that belongs to a Room, goes with it, and is the Presenters' to delete.
pub fn metadata_of_presenter(room: &ValidRoom, name: String) -> ObjectMeta {
    let owner = OwnerReference {
        api_version: Room::api_version(&()).into_owned(),
        kind: Room::kind(&()).into_owned(),
        name: room.name.clone(),
        uid: room.uid.clone(),
        ..OwnerReference::default()
    };
    ObjectMeta {
        labels: Some([(MANAGED_BY.to_owned(), MANAGER.to_owned())].into()),
        name: Some(name),
        namespace: Some(room.namespace.clone()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}
