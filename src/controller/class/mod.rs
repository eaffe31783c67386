//! The RoomClasses: one loop each, which keeps its backend, watches its health and sweeps its sessions.

pub mod occupancy;
pub mod runner;
mod sweep;
