//! Calls that are looked into at every sweep, because somebody may come back who was put out.
//!
//! Where clients connect to the media server themselves, a removed one may hold a token that the media server has renewed:
//! they last for ten minutes, and a minute of leeway. Behind the gateway's proxy no such token works.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// How long after a change a call is looked into.
const LENGTH: Duration = Duration::from_mins(12);

/// The calls that are looked into, by UID of the Room.
pub struct RecheckWindows {
    /// When the controller started: what happened before is not known, so all calls are looked into for as long.
    started: Timestamp,
    until: Mutex<HashMap<String, Timestamp>>,
}

impl RecheckWindows {
    /// None yet, of a controller that starts at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { started: now, until: Mutex::default() }
    }

    /// A spec has changed, or somebody was put out.
    pub fn begin(&self, uid: &str, now: Timestamp) {
        let until = now.checked_add(LENGTH).unwrap_or(now);
        self.lock().insert(uid.to_owned(), until);
    }

    /// Whether a Room's call is looked into at `now`.
    pub fn holds(&self, uid: &str, now: Timestamp) -> bool {
        let passed = now.duration_since(self.started);
        passed < LENGTH.try_into().unwrap_or(jiff::SignedDuration::MAX) || self.lock().get(uid).is_some_and(|until| now < *until)
    }

    /// Forgets a Room.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    #[test]
    fn a_call_is_looked_into_for_twelve_minutes_after_the_last_change() {
        let rechecks = RecheckWindows::new(at(0));
        rechecks.begin("a", at(20));
        assert_eq!([20, 31, 32].map(|minute| rechecks.holds("a", at(minute))), [true, true, false]);
        rechecks.begin("a", at(31));
        assert!(rechecks.holds("a", at(42)) && !rechecks.holds("b", at(42)));
        rechecks.forget("a");
        assert!(!rechecks.holds("a", at(32)));
    }

    #[test]
    fn every_call_is_looked_into_for_as_long_after_the_start() {
        let rechecks = RecheckWindows::new(at(100));
        assert_eq!([100, 111, 112].map(|minute| rechecks.holds("a", at(minute))), [true, true, false]);
    }
}
