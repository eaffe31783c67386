//! The chart: what it renders for which values, what it refuses, and its life on a real API server.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod files;
mod generated;
mod install;
mod livekit;
mod metrics;
mod network;
mod others;
mod permissions;
mod refusals;
mod releases;
mod selftest;
mod values;
