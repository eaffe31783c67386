//! The door as the network meets it: proxied signalling, revocation, bad input, limits and outages, with the real binary, a
//! real API server, and a real LiveKit with real clients.

mod bad_input;
mod hooks;
mod limits;
mod outage;
mod revocation;
mod signalling;
mod taken_away;
mod wire;
