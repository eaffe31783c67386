//! What the machine does beside the benchmark: a figure that others had a part in is none.

use std::collections::HashMap;
use std::fs;

use crate::support::load::ProcessorTimes;

/// Hundredths of a second, as Linux counts the time of processors on every machine that people use.
const TICKS: f64 = 100.0;
/// Of the time of the processors, so much may go to others and to other machines on the same host.
const TOLERATED: f64 = 0.1;

/// The processors at a moment.
pub struct Machine {
    times: ProcessorTimes,
    /// Ticks that were used by the benchmark, its servers and the controller.
    ours: u64,
}

impl Machine {
    /// As it is now.
    pub fn now() -> Self {
        Self { times: ProcessorTimes::now().expect("a Linux machine"), ours: used_by_family() }
    }

    /// What part of the machine others have had since then, from 0 to 1.
    pub fn others_since(&self) -> f64 {
        let now = Self::now();
        let others = (now.times.busy - self.times.busy).saturating_sub(now.ours.saturating_sub(self.ours));
        others as f64 / (now.times.all - self.times.all).max(1) as f64
    }

    /// Says so if others had too much of the machine since then. With `tolerated` that is a remark beside the figures, and no failure.
    pub fn undisturbed(&self, tolerated: bool) -> Result<(), String> {
        let others = self.others_since();
        if others <= TOLERATED {
            return Ok(());
        }
        let disturbed = format!("disturbed: others had {:.0} % of the machine", others * 100.0);
        if tolerated {
            println!("  {disturbed}");
            return Ok(());
        }
        Err(disturbed)
    }
}

/// Seconds of a processor that this process has used.
pub fn own_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("a Linux machine");
    numbers(&stat).map_or(0.0, |(_, own, _)| own as f64 / TICKS)
}

/// Ticks that this process and everything that it has started have used.
fn used_by_family() -> u64 {
    let processes = fs::read_dir("/proc").expect("a Linux machine").filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let (parent, own, of_ended_children) = numbers(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        Some((pid, (parent, own + of_ended_children)))
    });
    let processes: HashMap<u32, (u32, u64)> = processes.collect();
    let is_ours = |pid: u32| {
        let ancestors = std::iter::successors(Some(pid), |pid| processes.get(pid).map(|(parent, _)| *parent));
        ancestors.take(64).any(|ancestor| ancestor == std::process::id())
    };
    processes.iter().filter(|(pid, _)| is_ours(**pid)).map(|(_, (_, used))| used).sum()
}

/// Parent, ticks of its own, and ticks of the children that have ended and were waited for.
fn numbers(stat: &str) -> Option<(u32, u64, u64)> {
    // The name before may hold spaces and brackets.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |from: usize| Some(fields.get(from)?.parse::<u64>().ok()? + fields.get(from + 1)?.parse::<u64>().ok()?);
    Some((fields.get(1)?.parse().ok()?, ticks(11)?, ticks(13)?))
}
