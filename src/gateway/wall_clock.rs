//! The wall clock as the gateway is given it: that of the process, or one that a test sets.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the moment, on whatever thread it is asked.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl WallClock {
    /// A clock that is read by `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}
