//! The Kubernetes API of Roomkeeper: group `roomkeeper.io`, version `v1alpha1`.
//!
//! Plain data as it stands in manifests, and the schema that the API server enforces. Whatever the API server can
//! judge alone is a rule here; what needs the class or the clock is judged in `domain`.

mod conditions;
mod crds;
mod names;
mod room;
mod room_class;
mod room_guest;
mod schema;
mod status;

pub use conditions::{ConditionType, Reason};
pub use crds::{Crds, crds};
pub use names::{
    COMPONENT, DEFAULT_CLASS_ANNOTATION, DEFAULT_CONTROLLER, FINALIZER, GUEST_PREFIX, INVITE_SECRET_TYPE, LABEL_PARTICIPANT, LABEL_ROOM,
    LABEL_ROOM_UID, LINK_SUBJECT, MANAGER, invite_secret_name,
};
pub use room::{InviteTemplate, InviteTemplateMetadata, JoinPolicy, Link, Participant, Provision, Role, Room, RoomSession, RoomSpec};
pub use room_class::{
    AllowedNamespaces, Backend, CredentialsSecretRef, DEFAULT_TTL_SECONDS, LiveKit, NamespacesFrom, RoomClass, RoomClassLimits,
    RoomClassSession, RoomClassSpec, RoomClassStatus, Signalling,
};
pub use room_guest::{RoomGuest, RoomGuestSpec, RoomGuestStatus};
pub use status::{Counts, LedgerEntry, Phase, RoomStatus, SessionStatus};

/// API group of all Roomkeeper resources.
pub const GROUP: &str = "roomkeeper.io";
/// The only served version.
pub const VERSION: &str = "v1alpha1";
/// Longest window of a Room, from Azure Communication Services Rooms: six months, counted as 180 days.
pub const MAX_WINDOW: std::time::Duration = std::time::Duration::from_hours(180 * 24);
/// Most people in one call, from Azure Communication Services Rooms.
pub const MAX_PARTICIPANTS: i32 = 350;
