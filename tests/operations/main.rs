//! What operators of Roomkeeper rely on: several replicas, limits to namespaces, clear words at the start, metrics, logs, traces.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod balancer;
mod gateways;
mod leader;
mod scope;
mod signals;
mod start;
mod traces;
mod two_leaders;
