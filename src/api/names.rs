//! Names, labels and annotations that Roomkeeper writes or reads on objects.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// API group of all Roomkeeper resources.
pub const GROUP: &str = "roomkeeper.io";
/// The only served version.
pub const VERSION: &str = "v1alpha1";
/// Field manager, and value of `app.kubernetes.io/managed-by` and `part-of`.
pub const MANAGER: &str = "roomkeeper";
/// Label that names who looks after an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Name under which Events are reported.
pub const COMPONENT: &str = "roomkeeper.io/controller";
/// `controllerName` of a RoomClass that sets none, and of a controller that is not told otherwise.
pub const DEFAULT_CONTROLLER: &str = "roomkeeper.io/controller";
/// Finalizer of Rooms: held until session and invites are gone.
pub const FINALIZER: &str = "roomkeeper.io/session";
/// Type of invite Secrets.
pub const INVITE_SECRET_TYPE: &str = "roomkeeper.io/invite";
/// Name of the Room on its invite Secrets.
pub const LABEL_ROOM: &str = "roomkeeper.io/room";
/// UID of the Room on its invite Secrets: what decides whether a Secret is ours.
pub const LABEL_ROOM_UID: &str = "roomkeeper.io/room-uid";
/// Name of the participant on the invite Secret.
pub const LABEL_PARTICIPANT: &str = "roomkeeper.io/participant";
/// Set to `"true"` on the RoomClass that Rooms without `roomClassName` use.
pub const DEFAULT_CLASS_ANNOTATION: &str = "roomclass.roomkeeper.io/is-default-class";
/// A Room whose value of it changes has all of its invite Secrets written again.
pub const REISSUE_ANNOTATION: &str = "roomkeeper.io/reissue-invites";

/// What the identities of guests begin with, before the name of the RoomGuest.
pub const GUEST_PREFIX: &str = "guest-";
/// Whom the invite in a shared link is for. No participant can have this name.
pub const LINK_SUBJECT: &str = "*";

/// Name of the Secret that holds the invite of a person, or of the shared link.
#[must_use]
pub fn invite_secret_name(room: &str, identity: &str) -> String {
    if identity == LINK_SUBJECT { format!("{room}-link") } else { format!("{room}-invite-{identity}") }
}

/// Whether an object has our finalizer.
#[must_use]
pub fn has_finalizer(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}
