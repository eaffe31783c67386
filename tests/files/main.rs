//! What is committed is what it is made from, and the workflows keep their rules. Told from the files and the types alone, without a server.

// Clippy takes only functions marked as tests for tests, and some are parts of them.
#![allow(clippy::expect_used, clippy::panic, clippy::similar_names, clippy::unwrap_used)]

mod api_reference;
mod chart;
mod crds;
mod picture;
mod values;
mod workflows;

use std::env;
use std::path::{Path, PathBuf};

/// A path in the repository.
fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether generated files are to be written rather than compared.
fn is_update() -> bool {
    env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1")
}
