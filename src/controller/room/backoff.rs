//! How long to wait: growing pauses after failures, and the slow recheck of invites.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{Failure, FailureClass};

/// Pause after the first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Longest pause after a failure.
const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// Per Room, by UID: failures in a row, and when its invites are looked at next.
#[derive(Default)]
pub struct RetrySchedule {
    recheck_every: Duration,
    rooms: Mutex<HashMap<String, RoomRetry>>,
}

#[derive(Default)]
struct RoomRetry {
    failures: u32,
    recheck_at: Option<Timestamp>,
}

impl RetrySchedule {
    /// Invites are looked at about every `recheck_every`.
    #[must_use]
    pub fn new(recheck_every: Duration) -> Self {
        Self { recheck_every, rooms: Mutex::default() }
    }

    /// Whether a Room's invites are due to be looked at. The first time comes after a part of the interval that differs
    /// from Room to Room, so that they never all come at once, least of all at a restart.
    pub fn recheck_due(&self, uid: &str, now: Timestamp) -> bool {
        let mut rooms = self.rooms();
        let retry = rooms.entry(uid.to_owned()).or_default();
        match retry.recheck_at {
            Some(at) if now >= at => {
                retry.recheck_at = now.checked_add(self.recheck_every).ok();
                true
            }
            Some(at) if at.duration_since(now).unsigned_abs() <= self.recheck_every => false,
            // Not seen before, or the clock was set back.
            _ => {
                retry.recheck_at = now.checked_add(self.recheck_every.mul_f64(0.5 + 0.5 * spread(uid))).ok();
                false
            }
        }
    }

    /// Time until a Room's invites are looked at next.
    pub fn until_recheck(&self, uid: &str, now: Timestamp) -> Duration {
        let at = self.rooms().get(uid).and_then(|retry| retry.recheck_at);
        at.map_or(self.recheck_every, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }

    /// A reconciliation went well.
    pub fn succeeded(&self, uid: &str) {
        if let Some(retry) = self.rooms().get_mut(uid) {
            retry.failures = 0;
        }
    }

    /// A reconciliation failed: the pause before the next one.
    pub fn failed(&self, uid: &str, failure: &Failure) -> Duration {
        let mut rooms = self.rooms();
        let retry = rooms.entry(uid.to_owned()).or_default();
        let pause = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(retry.failures)).min(LONGEST_RETRY);
        retry.failures = retry.failures.saturating_add(1);
        match failure.class {
            FailureClass::Transient { after: Some(after) } => after.min(LONGEST_RETRY).max(FIRST_RETRY),
            _ => pause,
        }
    }

    /// Forgets a Room that is gone.
    pub fn forget(&self, uid: &str) {
        self.rooms().remove(uid);
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<String, RoomRetry>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number from 0 to 1 that is the same for the same UID and spread evenly over all.
fn spread(uid: &str) -> f64 {
    let hash = uid.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
