//! What is planned and told, Room by Room; then, with thousands of generated Rooms, what is never planned and where all of it ends.

mod arriving;
mod bounds;
mod crashes;
mod execution;
mod leaving;
mod living;
mod on_demand;
mod priority;
mod roster;
mod status;
