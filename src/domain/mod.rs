//! The rules of Roomkeeper, pure: no I/O, and `now` is always an argument.
//!
//! Data flows one way: `validate` turns a manifest into a [`ValidRoom`], `plan` turns what was observed into steps,
//! `status` turns what came of them into the Room's status. The gateway asks `door` who may come in.

mod door;
mod failure;
mod invite;
mod permissions;
mod session;
mod validate;
mod window;

pub use door::{DoorState, Refusal, Ticket, Visitor, admit, identify, state};
pub use failure::{Failure, FailureClass};
pub use invite::{InvalidInvite, Invite, KeyError, KeyRing, generate_key};
pub use permissions::Permissions;
pub use session::{Installation, Seat};
pub use validate::{InviteMetadata, Person, Rejection, ValidRoom, admits_namespace, choose_class, invite_id, people, validate};
pub use window::{Moment, Window};
