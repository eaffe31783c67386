//! How busy the machine is.

use std::fs;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

/// For how long the processors are looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// Of whose time less than so many hundredths are used when they are idle.
const IDLE_PERCENT: u64 = 60;

/// The time of all processors since the start of the machine, in ticks.
#[derive(Clone, Copy)]
pub struct ProcessorTimes {
    /// All that there was, idle time included.
    pub all: u64,
    /// What was used by anybody, time that the host gave to others included.
    pub busy: u64,
}

impl ProcessorTimes {
    /// As they are now; `None` where Linux does not say it.
    pub fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        // User, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice already.
        let times: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|time| time.parse().ok()).collect();
        let all = times.iter().sum();
        Some(Self { all, busy: all - times.iter().skip(3).take(2).sum::<u64>() })
    }

    /// Whether less than [`IDLE_PERCENT`] was used since `before`.
    fn were_idle_since(self, before: Self) -> bool {
        self.busy.saturating_sub(before.busy) * 100 < self.all.saturating_sub(before.all) * IDLE_PERCENT
    }
}

/// Waits until the processors of the machine are idle for the most part. Of several who wait one goes on, so that the others see what it uses.
/// Never ends where Linux does not say it.
pub async fn idle() {
    static ONE: Mutex<()> = Mutex::const_new(());
    let _one = ONE.lock().await;
    let mut before = ProcessorTimes::now();
    loop {
        sleep(LOOKED_AT).await;
        let after = ProcessorTimes::now();
        if after.zip(before).is_some_and(|(after, before)| after.were_idle_since(before)) {
            return;
        }
        before = after;
    }
}
