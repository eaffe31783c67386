//! Values that nobody should write, and that a type lets pass all the same.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Texts that are drawn as nothing, run backwards, end early, or are none of their form.
const TEXTS: [&str; 24] = [
    "",
    " ",
    "\0",
    "\u{1b}[2J",
    "\r\n",
    "\u{202e}abc",
    "\u{200b}",
    "\u{feff}",
    "\u{3164}",
    "\u{ffff}",
    "\u{10ffff}",
    "e\u{301}\u{301}",
    "👩\u{200d}⚕\u{fe0f}",
    "ﬀ",
    "../..",
    "*",
    "link.x",
    "guest-x",
    "%s%n",
    "{{.}}",
    "'\"<script>",
    "null",
    "4711",
    "-",
];
/// Moments at the ends of what can be said, in other zones, and on days that there are not.
const MOMENTS: [&str; 11] = [
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1970-01-01T00:00:00Z",
    "2030-01-15T09:00:00Z",
    "2030-01-15T09:00:00.000000001Z",
    "2030-01-15T10:00:00+14:00",
    "2030-01-15T23:59:60Z",
    "2030-02-30T00:00:00Z",
    "9999-12-30T21:59:59.999999999Z",
    "9999-12-31T23:59:59Z",
    "tomorrow",
];
/// Durations whose numbers have no more digits than the pattern of the schema lets pass, and what is none.
const DURATIONS: [&str; 14] = [
    "",
    "0s",
    "-1h",
    "1ns",
    "90m",
    "1h30m",
    "1.5h",
    "4320h",
    "4320h0m0.000000001s",
    "99999.999999999h9999999.999999999m",
    "999999999.999999999s",
    "0.000000001ms",
    "0.1ms",
    "1d",
];

/// A text of at most `longest` characters.
pub fn text(longest: usize) -> impl Strategy<Value = String> {
    let some = vec(any::<char>(), 0..20).prop_map(String::from_iter);
    let name = select(["ada", "ben", "pia", "cy-9"].as_slice()).prop_map(str::to_owned);
    let one = prop_oneof![2 => select(TEXTS.as_slice()).prop_map(str::to_owned), 3 => name, 2 => some];
    (one, prop_oneof![4 => Just(1), 1 => 1..=longest.max(1)])
        .prop_map(move |(text, times)| text.repeat(times).chars().take(longest).collect())
}

/// A moment, or what looks like one.
pub fn moment() -> impl Strategy<Value = String> {
    let near = (-400_000_i64..400_000).prop_map(|seconds| {
        let noon = jiff::Timestamp::from_second(1_894_708_800).unwrap();
        (noon + jiff::SignedDuration::from_secs(seconds)).to_string()
    });
    prop_oneof![1 => select(MOMENTS.as_slice()).prop_map(str::to_owned), 2 => near]
}

/// A duration, or what looks like one.
pub fn duration() -> impl Strategy<Value = String> {
    prop_oneof![1 => select(DURATIONS.as_slice()).prop_map(str::to_owned), 1 => (1_u32..400_000).prop_map(|seconds| format!("{seconds}s"))]
}

/// A number of 32 bits, its limits more often than chance has them.
pub fn number() -> impl Strategy<Value = i32> {
    prop_oneof![select([i32::MIN, -1, 0, 1, 2, 349, 350, 351, i32::MAX].as_slice()), any::<i32>()]
}

/// The same of 64 bits.
pub fn number_of(least: i64) -> impl Strategy<Value = i64> {
    prop_oneof![3 => least.max(0)..4, 1 => Just(i64::MAX), 1 => Just(least), 1 => least..=i64::MAX]
}

/// Any JSON, not deep.
pub fn json() -> impl Strategy<Value = Value> {
    fn of<T: Into<Value> + Debug + 'static>(strategy: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Value> {
        strategy.prop_map(Into::into).boxed()
    }
    let numbers = prop_oneof![of(any::<i64>()), of(any::<u64>()), of(number()), any::<f64>().prop_map(|number| json!(number))];
    let leaf = prop_oneof![Just(Value::Null), of(any::<bool>()), numbers, of(text(40)), of(moment()), of(duration())];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let pairs = vec((text(20), inner.clone()), 0..4);
        prop_oneof![vec(inner, 0..4).prop_map(Value::Array), pairs.prop_map(|pairs| Value::Object(pairs.into_iter().collect()))]
    })
}
