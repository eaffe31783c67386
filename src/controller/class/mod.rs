//! The RoomClasses: one loop each, which keeps its backend, watches its health and sweeps its sessions.

mod left;
mod look;
mod media;
pub mod occupancy;
mod report;
pub mod runner;
mod sweep;
