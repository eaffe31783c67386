//! The rules of Roomkeeper, pure: no I/O, and `now` is always an argument.
//!
//! Data flows one way: `validate` turns a manifest into a [`ValidRoom`], `plan` turns what was observed into steps,
//! `status` turns what came of them into the Room's status. The gateway asks `door` who may come in.

mod accept;
mod admission;
mod failure;
mod guest;
mod invite;
mod orphans;
mod permissions;
mod plan;
mod rejection;
mod roster;
mod session;
#[cfg(test)]
mod sim;
mod status;
mod validate;
mod window;

pub use accept::{NamespaceView, accept};
pub use admission::{Availability, Refusal, TokenGrant, Visitor, admit, identify, recognize, state};
pub use failure::{Failure, FailureClass};
pub use guest::guest_status;
pub use invite::{InvalidInvite, Invite, KeyError, KeyRing, generate_key};
pub use orphans::{orphans, recorded_session};
pub use permissions::Permissions;
pub use plan::{Goal, Issue, Observed, Plan, SessionView, Step, plan, session_that_matters};
pub use rejection::Rejection;
pub use roster::{Person, Roster, guest_identity, guests_of, is_above, judge_guests};
pub use session::{Installation, SESSION_PREFIX, SessionMember};
pub use status::{ConditionState, EventDraft, Outcome, condition, event_drafts, status};
pub use validate::{InviteMetadata, ValidRoom, choose_class, invite_id, validate};
pub use window::{Moment, Window};
