//! How busy the machine is.

use std::fs;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

/// For how long the processors are looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// Of whose time less than this is used when they are idle.
const IDLE: f64 = 0.6;

/// Waits until the processors of the machine are idle for the most part. Of several who wait one goes on, so that the others see what it uses.
/// Never ends where Linux does not say it.
pub async fn idle() {
    static ONE: Mutex<()> = Mutex::const_new(());
    let _one = ONE.lock().await;
    let mut before = processor_times();
    loop {
        sleep(LOOKED_AT).await;
        let after = processor_times();
        if let (Some((used_before, all_before)), Some((used, all))) = (before, after)
            && all > all_before
            && (used - used_before) / (all - all_before) < IDLE
        {
            return;
        }
        before = after;
    }
}

/// Since the start of the machine, of all processors: what was used, and all of it.
fn processor_times() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    // User, nice, system, idle, waiting for disks, and what was used by interrupts and by other machines.
    let times: Vec<f64> = text.lines().next()?.split_whitespace().skip(1).take(8).filter_map(|time| time.parse().ok()).collect();
    let (all, idle) = (times.iter().sum::<f64>(), times.get(3)? + times.get(4)?);
    Some((all - idle, all))
}
