//! Roomkeeper on a real node: its own image, installed by its chart, under the real kubelet.

// Clippy takes only functions marked as tests for tests, and these are their parts.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod documentation;
mod failover;
mod harness;
mod image;
mod install;
mod own_livekit;
#[path = "../docs/pages.rs"]
mod pages;
#[path = "../docs/reader.rs"]
mod reader;
mod site;
mod uninstall;
mod upgrade;
