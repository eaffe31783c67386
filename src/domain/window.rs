//! The window of a Room.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::{Room, RoomSpec, RoomStatus};

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

    /// The window of a Room whose spec is not accepted: the one in force last, or less of it where the spec declares an earlier end. A
    /// later one has to wait until it is accepted.
    #[must_use]
    pub fn in_force_unaccepted(room: &Room) -> Option<Self> {
        let recorded = Self::recorded(room.status.as_ref()?)?;
        Some(Self { until: declared_end(room).map_or(recorded.until, |end| end.min(recorded.until)), ..recorded })
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

/// The end that a spec declares, whether or not it is valid.
fn declared_end(room: &Room) -> Option<Timestamp> {
    let RoomSpec { valid_from, valid_until, duration, .. } = &room.spec;
    let from = valid_from.as_ref().or(room.metadata.creation_timestamp.as_ref());
    let length = duration.filter(|duration| *duration > Duration::ZERO);
    let by_duration = from.zip(length).map(|(from, length)| later(from.0, length.into()));
    valid_until.as_ref().map(|until| until.0).into_iter().chain(by_duration).min()
}

/// Whether the end that the spec itself declares has come at `now`: no class gives it a later one.
pub(super) fn has_come_to_its_own_end(room: &Room, now: Timestamp) -> bool {
    declared_end(room).is_some_and(|end| end <= now)
}

/// `moment` plus `length`, held at the end of representable time.
pub(super) fn later(moment: Timestamp, length: Duration) -> Timestamp {
    moment.checked_add(length).unwrap_or(Timestamp::MAX)
}
