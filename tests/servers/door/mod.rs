//! The door as the network meets it: proxied signalling, revocation, bad input, limits and outages, with the real binary, a
//! real API server, and a real LiveKit with real clients.

mod bad_input;
// The fuzzers among unit tests use them too.
#[path = "../../../src/fuzzing/forgery.rs"]
mod forgery;
mod frames;
mod fuzz;
mod hooks;
mod limits;
#[path = "../../../src/fuzzing/mutation.rs"]
mod mutation;
mod outage;
mod revocation;
mod signalling;
mod taken_away;
mod wire;
