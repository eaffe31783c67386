//! The window of a Room.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::RoomStatus;

/// The time in which a Room can be joined: `from` belongs to it, `until` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl Window {
    /// The window that was in force when the status was written.
    #[must_use]
    pub fn recorded(status: &RoomStatus) -> Option<Self> {
        Some(Self { from: status.valid_from.as_ref()?.0, until: status.valid_until.as_ref()?.0 })
    }

    /// Whether the window has ended at `now`. One whose end is not after its start always has.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until || self.until <= self.from
    }

    /// Whether `now` lies in the window.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        now >= self.from && !self.is_over(now)
    }
}

/// `moment` plus `length`, held at the end of representable time.
pub(super) fn later(moment: Timestamp, length: Duration) -> Timestamp {
    moment.checked_add(length).unwrap_or(Timestamp::MAX)
}
