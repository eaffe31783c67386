//! The join page in real browsers, against a whole installation; and that what is committed of it is what its sources say.

pub mod browser;
pub mod build;
mod chromium;
mod controls;
pub mod files;
mod firefox;
