//! `make bench`: what a Room costs and how fast things happen, on real servers on this machine.
//!
//! Prints figures and judges nothing: what must hold exactly is counted by the tests.

// The benchmark talks to people, and ends with what surprised it.
#![allow(clippy::print_stdout, clippy::expect_used)]

// A part of it is used.
#[allow(dead_code)]
#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use roomkeeper::api::{Phase, Room};
use roomkeeper::backend::Backend;
use serde_json::{Value, json};

use support::audit::{is_of_controller, request};
use support::livekit::Client;
use support::stage::{Place, Stage, condition, in_seconds, session};
use support::{eventually, now, run};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    run(async {
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        if wanted("one") {
            time_to_ready(&stage).await;
            lag_at_the_end(&stage).await;
            time_to_remove(&stage).await;
        }
        if wanted("thousand") {
            thousand_rooms(&stage).await;
        }
        println!("binary: {:.1} MiB", mebibytes(fs::metadata(env!("CARGO_BIN_EXE_roomkeeper")).expect("the binary").len()));
    });
}

fn people(number: usize) -> Vec<Value> {
    (0..number).map(|number| json!({"name": format!("person-{number}")})).collect()
}

/// From the answer to the creation to the sight of Ready in a watch, one Room after the other.
async fn time_to_ready(stage: &Stage) {
    for participants in [2, 10] {
        let place = stage.place().await;
        let mut events = watcher(place.rooms(), watcher::Config::default()).applied_objects().boxed();
        let mut took = Vec::new();
        for number in 0..50 {
            let name = format!("room-{number}");
            let started = now();
            place.apply(&name, json!({"participants": people(participants)})).await;
            while let Some(room) = events.try_next().await.expect("a watch") {
                if room.name_any() == name && ready(&room) {
                    break;
                }
            }
            took.push(now().duration_since(started));
        }
        print_spread(&format!("created to Ready, {participants} participants, 50 Rooms one by one"), took);
    }
}

fn ready(room: &Room) -> bool {
    room.status.as_ref().is_some_and(|status| condition(status, "Ready").0 == "True")
}

/// Twenty Rooms end at the same moment; how long after it their sessions are gone from the media server.
async fn lag_at_the_end(stage: &Stage) {
    let place = stage.place().await;
    let end = in_seconds(12);
    let mut sessions = Vec::new();
    for number in 0..20 {
        place.apply(&format!("room-{number}"), json!({"validUntil": end, "participants": people(3)})).await;
    }
    for number in 0..20 {
        sessions.push(session(&place.until_phase(&format!("room-{number}"), Phase::Open).await));
    }
    let end: Timestamp = end.parse().expect("a time");
    let backend = stage.livekit.backend();
    let mut gone: Vec<SignedDuration> = Vec::new();
    eventually(PATIENCE, async || {
        let alive = backend.list_sessions("rk-").await.expect("a list");
        let before = sessions.len();
        sessions.retain(|session| alive.iter().any(|summary| summary.id == *session));
        gone.extend(std::iter::repeat_n(now().duration_since(end), before - sessions.len()));
        if sessions.is_empty() { Ok(()) } else { Err("some are alive") }
    })
    .await;
    print_spread("end of the window to session gone, 20 Rooms at one moment (seen every 20 ms)", gone);
}

/// From the edit's answer to the client's disconnection.
async fn time_to_remove(stage: &Stage) {
    let place = stage.place().await;
    let mut took = Vec::new();
    for number in 0..10 {
        let name = format!("room-{number}");
        place.apply(&name, json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase(&name, Phase::Open).await;
        let credentials = stage.join(&place.invite(&name, "ada").await).await.credentials();
        let ada = Client::join(&credentials, &[]).await.expect("ada is in");
        let started = now();
        place.edit(&name, json!({"participants": []})).await;
        ada.event("disconnected").await;
        took.push(now().duration_since(started));
    }
    print_spread("removed from the spec to disconnected, 10 times", took);
}

/// A thousand Rooms of ten at once: throughput, API server's requests, memory of both roles, and how late the last of them ends.
async fn thousand_rooms(stage: &Stage) {
    const ROOMS: usize = 1000;
    let place = stage.place().await;
    let before = (stage.cluster.audit().len(), now());
    let others = stage.livekit.backend().list_sessions("rk-").await.expect("a list").len();
    let end = in_seconds(120);
    let create = |number: usize| {
        let (place, end) = (&place, &end);
        async move { place.apply(&format!("room-{number}"), json!({"validUntil": end, "participants": people(10)})).await }
    };
    let made: Vec<_> = (0..ROOMS).map(create).collect();
    stream::iter(made).buffer_unordered(16).for_each(|_| std::future::ready(())).await;
    let created = now();
    until_ready(&place, ROOMS).await;
    let (creating, all) = (created.duration_since(before.1).as_secs_f64(), now().duration_since(before.1).as_secs_f64());
    println!("1000 Rooms of 10: created in {creating:.1} s, all Ready after {all:.1} s");
    let ours = |event: &&Value| is_of_controller(event) && event["objectRef"]["namespace"] == place.namespace;
    let mut requests: Vec<String> = stage.cluster.audit()[before.0..].iter().filter(ours).map(request).collect();
    requests.sort();
    for group in requests.chunk_by(|a, b| a == b) {
        #[allow(clippy::cast_precision_loss)]
        let per_room = group.len() as f64 / ROOMS as f64;
        println!("  {}: {} in all, {per_room:.2} per Room", group[0], group.len());
    }
    for (role, process) in [("controller", &stage.controller.process), ("gateway", &stage.gateway.process)] {
        println!("  resident memory of the {role}: {:.1} MiB", mebibytes(process.resident_bytes()));
    }
    ends(stage, &place, end.parse().expect("a time"), others).await;
}

/// Sees all Rooms end that end at this moment, until only the sessions of others are there.
async fn ends(stage: &Stage, place: &Place<'_>, end: Timestamp, others: usize) {
    let wait = now().duration_until(end);
    tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
    let backend = stage.livekit.backend();
    // Looked at seldom, because each look costs the servers as much as some of what is measured.
    let mut looks = tokio::time::interval(Duration::from_millis(250));
    while backend.list_sessions("rk-").await.expect("a list").len() > others {
        looks.tick().await;
    }
    let closed = now().duration_since(end).as_secs_f64();
    let first = ListParams::default().limit(1);
    while !place.secrets().list_metadata(&first).await.expect("a list").items.is_empty() {
        looks.tick().await;
    }
    let withdrawn = now().duration_since(end).as_secs_f64();
    println!(
        "1000 Rooms of 10 that end at one moment: the last session is closed after {closed:.1} s, the last invite withdrawn after {withdrawn:.1} s"
    );
}

async fn until_ready(place: &Place<'_>, number: usize) {
    let mut events = watcher(place.rooms(), watcher::Config::default()).applied_objects().boxed();
    let mut seen = std::collections::HashSet::new();
    while seen.len() < number {
        let room = events.try_next().await.expect("a watch").expect("a Room");
        if ready(&room) {
            seen.insert(room.name_any());
        }
    }
}

fn print_spread(what: &str, mut took: Vec<SignedDuration>) {
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_millis();
    println!("{what}: min {} ms, median {} ms, p99 {} ms, max {} ms", at(0), at(50), at(99), at(100));
}

#[allow(clippy::cast_precision_loss)]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}
