//! One Room with its API server and media server, for the tests of the rules.

mod describe;
mod fuzz;
mod simulation;

pub use simulation::*;
