//! Fuzzing in unit tests: what strangers can send, generated, most of it from something valid that is then changed a little.

mod forgery;
mod mutation;
mod odd;

pub use forgery::{hook_claims, signed};
pub use mutation::{mutated, mutations};
pub use odd::{duration, json, moment, number, number_of, text};

use jiff::SignedDuration;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::clock;

/// How long each fuzzer goes on by `make faults`.
const AT_LENGTH: SignedDuration = SignedDuration::from_mins(10);

/// Tries a property with generated inputs: as many as `PROPTEST_CASES` says, by `make faults` again and again for ten minutes.
///
/// # Panics
/// With the smallest input that was found for which the property does not hold, and the seed by which it comes again.
pub fn fuzz<S: Strategy>(inputs: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let at_length = std::env::var("ROOMKEEPER_FAULTS").is_ok_and(|plans| plans == "all");
    let started = clock::now();
    loop {
        let config = Config { failure_persistence: None, ..Config::default() };
        let (seed, is_given) = match config.rng_seed {
            RngSeed::Fixed(seed) => (seed, true),
            RngSeed::Random => (getrandom::u64().unwrap(), false),
        };
        let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..config });
        if let Err(failure) = runner.run(inputs, &property) {
            panic!("{failure}\nagain by PROPTEST_RNG_SEED={seed}");
        }
        if is_given || !at_length || clock::now().duration_since(started) >= AT_LENGTH {
            return;
        }
    }
}
