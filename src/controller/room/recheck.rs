//! How long the call of a Room is looked into at every sweep, because somebody who was removed may come back.
//!
//! Where clients connect to the media server themselves, a removed one may hold a token that the media server has renewed:
//! they last for ten minutes, and a minute of leeway. Behind the gateway's proxy no such token works.

use std::time::Duration;

use jiff::Timestamp;

/// How long after a change.
const LENGTH: Duration = Duration::from_mins(12);

/// The window of one Room.
#[derive(Debug, Default)]
pub struct RecheckWindow {
    until: Option<Timestamp>,
}

impl RecheckWindow {
    /// A spec has changed, or somebody was removed.
    pub fn begin(&mut self, now: Timestamp) {
        self.until = Some(now.checked_add(LENGTH).unwrap_or(now));
    }

    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// Whether a controller that `started` then knows too little yet: what happened before is not known, so all calls are looked into
/// for as long.
pub fn holds_for_all(started: Timestamp, now: Timestamp) -> bool {
    now.duration_since(started) < LENGTH.try_into().unwrap_or(jiff::SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn a_call_is_looked_into_for_twelve_minutes_after_the_last_change() {
        let mut window = RecheckWindow::default();
        assert!(!window.holds(at(20)));
        window.begin(at(20));
        assert_eq!([20, 31, 32].map(|minute| window.holds(at(minute))), [true, true, false]);
        window.begin(at(31));
        assert!(window.holds(at(42)));
    }

    #[test]
    fn every_call_is_looked_into_for_as_long_after_the_start() {
        assert_eq!([100, 111, 112].map(|minute| holds_for_all(at(100), at(minute))), [true, true, false]);
    }
}
