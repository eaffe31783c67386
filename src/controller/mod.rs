//! The controller: keeps sessions and invites equal to what the Rooms say.
//!
//! `run` leads from the start to the end. `watches` keeps the caches, `triggers` says what makes a Room due, `room` reconciles
//! one Room, `class` looks after one media server. The wire formats of backends are not known here.

mod admission_policy;
mod class;
mod context;
mod facts;
mod fence;
mod finalizer;
mod guests;
mod leader;
mod media_address;
mod removals;
mod request;
mod room;
mod run;
mod signing_keys;
mod startup;
mod triggers;
mod unreadable;
mod watches;

pub use leader::lease_name;
pub use run::run;
pub use startup::StartError;
