//! Commands that run once and end: the test and the end of an installation.

pub mod selftest;
pub mod uninstall;
