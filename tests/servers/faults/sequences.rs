//! Edits one after the other, good ones and bad ones: where a Room ends does not depend on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use roomkeeper::api::RoomStatus;
use serde_json::{Value, json};

use super::controller_behind;
use crate::support::fault_proxy::Faults;
use crate::support::stage::{Place, Stage, value};
use crate::support::{all_faults, eventually, run_heavy};

/// How many sequences a short run and a long one try.
const SHORT: usize = 40;
const LONG: usize = 5_000;
/// Sequences whose Rooms are there at the same time, and those that go on at the same time.
const BATCH: usize = 60;
const AT_ONCE: usize = 12;
/// Longest sequence.
const EDITS: usize = 8;
/// Within this time a Room is as one that was made with the same spec.
const CONVERGES: Duration = Duration::from_secs(30);
/// Most writes of the controller for one edit: four people come or go, the session, the finalizer, and the status twice.
const WRITES: usize = 12;
/// Sweeps in which a controller does what is left to do: two of each of the two classes. By the second it has found a session that an earlier spec
/// asked for, and that no status tells of.
const SWEEPS: f64 = 4.0;
/// Holds fewer people and shorter calls than the schema allows, so that a spec can be good and not accepted.
const CLASS: &str = "tight";

#[test]
fn after_any_edits_good_and_bad_a_room_is_as_one_that_is_made_with_the_same_spec() {
    run_heavy(async {
        let first: usize = std::env::var("ROOMKEEPER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_default();
        let seeds: Vec<usize> = (first..first + if all_faults() { LONG } else { SHORT }).collect();
        let mut stage = Stage::start().await;
        stage.class(CLASS, &stage.livekit, json!({"limits": {"maxParticipants": 3, "maxDuration": "24h"}})).await;
        let faults = Faults::default();
        let (_proxy, _) = controller_behind(&mut stage, &faults).await;
        for seeds in seeds.chunks(BATCH) {
            batch(&stage, &faults, seeds).await;
        }
        assert!(stage.controller.process.exited().is_none(), "the controller that began is the one that ends");
        println!("{:4} sequences held, from seed {first}", seeds.len());
    });
}

/// Carries sequences out, and waits until nothing of them is left.
async fn batch(stage: &Stage, faults: &Faults, seeds: &[usize]) {
    let place = stage.place().await;
    let before = faults.changes();
    let one = async |seed: &usize| sequence(&place, *seed).await;
    let accepted: Vec<usize> = stream::iter(seeds).map(one).buffer_unordered(AT_ONCE).collect().await;
    stage.controller.sweeps(SWEEPS).await;
    let (written, accepted) = (faults.changes() - before, accepted.iter().sum::<usize>());
    assert!(written <= WRITES * accepted, "seeds {seeds:?}: {written} writes for {accepted} edits");
    stage.controller.sweeps(SWEEPS).await;
    assert_eq!(faults.changes() - before, written, "seeds {seeds:?}: nothing is written any more, but {}", faults.latest());
    place.rooms().delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("the Rooms are deleted");
    eventually(Duration::from_mins(1), async || {
        let rooms = place.rooms().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let secrets = place.secret_names().await;
        if rooms.items.is_empty() && secrets.is_empty() { Ok(()) } else { Err(format!("{} Rooms, {secrets:?}", rooms.items.len())) }
    })
    .await;
}

/// Carries a sequence out, and compares. How many of its edits, with both creations, the API server took.
async fn sequence(place: &Place<'_>, seed: usize) -> usize {
    let (edits, last) = generate(seed);
    let name = format!("edited-{seed}");
    place.apply(&name, json!({"roomClassName": CLASS, "participants": [{"name": "ada"}]})).await;
    let (mut accepted, mut generations) = (2, BTreeMap::new());
    for edit in edits.iter().chain([&last]) {
        let edit = with_generations(edit, &generations);
        let patch = Patch::Merge(json!({"spec": edit}));
        match place.rooms().patch(&name, &PatchParams::default(), &patch).await {
            Ok(room) => {
                accepted += 1;
                for person in &room.spec.participants {
                    let highest = generations.entry(person.name.clone()).or_default();
                    *highest = person.invite_generation.unwrap_or_default().max(*highest);
                }
            }
            Err(kube::Error::Api(status)) if status.code == 422 => {}
            Err(error) => panic!("seed {seed}: {edit}: {error}"),
        }
    }
    let edited = place.rooms().get(&name).await.expect("the Room");
    let fresh = format!("fresh-{seed}");
    place.apply(&fresh, serde_json::to_value(&edited.spec).expect("JSON")).await;
    eventually(CONVERGES, async || {
        let (edited, fresh) = (look(place, &name).await?, look(place, &fresh).await?);
        let is_done = |room: &Value| room["conditions"].to_string().contains("\"Ready\",\"True\"");
        if is_done(&fresh) && edited == fresh {
            Ok(())
        } else {
            Err(format!("seed {seed}: {edits:?}, then {last}: {edited} is not {fresh}"))
        }
    })
    .await;
    accepted
}

/// What of a Room and its invites must not depend on the way.
async fn look(place: &Place<'_>, name: &str) -> Result<Value, String> {
    let room = place.rooms().get(name).await.map_err(|error| error.to_string())?;
    let status: RoomStatus = room.status.clone().unwrap_or_default();
    if status.observed_generation != room.metadata.generation {
        return Err(format!("{name} is not observed yet"));
    }
    // A session that is there stays when the spec would have it made later.
    let reason = |it: &Condition| if it.type_ == "SessionReady" { String::new() } else { it.reason.clone() };
    let conditions: Vec<_> = status.conditions.iter().map(|it| json!([it.type_, it.status, reason(it)])).collect();
    let ledger: Vec<_> = status.participants.iter().map(|it| json!([it.name, it.role, it.invite_generation])).collect();
    let of_room = ListParams::default().labels(&format!("{}={name}", roomkeeper::api::LABEL_ROOM));
    let secrets = place.secrets().list(&of_room).await.map_err(|error| error.to_string())?;
    let mut invites: Vec<_> =
        secrets.items.iter().map(|secret| format!("{} {}", value(secret, "participant"), value(secret, "role"))).collect();
    invites.sort();
    let lives = status.session.as_ref().is_some_and(|session| session.ended_at.is_none());
    Ok(json!({"phase": format!("{:?}", status.phase), "conditions": conditions, "ledger": ledger, "invites": invites, "session": lives}))
}

/// An edit in which nobody's generation shrinks below one that was in force.
fn with_generations(edit: &Value, generations: &BTreeMap<String, i64>) -> Value {
    let mut edit = edit.clone();
    for person in edit["participants"].as_array_mut().into_iter().flatten() {
        let least = person["name"].as_str().and_then(|name| generations.get(name)).copied().unwrap_or_default();
        let wanted = person["inviteGeneration"].as_i64().unwrap_or_default();
        person["inviteGeneration"] = wanted.max(least).into();
    }
    edit
}

/// The edits of a sequence, and the last one, after which the spec is good.
fn generate(seed: usize) -> (Vec<Value>, Value) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let last = (people(3), any::<bool>()).prop_map(|(people, suspend)| {
        json!({"participants": people, "suspend": suspend, "maxParticipants": null, "validUntil": null, "duration": "1h"})
    });
    let sequence = (prop::collection::vec(edit(), 2..=EDITS), last);
    sequence.new_tree(&mut runner).expect("edits").current()
}

