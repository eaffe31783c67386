//! What the source may look like: which file uses which, who reads the clock, how long files and functions get. Told by a parser from the
//! text alone, so that it needs no server. `docs/design.md` has the table that the code is held to.

// Clippy takes only functions marked as tests for tests, and these are their parts.
#![allow(clippy::expect_used, clippy::panic)]

mod circles;
mod clock;
mod design;
mod layout;
mod modules;
mod repository;
mod size;
mod source;

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
