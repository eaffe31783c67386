//! Rooms come, change and go without end, while requests fail: nothing grows, and nothing is left.

use std::time::Duration;

use kube::api::{DeleteParams, ListParams};
use roomkeeper::api::Phase;
use roomkeeper::backend::Backend;
use serde_json::json;

use super::attack::CLASS;
use super::controller_behind;
use crate::support::fault_proxy::{Fault, FaultProxy, Faults};
use crate::support::livekit::Client;
use crate::support::operator::Role;
use crate::support::stage::{Place, Stage};
use crate::support::{eventually, repetitions, run};

/// What goes wrong with one request of each round: all that is over within a second.
const FAULTS: [Fault; 6] = [Fault::Reset, Fault::ResetAfter, Fault::Truncated, Fault::Status(409), Fault::Status(429), Fault::Status(503)];
/// After so many rounds the media server forgets everything.
const RESTART: usize = 20;
/// Within this time a round is as it must be, and later nothing is left of it.
const CONVERGES: Duration = Duration::from_mins(1);
/// What a process may have more at the end than after the first quarter: descriptors, and bytes.
const DESCRIPTORS: usize = 8;
const BYTES: u64 = 8 << 20;

/// What a process uses.
#[derive(Clone, Copy, Debug)]
struct Use {
    bytes: u64,
    descriptors: usize,
}

impl Use {
    fn of(role: &Role) -> Self {
        Self { bytes: role.process.resident_bytes(), descriptors: role.process.descriptors() }
    }

    /// The least of several, so that what is only there for a moment does not count.
    fn least(seen: &[Self]) -> Self {
        let bytes = seen.iter().map(|it| it.bytes).min().unwrap_or_default();
        Self { bytes, descriptors: seen.iter().map(|it| it.descriptors).min().unwrap_or_default() }
    }
}

#[test]
fn however_long_rooms_come_and_go_while_requests_fail_memory_and_descriptors_stay_flat_and_nothing_is_left() {
    run(async {
        let mut stage = Stage::start().await;
        let faults = Faults::default();
        let before_media_server = FaultProxy::before(&stage.livekit.url(), &faults).await;
        stage.class_behind(CLASS, &stage.livekit, before_media_server.port).await;
        let (_before_api_server, _) = controller_behind(&mut stage, &faults).await;
        let namespace = stage.place().await.namespace;
        let rounds = repetitions(4, 960);
        let mut seen = Vec::new();
        for round in 0..rounds {
            if round % RESTART == RESTART - 1 {
                stage.livekit.restart().await;
            }
            faults.arm(1 + round % 13, FAULTS[round % FAULTS.len()]);
            let place = stage.place_in(namespace.clone());
            live(&place, round).await;
            faults.disarm();
            nothing_is_left(&stage, &place).await;
            seen.push([Use::of(&stage.controller), Use::of(&stage.gateway)]);
        }
        for (number, role) in ["controller", "gateway"].into_iter().enumerate() {
            let of = |part: &[[Use; 2]]| Use::least(&part.iter().map(|both| both[number]).collect::<Vec<_>>());
            let quarter = rounds / 4;
            let (before, after) = (of(&seen[quarter..2 * quarter]), of(&seen[rounds - quarter..]));
            println!("{rounds} rounds, {role}: {before:?} in the second quarter, {after:?} in the last");
            assert!(after.descriptors <= before.descriptors + DESCRIPTORS, "{role}: {before:?} became {after:?}");
            assert!(after.bytes <= before.bytes + BYTES, "{role}: {before:?} became {after:?}");
        }
    });
}

/// Rooms from their creation to what is left of them before they are deleted.
async fn live(place: &Place<'_>, round: usize) {
    let name = |what: &str| format!("{what}-{round}");
    let people = json!([{"name": "ada"}, {"name": "ben"}]);
    for what in ["met", "suspended", "rotated", "over", "waits"] {
        let provision = if what == "waits" { "OnFirstJoin" } else { "OnOpen" };
        let spec = json!({"roomClassName": CLASS, "participants": people, "session": {"provision": provision}});
        place.apply(&name(what), spec).await;
    }
    for what in ["met", "suspended", "rotated", "over", "waits"] {
        place.until_phase(&name(what), Phase::Open).await;
    }
    let ben = Client::join(&place.credentials(&name("met"), "ben").await, &[]).await.expect("ben is in");
    place.edit(&name("met"), json!({"participants": [{"name": "ada"}]})).await;
    place.edit(&name("suspended"), json!({"suspend": true})).await;
    place.edit(&name("rotated"), json!({"participants": [{"name": "ada", "inviteGeneration": 1}, {"name": "ben"}]})).await;
    place.edit(&name("over"), json!({"validUntil": "2026-01-02T00:00:00Z"})).await;
    ben.event("disconnected").await;
    ben.close().await;
    place.until(&name("met"), |status| status.participants.len() == 1).await;
    place.until_phase(&name("suspended"), Phase::Suspended).await;
    place.until(&name("rotated"), |status| status.participants.iter().any(|entry| entry.invite_generation == 1)).await;
    place.until_phase(&name("over"), Phase::Expired).await;
}

/// Deletes the Rooms, and waits until neither they nor an invite nor a session is there.
async fn nothing_is_left(stage: &Stage, place: &Place<'_>) {
    place.rooms().delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("the Rooms are deleted");
    eventually(CONVERGES, async || {
        let rooms = place.rooms().list(&ListParams::default()).await.map_err(|error| error.to_string())?.items.len();
        let secrets = place.secret_names().await;
        let sessions = stage.livekit.backend().list_sessions("rk-").await.map_err(|failure| failure.to_string())?;
        let left = (rooms, secrets, sessions.len());
        if left == (0, Vec::new(), 0) { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}
