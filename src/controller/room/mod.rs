//! One Room: what a reconciliation does, stage by stage, and what is remembered between two of them.

mod backoff;
mod confirm;
mod execute;
mod invite_refusal;
mod invite_secrets;
mod invites;
mod line;
mod observe;
mod recheck;
pub mod reconcile;
mod report;
pub mod requeues;
mod resync;
pub mod seats;
pub mod state;
mod validate;
pub mod worker;
mod write_cache;
