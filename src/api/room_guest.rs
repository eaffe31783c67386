//! The `RoomGuest` resource: a person added while a Room lives.

// Doc comments here are what kubectl explain prints: plain text, in which backticks are noise.
#![allow(clippy::doc_markdown)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::role::Role;
use super::room_owned::RoomOwned;

/// A person who was added to a Room while it lives, by a Presenter on the join page or by whoever may create this object.
/// The list in the Room stays with its owner, for example Git. Deleting the object puts the person out. Those that Presenters
/// added are deleted when the Room is over.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "roomkeeper.io",
    version = "v1alpha1",
    kind = "RoomGuest",
    plural = "roomguests",
    namespaced,
    shortname = "mguest",
    category = "roomkeeper",
    status = "RoomGuestStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A person added to a Room while it lives.",
    printcolumn(name = "Room", type_ = "string", json_path = ".spec.roomName"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.displayName"),
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.role"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1),
    printcolumn(name = "Invited-By", type_ = "string", json_path = ".spec.invitedBy", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec: is immutable; delete the RoomGuest and create another"))]
pub struct RoomGuestSpec {
    /// Name of the Room, in the same namespace.
    #[schemars(length(min = 1, max = 63))]
    pub room_name: String,

    /// The name that others see in the call. 1 to 128 characters.
    #[schemars(length(min = 1, max = 128))]
    pub display_name: String,

    /// What the person may do. Presenter: runs the call. Collaborator: microphone, camera, screen, chat. Attendee: microphone,
    /// camera, chat. Consumer: only hears and sees. Never above the role of the inviter: if that is lower, it is the guest's
    /// role too.
    pub role: Role,

    /// Identity of the person who invited: the name of a participant, guest-<name> of another RoomGuest, or * for somebody who has
    /// the shared link. If that person is not in the Room any more, or is suspended, or has a newer invite, the role of the guest is
    /// Attendee at most. The guest of a shared link goes with that link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub invited_by: Option<String>,

    /// Generation of the inviter's invite when they invited: inviteGeneration of a participant, link.generation of the shared link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub inviter_generation: Option<i64>,
}

impl RoomOwned for RoomGuest {
    fn room_name(&self) -> &str {
        &self.spec.room_name
    }
}

/// What the controller did for a guest.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoomGuestStatus {
    /// Name of the Secret that holds the guest's join link, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,

    /// Ready says whether the guest has an invite; reasons when not: RoomNotFound, NameConflict, LinkReplaced,
    /// TooManyParticipants, NotAccepted, Expired, Progressing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}
