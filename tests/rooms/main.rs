//! Rooms from beginning to end: a real API server, a real LiveKit with real clients, and Roomkeeper under its own accounts.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod capacity;
mod classes;
mod counts;
mod direct;
mod edits;
mod faults;
mod guests;
mod invites;
mod lifecycle;
mod moderation;
mod on_demand;
