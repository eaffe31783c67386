//! The picture of a call in the README, which the browser tests make: how it looks is for people to judge.

use std::fs;

use crate::in_repository;

/// What somebody who reads the README loads for it, in bytes.
const SIZE: std::ops::Range<usize> = 10_000..150_000;

#[test]
fn the_picture_of_a_call_is_there_and_small() {
    const PATH: &str = "docs/images/call.jpg";
    let picture = fs::read(in_repository(PATH)).expect("the picture");
    assert!(SIZE.contains(&picture.len()), "{PATH} has {} bytes", picture.len());
    assert!(picture.starts_with(b"\xff\xd8\xff"), "{PATH} is no JPEG");
    let readme = fs::read_to_string(in_repository("README.md")).expect("the README");
    assert!(readme.contains(&format!("]({PATH})")), "the README does not show {PATH}");
}
