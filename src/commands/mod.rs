//! Commands that run once and end: the test of an installation, and its cleanup.

pub mod selftest;
pub mod uninstall;
