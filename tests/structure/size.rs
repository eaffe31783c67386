//! How long files and functions get, and how they are named.

use crate::assert_none;
use crate::source::{read, root, sources};

/// Names that say nothing about what a module holds.
const EMPTY_NAMES: &[&str] = &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];
const LONGEST_FILE: usize = 400;
const LONGEST_MAIN: usize = 100;
const LONGEST_FUNCTION: usize = 60;

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for source in sources() {
        let longest = if source.part() == "main" { LONGEST_MAIN } else { LONGEST_FILE };
        if source.lines > longest {
            faults.push(format!(
                "{}: {} lines outside of tests, at most {longest} are allowed; split it by subject",
                source.path, source.lines
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for source in sources() {
        seen += source.functions.len();
        for (name, lines) in source.functions.iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION) {
            faults.push(format!(
                "{}: `{name}` has {lines} lines, at most {LONGEST_FUNCTION} are allowed; take a step out of it",
                source.path
            ));
        }
    }
    assert!(seen > 200, "only {seen} functions found");
    assert_none(&faults);
}

#[test]
fn modules_are_named_by_what_they_hold() {
    let mut faults = Vec::new();
    for source in sources() {
        let names = source.scopes.iter().flat_map(|scope| &scope.module);
        for name in names.filter(|name| EMPTY_NAMES.contains(&name.as_str())) {
            faults.push(format!("{}: a module named {name} says nothing about what it holds", source.path));
        }
    }
    assert_none(&faults);
}

#[test]
fn no_code_is_unsafe() {
    // `forbid` cannot be allowed away in a file.
    assert!(
        read(&root().join("Cargo.toml")).contains("\n[lints.rust]\nunsafe_code = \"forbid\""),
        "Cargo.toml does not forbid unsafe code"
    );
}
