//! The rules of Roomkeeper, pure: no I/O, and `now` is always an argument.
//!
//! Data flows one way: `validate` turns a manifest into a [`ValidRoom`], `plan` turns what was observed into steps,
//! `status` turns what came of them into the Room's status. The gateway asks `door` who may come in.

mod door;
mod failure;
mod guest;
mod invite;
mod orphans;
mod permissions;
mod plan;
mod roster;
mod session;
mod status;
mod validate;
mod window;
#[cfg(test)]
mod world;

pub use door::{DoorState, Refusal, Ticket, Visitor, admit, identify, recognize, state};
pub use failure::{Failure, FailureClass};
pub use guest::guest_status;
pub use invite::{InvalidInvite, Invite, KeyError, KeyRing, generate_key};
pub use orphans::{orphans, recorded_session};
pub use permissions::Permissions;
pub use plan::{Goal, Issue, Observed, Plan, SessionView, Step, plan, session_that_matters};
pub use roster::{Person, Roster, guest_identity, guests_of, is_above, judge_guests};
pub use session::{Installation, SESSION_PREFIX, Seat};
pub use status::{Notice, Outcome, Verdict, condition, notices, status};
pub use validate::{InviteMetadata, Rejection, ValidRoom, admits_namespace, choose_class, invite_id, validate};
pub use window::{Moment, Window};
