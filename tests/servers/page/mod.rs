//! The join page in real Chromium, against a whole installation; and that what is committed of it is what its sources say.

mod browser;
mod build;
mod controls;