fn edit() -> impl Strategy<Value = Value> {
    let of = |field: &'static str, values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(move |value| json!({field: serde_json::from_str::<Value>(value).expect("JSON")}))
    };
    prop_oneof![
        4 => people(5).prop_map(|people| json!({"participants": people})),
        1 => Just(json!({"participants": [{"name": "ada"}, {"name": "ada"}]})),
        2 => any::<bool>().prop_map(|suspend| json!({"suspend": suspend})),
        2 => of("validUntil", &["null", r#""2026-01-02T00:00:00Z""#, r#""2027-01-02T00:00:00Z""#, r#""soon""#]),
        2 => of("validFrom", &["null", r#""2026-01-01T00:00:00Z""#, r#""2027-01-01T00:00:00Z""#, "7"]),
        1 => of("duration", &["null", r#""1h""#, r#""100h""#, r#""0s""#]),
        1 => of("maxParticipants", &["null", "1", "3", "5", "0", "-1"]),
        1 => of("ttlSecondsAfterExpired", &["null", "3600", "-1"]),
        1 => of("session", &["null", r#"{"provision": "OnFirstJoin"}"#, r#"{"provision": "Never"}"#]),
        1 => of("displayName", &["null", r#""A call""#, "[]"]),
    ]
}

/// At most so many people, each once.
fn people(most: usize) -> impl Strategy<Value = Vec<Value>> {
    let roles = prop::sample::select(&["Presenter", "Collaborator", "Attendee", "Consumer"][..]);
    let names = prop::sample::subsequence(&["ada", "ben", "cyd", "dee", "eve"][..], 0..=most);
    (names, prop::collection::vec((roles, any::<bool>(), 0..2_i64), 5)).prop_map(|(names, how)| {
        let person = |(name, (role, suspended, generation)): (&str, (&str, bool, i64))| {
            json!({"name": name, "role": role, "suspended": suspended, "inviteGeneration": generation})
        };
        names.into_iter().zip(how).map(person).collect()
    })
}
