//! `make bench`: what sound and pictures cost the media server, for `docs/guides/sizing.md`: so much for whoever sends, and so much for each copy.
//!
//! `cargo bench --bench media -- 4x4 1x40` measures those calls alone: so many people who send, by so many who are there.

// The benchmark talks to people, and ends with what surprised it.
#![allow(clippy::print_stdout, clippy::expect_used)]

// A part of it is used.
#[allow(dead_code)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use roomkeeper::api::Role;
use roomkeeper::backend::{Backend, MediaCredentials};
use roomkeeper::domain::TokenGrant;
use tokio::time::sleep;

use support::livekit::{Client, LiveKitServer, Options};
use support::{now, run, window};

/// Calls that are measured unless others are named: how many of how many people send voice and picture.
const CALLS: [(usize, usize); 4] = [(0, 20), (1, 10), (1, 40), (4, 8)];
/// How long each call is watched, once everything flows.
const WATCHED: Duration = Duration::from_secs(20);

fn main() {
    let named = std::env::args().skip(1).filter_map(|call| {
        let (senders, people) = call.split_once('x')?;
        Some((senders.parse().ok()?, people.parse().ok()?))
    });
    let named: Vec<(usize, usize)> = named.collect();
    run(async {
        for (senders, people) in if named.is_empty() { CALLS.to_vec() } else { named } {
            measure(senders, people).await;
        }
    });
}

/// One call on a server of its own: `senders` of its `people` send, and everybody gets what all others send.
async fn measure(senders: usize, people: usize) {
    let livekit = LiveKitServer::start(Options::default()).await;
    let backend = livekit.backend();
    backend.ensure("call", window().into()).await.expect("made");
    let (_, memory_before) = livekit.used();
    let clients = join_all((0..people).map(async |number| {
        let sources: &[&str] = if number < senders { &["microphone", "camera"] } else { &[] };
        Client::start_with(&credentials(&backend, number).await, sources, &["--load"])
    }));
    let clients: Vec<Client> = clients.await;
    let all_flows = clients.iter().enumerate().map(async |(number, client)| {
        let expected = 2 * if number < senders { senders - 1 } else { senders };
        let is_media = |event: &serde_json::Value| event["event"] == "media-received";
        let received = || client.events().into_iter().filter(is_media).count();
        client.event("connected").await;
        while received() < expected {
            sleep(Duration::from_millis(50)).await;
        }
    });
    join_all(all_flows).await;
    let (before, _) = livekit.used();
    let begun = now();
    sleep(WATCHED).await;
    let (after, memory) = livekit.used();
    let seconds = now().duration_since(begun).as_secs_f64();
    let copies = senders * (people - 1);
    println!(
        "{senders} of {people} people send: {copies} copies of a voice and a picture, {:.3} of a core, {:.1} MiB more than an empty call",
        (after.as_secs_f64() - before.as_secs_f64()) / seconds,
        mebibytes(memory) - mebibytes(memory_before)
    );
}

async fn credentials(backend: &impl Backend, number: usize) -> MediaCredentials {
    let grant = TokenGrant {
        identity: format!("person-{number}"),
        display_name: format!("Person {number}"),
        role: Role::Collaborator,
        generation: 0,
        signed_by: None,
        not_before: now(),
        expires_at: now() + SignedDuration::from_mins(5),
    };
    backend.mint_token("call", &grant).await.expect("a token")
}

// No server has so much memory.
#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
