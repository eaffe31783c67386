//! One reconciliation of a Room without its I/O: what is observed gives a plan, what comes of its steps gives the status.

mod conditions;
mod events;
mod goal;
mod observed;
mod outcome;
mod plan;
mod priority;
mod restrict;
mod status;
mod step;
mod teardown;

pub use events::{EventDraft, event_drafts};
pub use goal::Goal;
pub use observed::{Observed, SessionView, session_to_observe};
pub use outcome::{Batch, Execution, InviteChange, Outcome};
pub use plan::{Plan, plan};
pub use priority::{Priority, priority};
pub use status::status;
pub use step::{InviteStep, InviteWrite, RoomStep, SessionStep, Step};

#[cfg(test)]
mod tests;
