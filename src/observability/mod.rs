//! What operators see of a process: logs, traces, metrics, and probes.

pub mod health;
pub mod logs;
pub mod metrics;
pub mod server;
pub mod traces;
pub mod watchdog;
