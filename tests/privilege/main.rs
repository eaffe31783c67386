//! Permissions: Roomkeeper has what it uses and nothing else, and who may have calls in one namespace gains nothing in others.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod attempts;
mod grants;
mod least;
mod person;
mod stolen;
mod tenant;
mod viewer;
