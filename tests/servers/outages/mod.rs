//! What goes wrong around Roomkeeper, on real servers: clocks, backups, servers that are slow or gone, neighbours.
//!
//! What takes minutes is tried by `make faults` alone.

mod backup;
mod clock;
mod herd;
mod late_answer;
mod media_cluster;
mod neighbours;
mod new_cluster;
mod slow_server;
mod stuck_session;
mod suspended;
