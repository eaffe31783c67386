//! The door as the network meets it: proxied signalling, revocation, bad input, limits and outages, with the real binary, a
//! real API server, and a real LiveKit with real clients.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod revocation;
mod signalling;
mod wire;
