//! The rules of Roomkeeper, pure: no I/O, and `now` is always an argument.
//!
//! `accept` turns a manifest into a [`ValidRoom`] for controller and gateway alike. For the controller, [`plan`] turns what was
//! observed into steps, an [`Execution`] keeps book of what comes of them, and [`status`] tells of it. For the gateway, [`admit`]
//! decides who gets a media token.

mod accept;
mod admission;
mod capabilities;
mod condition;
mod failure;
mod guest;
mod invite;
mod media_address;
mod media_reach;
mod orphans;
mod permissions;
mod reconcile;
mod rejection;
mod room_index;
mod room_summary;
mod roster;
mod session;
mod valid_room;
mod validate;
mod window;

pub use accept::{NamespaceView, accept};
pub use admission::{Refusal, TokenGrant, admit, has_ended, identify, recognize, remain};
pub use capabilities::{BackendKind, Capabilities};
pub use condition::{ConditionState, ConditionStatus, condition};
pub use failure::{Failure, FailureClass};
pub use guest::guest_status;
pub use invite::{InvalidInvite, Invite, KeyError, KeyRing, generate_key};
pub use media_address::{BalancedService, MediaAddress, NoMediaAddress, media_address};
pub use media_reach::{MediaConnections, MediaReach};
pub use orphans::{ended_checks, orphans};
pub use permissions::Permissions;
pub use reconcile::{
    Batch, EventDraft, Execution, Goal, InviteChange, InviteStep, InviteWrite, Observed, Outcome, Plan, Priority, RoomStep, SessionStep,
    SessionView, Step, event_drafts, plan, priority, session_to_observe, status,
};
pub use rejection::Rejection;
pub use room_index::RoomIndex;
pub use room_summary::RoomSummary;
pub use roster::{
    Person, Roster, bounded_display_name, guest_generation, guest_identity, is_above, is_visitor, judge_guests, lower, visitor_identity,
};
pub use session::{Installation, SESSION_PREFIX, SessionMember, SessionSettings, recorded_session};
pub use valid_room::{Availability, InviteMetadata, Media, ValidRoom};
pub use validate::{choose_class, invite_id, validate};
pub use window::Window;

#[cfg(test)]
mod tests;
