//! The join page in real Chromium, against a whole installation; and that what is committed of it is what its sources say.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod build;
mod controls;
