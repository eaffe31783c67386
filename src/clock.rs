//! The only reader of the clock. Everything else takes the moment as an argument or calls this.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How often the wall clock is compared with the monotonic one.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// A smaller difference is scheduling noise.
const STEP: Duration = Duration::from_millis(400);

/// The wall clock, by which windows begin and end.
#[must_use]
// The lint keeps every other file from this.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Calls `stepped` whenever the wall clock and the monotonic clock have drifted apart: somebody set it, or the process or machine was
/// suspended. Timers notice neither, so whoever waits for a moment must look again.
pub async fn watch_for_steps(mut stepped: impl FnMut()) {
    let mut offset = offset();
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let current = self::offset();
        if current.abs_diff(offset) > STEP.as_millis() {
            stepped();
        }
        offset = current;
    }
}

/// Time since this was first called, by a clock that nobody can set, and that goes on while the machine is suspended: what was seen
/// before is as old as it is.
#[cfg(target_os = "linux")]
#[must_use]
pub fn uptime() -> Duration {
    use std::sync::LazyLock;

    use rustix::time::{ClockId, clock_gettime};
    fn since_boot() -> Duration {
        Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
    }
    static START: LazyLock<Duration> = LazyLock::new(since_boot);
    let start = *START;
    since_boot().saturating_sub(start)
}

/// The same where no such clock is known: this one stands still meanwhile.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn uptime() -> Duration {
    awake()
}

/// The moment by the clock of timers, for libraries that count by it.
// The lint keeps every other file from this.
#[allow(clippy::disallowed_methods)]
#[must_use]
pub fn instant() -> Instant {
    Instant::now()
}

/// Uptime, as the library for relays counts moments.
#[must_use]
pub fn relay_instant() -> turn_client_proto::stun::Instant {
    turn_client_proto::stun::Instant::from_nanos(i64::try_from(uptime().as_nanos()).unwrap_or(i64::MAX))
}

/// Time since this was first called, without that in which the machine was suspended.
// The lint keeps every other file from this.
#[allow(clippy::disallowed_methods)]
fn awake() -> Duration {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let start = *START;
    start.elapsed()
}

/// Wall clock minus monotonic clock, in milliseconds from an arbitrary zero.
fn offset() -> i128 {
    let elapsed = i128::try_from(awake().as_millis()).unwrap_or(i128::MAX);
    i128::from(now().as_millisecond()) - elapsed
}
