//! The window of a Room and where a moment lies in it.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::RoomStatus;

/// The time in which a Room can be joined: `from` belongs to it, `until` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The moment the door opens.
    pub from: Timestamp,
    /// The moment the call ends.
    pub until: Timestamp,
}

/// Where a moment lies relative to a [`Window`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the door opens.
    Before,
    /// While the Room can be joined.
    During,
    /// At or after the end.
    After,
}

impl Window {
    /// The window that was in force when the status was written.
    #[must_use]
    pub fn recorded(status: &RoomStatus) -> Option<Self> {
        Some(Self { from: status.valid_from.as_ref()?.0, until: status.valid_until.as_ref()?.0 })
    }

    /// Where `now` lies. A window whose end is not after its start is over.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Moment {
        if now >= self.until || self.until <= self.from {
            Moment::After
        } else if now < self.from {
            Moment::Before
        } else {
            Moment::During
        }
    }
}

/// `moment` plus `length`, held at the end of representable time.
pub(super) fn later(moment: Timestamp, length: Duration) -> Timestamp {
    moment.checked_add(length).unwrap_or(Timestamp::MAX)
}
