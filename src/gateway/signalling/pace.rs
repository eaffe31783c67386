//! How much a client may send to the media server in a while. What a media server has to read and to answer takes several times its length of its
//! memory, and long messages one right after the other took hundreds of MiB.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::sleep;

use super::message_limit::LONGEST_MESSAGE;

/// Bytes a second in the long run. The longest that clients have to send is one message of 700 kB at each change of a call in which they receive 350
/// people at once; the page receives those who are in sight.
const PER_SECOND: u32 = 256 * 1024;
/// Bytes that pass at once: one message of any length that is let through.
#[allow(clippy::cast_possible_truncation)]
const AT_ONCE: u32 = LONGEST_MESSAGE as u32;

/// Slows one client down.
pub struct Pace(DefaultDirectRateLimiter);

impl Pace {
    /// Of a client that has sent nothing yet.
    pub fn new() -> Self {
        let quota = |bytes| NonZeroU32::new(bytes).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::direct(Quota::per_second(quota(PER_SECOND)).allow_burst(quota(AT_ONCE))))
    }

    /// Waits until so many bytes more may pass.
    pub async fn wait(&self, bytes: usize) {
        let Some(bytes) = u32::try_from(bytes).ok().and_then(NonZeroU32::new) else { return };
        while let Some(pause) = self.pause(bytes) {
            sleep(pause).await;
        }
    }

    /// How long these have to wait; they count if they have not to. More than can ever pass at once does not wait: it would do so for ever.
    fn pause(&self, bytes: NonZeroU32) -> Option<Duration> {
        let refused = self.0.check_n(bytes).ok()?.err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_of_any_length_passes_at_once_and_more_has_to_wait_in_proportion() {
        let pace = Pace::new();
        let bytes = |bytes| NonZeroU32::new(bytes).unwrap();
        for _ in 0..AT_ONCE / 4096 {
            assert_eq!(pace.pause(bytes(4096)), None);
        }
        let pause = pace.pause(bytes(PER_SECOND)).unwrap();
        assert!(pause <= Duration::from_secs(1), "{pause:?}");
        let longer = pace.pause(bytes(4 * PER_SECOND)).unwrap();
        assert!(longer > 2 * pause, "{longer:?}");
    }
}
