//! The Kubernetes API of Roomkeeper: group `roomkeeper.io`, version `v1alpha1`.
//!
//! Plain data as it stands in manifests, and the schema that the API server enforces. Whatever the API server can
//! judge alone is a rule here; what needs the class or the clock is judged in `domain`.

mod conditions;
mod crds;
mod identity;
mod limits;
mod names;
mod role;
mod room;
mod room_class;
mod room_guest;
mod room_owned;
mod room_removal;
mod schema;
mod status;

pub use conditions::{ConditionType, Reason};
pub use crds::{Crds, crds};
pub use identity::{Identified, Identity};
pub use limits::{MAX_PARTICIPANTS, MAX_WINDOW};
pub use names::{
    COMPONENT, DEFAULT_CLASS_ANNOTATION, DEFAULT_CONTROLLER, FINALIZER, GROUP, GUEST_PREFIX, INVITE_SECRET_TYPE, LABEL_PARTICIPANT,
    LABEL_ROOM, LABEL_ROOM_UID, LINK_SUBJECT, MANAGED_BY, MANAGER, REISSUE_ANNOTATION, VERSION, has_finalizer, invite_secret_name,
};
pub use role::Role;
pub use room::{InviteTemplate, InviteTemplateMetadata, JoinPolicy, Link, Participant, Provision, Room, RoomSession, RoomSpec};
pub use room_class::{
    AllowedNamespaces, AzureCommunicationServices, Backend, CredentialsSecretRef, DEFAULT_TTL_SECONDS, LiveKit, NamespacesFrom, RoomClass,
    RoomClassLimits, RoomClassMedia, RoomClassSession, RoomClassSpec, RoomClassStatus, Signalling, VideoCodec,
};
pub use room_guest::{RoomGuest, RoomGuestSpec, RoomGuestStatus};
pub use room_owned::RoomOwned;
pub use room_removal::{RoomRemoval, RoomRemovalSpec};
pub use status::{Counts, LedgerEntry, Phase, RoomStatus, RotatedInvite, SessionStatus};
