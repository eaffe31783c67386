//! Who may come in, who may stay, and what Presenters may do: every use of an invite and every media token is judged by
//! the live Room. Knows no HTTP.

mod authorize;
mod call_snapshot;
mod connection_check;
mod denied;
mod display_name;
mod guest_arrivals;
mod guests;
mod invite_keys;
mod join;
mod kube_writer;
mod live_rooms;
mod members;
mod moderation;
mod random_name;
mod removals;
mod reservations;
mod room_object;
mod rosters;

pub use authorize::{authorize_token, holder};
pub use call_snapshot::{CallObserver, LONGEST_REQUEST};
pub use connection_check::ConnectionChecks;
pub use denied::Denied;
#[cfg(test)]
pub use denied::InvalidField;
pub use guests::{AddedGuest, ListedGuest};
pub use invite_keys::InviteKeys;
pub use join::{AdmissionService, JoinResponse, RoomView};
pub use kube_writer::ApiWriter;
#[cfg(test)]
pub use kube_writer::KubeWriter;
pub use live_rooms::LiveRooms;
pub use members::{class_and_room_of, review_members};
pub use moderation::ModerationService;
pub use removals::ListedRemoval;
