//! The rules of Roomkeeper, pure: no I/O, and `now` is always an argument.
//!
//! Data flows one way: `validate` turns a manifest into a [`ValidRoom`], `plan` turns what was observed into steps,
//! `status` turns what came of them into the Room's status. The gateway asks `door` who may come in.

mod door;
mod failure;
mod invite;
mod orphans;
mod permissions;
mod plan;
mod session;
mod status;
mod validate;
mod window;
#[cfg(test)]
mod world;

pub use door::{DoorState, Refusal, Ticket, Visitor, admit, identify, state};
pub use failure::{Failure, FailureClass};
pub use invite::{InvalidInvite, Invite, KeyError, KeyRing, generate_key};
pub use orphans::{orphans, recorded_session};
pub use permissions::Permissions;
pub use plan::{Goal, Issue, Observed, Plan, SessionView, Step, plan, session_that_matters};
pub use session::{Installation, Seat};
pub use status::{Notice, Outcome, Verdict, condition, notices, status};
pub use validate::{InviteMetadata, Person, Rejection, ValidRoom, admits_namespace, choose_class, invite_id, people, validate};
pub use window::{Moment, Window};
