//! One Room: what a reconciliation does in its stages, and what is remembered between two of them.

pub mod backoff;
mod execute;
mod invites;
pub mod observe;
pub mod recheck;
pub mod reconcile;
mod report;
pub mod write_cache;
