//! The `RoomRemoval` resource: a person whom a Presenter has put out of a Room.

// Doc comments here are what kubectl explain prints: plain text, in which backticks are noise.
#![allow(clippy::doc_markdown)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::room_owned::RoomOwned;

/// A person who is kept out of a Room although its list and its links let them in, because a Presenter removed them on the join page, or
/// whoever may create this object. Deleting the object lets the person in again. Those that Presenters made are deleted when the Room is
/// over.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "roomkeeper.io",
    version = "v1alpha1",
    kind = "RoomRemoval",
    plural = "roomremovals",
    namespaced,
    shortname = "mremoval",
    category = "roomkeeper",
    derive = "PartialEq",
    derive = "Default",
    doc = "A person who is kept out of a Room.",
    printcolumn(name = "Room", type_ = "string", json_path = ".spec.roomName"),
    printcolumn(name = "Identity", type_ = "string", json_path = ".spec.identity"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Removed-By", type_ = "string", json_path = ".spec.removedBy", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec: is immutable; delete the RoomRemoval and create another"))]
pub struct RoomRemovalSpec {
    /// Name of the Room, in the same namespace.
    #[schemars(length(min = 1, max = 63))]
    pub room_name: String,

    /// Identity in the call: the name of a participant, guest-<name> of a RoomGuest, or link.<random> of somebody who came by the
    /// shared link. By that link the same person can come again as somebody new.
    #[schemars(length(min = 1, max = 63))]
    pub identity: String,

    /// The name that others saw in the call, for those who look for it in a list. At most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub display_name: Option<String>,

    /// Identity of the Presenter who removed the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub removed_by: Option<String>,
}

impl RoomOwned for RoomRemoval {
    fn room_name(&self) -> &str {
        &self.spec.room_name
    }
}
