//! How soon a Room has to be looked at, when many are due at the same time.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::session::recorded_session;
use super::super::window::Window;
use crate::api::{Room, RoomGuest};

/// From the most urgent to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A call has to be ended.
    Ending,
    /// Somebody changed the Room, or added a person to it, or its moment has come.
    Prompt,
    /// Everything else: what all Rooms of a class or of the cluster are looked at for, and what is tried again.
    Background,
}

/// The priority of a Room with these guests at `now`.
#[must_use]
pub fn priority(room: &Room, guests: &[Arc<RoomGuest>], now: Timestamp) -> Priority {
    let Some(status) = &room.status else { return Priority::Prompt };
    let is_over = || Window::in_force_unaccepted(room).is_some_and(|window| window.is_over(now));
    if recorded_session(room).is_some() && (room.metadata.deletion_timestamp.is_some() || room.spec.suspend || is_over()) {
        return Priority::Ending;
    }
    let is_changed = status.observed_generation != room.metadata.generation;
    let is_due = status.next_transition_time.as_ref().is_some_and(|at| at.0 <= now);
    // The API server gives it a condition that says nothing yet.
    let is_new = |guest: &Arc<RoomGuest>| guest.status.iter().flat_map(|status| &status.conditions).all(|it| it.status == "Unknown");
    if is_changed || is_due || guests.iter().any(is_new) { Priority::Prompt } else { Priority::Background }
}
