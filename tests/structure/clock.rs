//! Only `src/clock.rs` reads the clock, tests included.

use crate::assert_none;
use crate::modules::{Meaning, Use, uses};

fn reads_the_clock(path: &str) -> bool {
    let names: Vec<&str> = path.split("::").collect();
    names.iter().any(|name| matches!(*name, "Instant" | "SystemTime"))
        || names.ends_with(&["Timestamp", "now"])
        || names.ends_with(&["Zoned", "now"])
}

#[test]
fn only_the_clock_reads_the_clock() {
    let mut faults = Vec::new();
    for Use { by, line, meaning, .. } in uses().iter().filter(|named| named.by.part() != "clock") {
        let Meaning::Foreign(name) = meaning else { continue };
        if reads_the_clock(name) {
            faults.push(format!("{}:{line}: {name} is for src/clock.rs alone; take the moment as an argument", by.path));
        }
        if name == "clippy::disallowed_methods" {
            faults.push(format!("{}:{line}: the lint that keeps the clock in one place must not be allowed", by.path));
        }
    }
    assert_none(&faults);
}
