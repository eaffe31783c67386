//! Tests against real servers, one module for each subject. They are one program, so that the crate is linked once and all of them share
//! the servers that none of them changes.

// Clippy takes only functions marked as tests for tests, and some are parts of them: they take what `json!` makes as it is.
#![allow(clippy::expect_used, clippy::needless_pass_by_value, clippy::panic, clippy::unwrap_used)]

mod acs_double;
mod api;
mod azure;
mod chart;
mod contract;
mod docs;
mod door;
mod faults;
mod gitops;
mod harness;
mod node;
mod operations;
mod outages;
mod page;
mod privilege;
mod rooms;
// The demo and the benchmarks use it too.
#[path = "../support/mod.rs"]
mod support;
