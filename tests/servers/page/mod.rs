//! The join page in real browsers, against a whole installation; and that what is committed of it is what its sources say.

mod browser;
mod build;
mod chromium;
mod controls;
mod files;
mod firefox;
