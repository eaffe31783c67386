//! What the tests, the demo and the benchmarks share: real servers as child processes, real clients, and waiting without sleeping.

// Clippy takes only functions marked as tests for tests, and these are their parts.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod acs;
pub mod audit;
pub mod cluster;
pub mod dates;
pub mod fake_clock;
pub mod fault_proxy;
pub mod forwarder;
pub mod gate;
pub mod helm;
pub mod http;
pub mod livekit;
pub mod load;
pub mod node;
pub mod operator;
pub mod outside;
pub mod process;
pub mod redis;
pub mod session_ledger;
pub mod stage;
pub mod tls;
pub mod tools;

use std::fmt::Display;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use roomkeeper::domain::Window;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};

/// How often [`eventually`] looks.
const LOOK: Duration = Duration::from_millis(20);

/// How many ordinary tests run at the same time. They wait for servers most of the time, so these are more than two cores.
const AT_ONCE: usize = 4;
/// How many more of them may begin while the processors are idle.
const WHILE_IDLE: usize = 4;
/// How many ordinary tests a heavy one stands for.
const HEAVY: u32 = 3;
/// The same for a test with browsers.
const BROWSERS: u32 = 2;

/// Runs a test on the one runtime of its binary, which outlives every test, so that servers and connections can be shared.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    run_after(turn_or_idle(1), test)
}

/// Runs a test that takes what two cores have, with one ordinary test beside it.
pub fn run_heavy<T>(test: impl Future<Output = T>) -> T {
    run_after(turn(HEAVY), test)
}

/// Runs a test with browsers, which encode and paint most of the time.
pub fn run_browsers<T>(test: impl Future<Output = T>) -> T {
    run_after(turn_or_idle(BROWSERS), test)
}

fn run_after<T>(turn: impl Future<Output = SemaphorePermit<'static>>, test: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
    RUNTIME.block_on(async {
        let _turn = turn.await;
        test.await
    })
}

async fn turn(weight: u32) -> SemaphorePermit<'static> {
    static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
    TURNS.acquire_many(weight).await.expect("never closed")
}

/// A turn, or one of those that there are while the processors are idle.
async fn turn_or_idle(weight: u32) -> SemaphorePermit<'static> {
    static WHILE_IDLE_TURNS: Semaphore = Semaphore::const_new(WHILE_IDLE);
    let while_idle = async {
        let turn = WHILE_IDLE_TURNS.acquire_many(weight).await.expect("never closed");
        load::idle().await;
        turn
    };
    tokio::select! {
        biased;
        turn = turn(weight) => turn,
        turn = while_idle => turn,
    }
}

/// How often something is done that only many repetitions make slow: `short` by `make test`, `long` by `make soak`.
pub fn repetitions(short: usize, long: usize) -> usize {
    if at_full_length() { long } else { short }
}

/// Whether nothing is cut short: by `make soak`.
pub fn at_full_length() -> bool {
    std::env::var_os("ROOMKEEPER_SOAK").is_some()
}

/// Whether everything goes wrong that can: by `make faults`.
pub fn all_faults() -> bool {
    std::env::var("ROOMKEEPER_FAULTS").is_ok_and(|plans| plans == "all")
}

/// A window from now on for an hour, in whole seconds.
pub fn window() -> Window {
    let from = Timestamp::from_second(now().as_second()).expect("a moment");
    Window { from, until: from + Duration::from_hours(1) }
}

/// The present moment.
// The only place where tests read the clock.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Looks until `check` finds what it looks for, and fails with what it saw last when that does not happen in time.
pub async fn eventually<T, E: Display>(deadline: Duration, check: impl AsyncFnMut() -> Result<T, E>) -> T {
    match within(deadline, check).await {
        Ok(found) => found,
        Err(last) => panic!("not within {deadline:?}; last seen: {last}"),
    }
}

/// As [`eventually`], for who wants to say more about the failure than what was seen last.
pub async fn within<T, E: Display>(deadline: Duration, mut check: impl AsyncFnMut() -> Result<T, E>) -> Result<T, String> {
    let mut last = "nothing, the first look did not end".to_owned();
    let looking = async {
        loop {
            match check().await {
                Ok(found) => break found,
                Err(seen) => last = seen.to_string(),
            }
            sleep(LOOK).await;
        }
    };
    let found = timeout(deadline, looking).await;
    found.map_err(|_| last)
}
