//! How long something took that was done many times.

use jiff::SignedDuration;

/// In which unit times are told.
#[derive(Clone, Copy)]
pub enum Unit {
    Micros,
    Millis,
}

/// Prints the spread of times.
pub fn print(what: &str, mut took: Vec<SignedDuration>, unit: Unit) {
    took.sort();
    let (in_unit, name): (fn(&SignedDuration) -> i128, _) = match unit {
        Unit::Micros => (SignedDuration::as_micros, "µs"),
        Unit::Millis => (SignedDuration::as_millis, "ms"),
    };
    let at = |part: usize| in_unit(&took[(took.len() - 1) * part / 100]);
    println!("{what}: min {} {name}, median {} {name}, p99 {} {name}, max {} {name}", at(0), at(50), at(99), at(100));
}
