//! `make bench`: how long nobody leads after the leader was killed, and after it was stopped.
//!
//! Prints figures and judges nothing: what must hold exactly is judged by the tests.

// The benchmark talks to people, and ends with what surprised it.
#![allow(clippy::print_stdout, clippy::expect_used)]

// A part of it is used.
#[allow(dead_code)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use jiff::SignedDuration;

use support::operator::Role;
use support::stage::Stage;
use support::{eventually, now, run};

/// How often each is measured.
const RUNS: usize = 10;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() {
    run(async {
        let mut stage = Stage::start().await;
        stage.controller.process.signal("KILL");
        let mut leader = candidate(&stage).await;
        leads(&leader).await;
        for (signal, what) in [("KILL", "killed"), ("TERM", "stopped")] {
            let mut took = Vec::new();
            for _ in 0..RUNS {
                let next = candidate(&stage).await;
                let ended_at = now();
                leader.process.signal(signal);
                leads(&next).await;
                took.push(now().duration_since(ended_at));
                leader = next;
            }
            print(what, took);
        }
    });
}

async fn candidate(stage: &Stage) -> Role {
    let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
    Role::controller_with(&account, "http://127.0.0.1", &[]).await
}

/// Waits until a candidate is the leader and works.
async fn leads(role: &Role) {
    eventually(PATIENCE, async || {
        let log = role.log();
        if log.contains("the controller has started") { Ok(()) } else { Err(log) }
    })
    .await;
}

fn print(what: &str, mut took: Vec<SignedDuration>) {
    took.sort();
    let (first, middle, last) = (took[0], took[took.len() / 2], took[took.len() - 1]);
    println!("leader {what}, until the next one works, {RUNS} times: min {first:?}, median {middle:?}, max {last:?}");
}
