//! `make demo`: a whole installation on this machine, and the life of a Room shown on it.
//!
//! Starts what the tests start, shows a Room from Pending to gone with real clients in its call, and stays up until Ctrl-C.
//! With `DEMO_KUBECONFIG` it uses that cluster instead of a control plane of its own.

// The demo talks to people, and ends with what surprised it.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::panic)]

// A part of it is used.
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

mod installation;
mod show;

use std::env;
use std::path::Path;

use jiff::Timestamp;

use support::{now, run};

fn main() {
    // Started by hand only: a plain run of all tests passes no variable.
    let started =
        env::var("DEMO_STARTED").ok().and_then(|seconds| seconds.parse().ok()).and_then(|seconds| Timestamp::from_second(seconds).ok());
    let clock = Clock(started.unwrap_or_else(now));
    run(async {
        let installation = installation::start(&clock).await;
        show::life_of_a_room(&installation, &clock).await;
        show::what_next(&installation, &clock).await;
        tokio::signal::ctrl_c().await.expect("Ctrl-C can be waited for");
        println!("\nStopping: every process of the demo ends with it.");
    });
}

/// Prefixes lines with the seconds since the start.
pub struct Clock(Timestamp);

impl Clock {
    /// Says something.
    pub fn say(&self, text: &str) {
        let elapsed = now().duration_since(self.0).as_secs_f64();
        println!("{elapsed:7.1} s  {}", text.replace('\n', "\n           "));
    }
}

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
