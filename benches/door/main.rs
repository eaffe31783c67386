//! `make bench`: what the door costs and how fast it shuts, on real servers on this machine.
//!
//! Prints figures and judges nothing: what must hold exactly is judged by the tests. `cargo bench --bench door -- joins guests 100000` runs those
//! two parts alone, and the second one at that size.

// The benchmark talks to people, and ends with what surprised it.
#![allow(clippy::print_stdout, clippy::expect_used)]

mod forged;
mod guests;
mod hammered;
mod idle;
mod joins;
mod messages;
mod rate;
mod resumptions;
mod revocations;
mod sockets;
mod spread;
// A part of it is used.
#[allow(dead_code)]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use roomkeeper::api::Phase;
use serde_json::{Value, json};

use support::run;
use support::stage::{Place, Stage};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(2);
/// Most people of a Room.
const MOST: usize = 350;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let nothing_is_named = arguments.iter().all(|argument| argument.parse::<usize>().is_ok());
    let wanted = |part: &str| nothing_is_named || arguments.iter().any(|argument| argument == part);
    let size = |part: &str, usual: usize| {
        let after = arguments.iter().skip_while(|argument| *argument != part).nth(1);
        after.and_then(|size| size.parse().ok()).unwrap_or(usual)
    };
    run(async {
        if wanted("forged") {
            forged::invites();
        }
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        if wanted("joins") {
            joins::one_after_the_other(&stage).await;
        }
        if wanted("rate") {
            rate::joins(&stage, size("rate", 500)).await;
        }
        if wanted("hammered") {
            hammered::joins(&stage).await;
        }
        if wanted("guests") {
            guests::in_one_namespace(&stage, size("guests", 5000)).await;
        }
        if wanted("revocations") {
            revocations::by_an_edit(&stage).await;
        }
        if wanted("messages") {
            messages::as_long_as_they_may_be(&stage).await;
        }
        if wanted("resumptions") {
            resumptions::of_all_at_once(&stage).await;
        }
        if wanted("idle") {
            idle::connections(&stage, size("idle", 1000)).await;
        }
    });
}

fn people(number: usize) -> Vec<Value> {
    (0..number).map(|number| json!({"name": format!("person-{number}")})).collect()
}

/// The invites of so many people, in open Rooms of as many as a Room may have.
async fn invited(place: &Place<'_>, number: usize) -> Vec<String> {
    let mut invites = Vec::new();
    while invites.len() < number {
        let name = format!("room-{}", invites.len() / MOST);
        place.apply(&name, json!({"participants": people(MOST.min(number - invites.len()))})).await;
        place.until_phase(&name, Phase::Open).await;
        invites.extend(place.invites(&name).await.into_values());
    }
    invites
}

#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
