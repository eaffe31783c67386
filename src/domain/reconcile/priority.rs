//! How soon a Room has to be looked at, when many are due at the same time.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::room_summary::RoomSummary;
use crate::api::RoomGuest;

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
pub fn priority(room: &RoomSummary, guests: &[Arc<RoomGuest>], now: Timestamp) -> Priority {
    let is_over = || room.window.as_ref().is_some_and(|window| window.is_over(now));
    if room.live_session().is_some() && (room.is_deleted || room.suspend || is_over()) {
        return Priority::Ending;
    }
    let is_due = room.next_transition.is_some_and(|at| at <= now);
    // The API server gives it a condition that says nothing yet.
    let is_new = |guest: &Arc<RoomGuest>| guest.status.iter().flat_map(|status| &status.conditions).all(|it| it.status == "Unknown");
    if room.is_changed() || is_due || guests.iter().any(is_new) { Priority::Prompt } else { Priority::Background }
}
