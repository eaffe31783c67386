//! Whether the work of a process goes on. A deadlock, or a request without a time limit, shows as work that has not moved for long, and
//! the liveness probe then fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock;

/// How long work may take between two heartbeats. Every request is bounded, and the longest reconciliation, 350 invites with an API server
/// that takes nearly as long as it may for each, stays below.
pub const LONGEST: Duration = Duration::from_mins(10);

/// All work under way.
#[derive(Clone, Default)]
pub struct Watchdog(Arc<Mutex<Works>>);

#[derive(Default)]
struct Works {
    last_id: u64,
    works: HashMap<u64, Work>,
}

struct Work {
    name: String,
    moved_at: Duration,
}

/// Work under way, until it is dropped.
pub struct Heartbeat {
    watchdog: Watchdog,
    id: u64,
}

impl Watchdog {
    /// Some work begins; the name is for logs.
    #[must_use]
    pub fn begin(&self, name: String) -> Heartbeat {
        let mut works = self.0.lock();
        works.last_id += 1;
        let id = works.last_id;
        works.works.insert(id, Work { name, moved_at: clock::uptime() });
        Heartbeat { watchdog: self.clone(), id }
    }

    /// The work that has not moved for too long, if there is any.
    #[must_use]
    pub fn stalled(&self) -> Option<String> {
        self.stalled_at(clock::uptime())
    }

    fn stalled_at(&self, now: Duration) -> Option<String> {
        let works = self.0.lock();
        let stalled = works.works.values().find(|work| now.saturating_sub(work.moved_at) > LONGEST)?;
        Some(stalled.name.clone())
    }
}

impl Heartbeat {
    /// The work moves.
    pub fn beat(&self) {
        if let Some(work) = self.watchdog.0.lock().works.get_mut(&self.id) {
            work.moved_at = clock::uptime();
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.watchdog.0.lock().works.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_has_not_moved_for_too_long_is_named_until_it_moves_or_ends() {
        let watchdog = Watchdog::default();
        let (stuck, fine) = (watchdog.begin("a reconciliation".into()), watchdog.begin("a loop".into()));
        let now = clock::uptime();
        assert_eq!(watchdog.stalled_at(now + LONGEST.mul_f64(0.9)), None);
        let late = now + LONGEST + Duration::from_mins(1);
        watchdog.0.lock().works.get_mut(&fine.id).expect("there").moved_at = late;
        assert_eq!(watchdog.stalled_at(late).as_deref(), Some("a reconciliation"));
        drop(stuck);
        assert_eq!(watchdog.stalled_at(late), None);
        fine.beat();
        assert_eq!(watchdog.stalled_at(late), Some("a loop".into()), "it moved long before that");
    }

    #[test]
    fn nothing_to_do_is_no_stall() {
        assert_eq!(Watchdog::default().stalled_at(LONGEST * 100), None);
    }
}
