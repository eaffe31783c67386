//! Growing pauses after failures.

use std::time::Duration;

use crate::domain::{Failure, FailureClass};

/// Pause after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause after a failure.
const LONGEST: Duration = Duration::from_mins(1);

/// Failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next failure is the first one again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the next failure is the first one.
    pub fn is_reset(&self) -> bool {
        self.failures == 0
    }

    /// The pause after a failure: the one that the other side asked for, within bounds, or a growing one.
    pub fn next(&mut self, failure: &Failure) -> Duration {
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        match failure.class {
            FailureClass::Transient { after: Some(after) } => after.min(LONGEST).max(FIRST),
            _ => pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::api::Reason;

    const HOUR: Duration = Duration::from_hours(1);

    fn transient(after: Option<Duration>) -> Failure {
        Failure {
            class: FailureClass::Transient { after },
            ..Failure::transient(Reason::Unreachable, "the media server cannot be reached")
        }
    }

    #[rstest]
    #[case::for_now(transient(None))]
    #[case::for_good(Failure::rejected(Reason::Rejected, "the media server refused the request"))]
    #[case::of_credentials(Failure::unauthorized("the media server refuses the credentials"))]
    #[case::of_settings(Failure::misconfigured(Reason::Misconfigured, "the class has no backend"))]
    fn pauses_double_with_every_failure_up_to_a_minute(#[case] failure: Failure) {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..10).map(|_| backoff.next(&failure).as_millis()).collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn pauses_stay_at_a_minute_however_long_it_lasts() {
        let mut backoff = Backoff::default();
        assert_eq!((0..100).map(|_| backoff.next(&transient(None))).last(), Some(LONGEST));
    }

    #[rstest]
    #[case::within_bounds(Duration::from_secs(7), Duration::from_secs(7))]
    #[case::too_short(Duration::from_millis(1), FIRST)]
    #[case::too_long(HOUR, LONGEST)]
    fn a_wait_that_the_other_side_asked_for_is_honoured_within_bounds(#[case] asked: Duration, #[case] pause: Duration) {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            assert_eq!(backoff.next(&transient(Some(asked))), pause);
        }
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.next(&transient(None));
        }
        backoff.reset();
        assert_eq!(backoff.next(&transient(None)), FIRST);
    }
}
