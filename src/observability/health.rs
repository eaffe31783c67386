//! What the probes of a process answer by: whether it can do its work, and whether its work moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::observability::watchdog::Watchdog;

/// The health of one process. Clones share it.
#[derive(Clone, Default)]
pub struct Health {
    ready: Arc<AtomicBool>,
    watchdog: Watchdog,
}

impl Health {
    /// The work under way, by which the liveness probe judges.
    #[must_use]
    pub fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// Whether the process can do its work, as the readiness probe says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Sets what the readiness probe says.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }
}
