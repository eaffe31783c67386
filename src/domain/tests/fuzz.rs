//! Specs that nobody should write, from manifest to plan and status: what the API server let pass, by this or an older schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::*;
use crate::api::{RoomClass, RoomGuest, RoomSpec};
use crate::domain::{Goal, Plan};
use crate::fixtures::{default_class, moment};
use crate::fuzzing::{duration, fuzz, moment as odd_moment, number, number_of, text};

/// More reconciliations at one moment than any Room needs until there is nothing more to do.
const MOST: usize = 5;
/// Longest message of a condition that the API server takes, in bytes.
const LONGEST_MESSAGE: usize = 32_768;
/// Most bytes of a status besides what it says of people, and for each of these.
const STATUS: usize = 16 * 1024;
const OF_A_PERSON: usize = 512;

fn roles() -> impl Strategy<Value = Value> {
    prop_oneof![8 => select(["Presenter", "Collaborator", "Attendee", "Consumer"].as_slice()), 1 => Just("presenter")].prop_map(Value::from)
}

/// An object of those of its fields that are there.
fn object(fields: Vec<(&str, Option<Value>)>) -> Value {
    Value::Object(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
}

fn some<T: Into<Value>>(value: Option<T>) -> Option<Value> {
    value.map(Into::into)
}

/// Names, which every schema has held to the form of a DNS label.
fn names() -> impl Strategy<Value = String> {
    let odd = ["guest-eve", "guest-ada", "link", "0", "1e3", "on", "a-9", "a--b"].map(str::to_owned);
    prop_oneof![4 => select(["ada", "ben", "pia", "eve"].map(str::to_owned).to_vec()), 2 => select(odd.to_vec()), 1 => Just("x".repeat(63))]
}

fn participants() -> impl Strategy<Value = Value> {
    let person = (names(), of(text(140)), of(roles()), of(any::<bool>()), of(number_of(i64::MIN)));
    let person = person.prop_map(|(name, display_name, role, suspended, generation)| {
        let display_name = some(display_name);
        object(vec![
            ("name", Some(name.into())),
            ("displayName", display_name),
            ("role", role),
            ("suspended", some(suspended)),
            ("inviteGeneration", some(generation)),
        ])
    });
    let few = vec(person, 0..5).prop_map(Value::Array);
    let many = (345_usize..360).prop_map(|number| (0..number).map(|number| json!({"name": format!("p{number}")})).collect());
    prop_oneof![20 => few, 1 => many]
}

/// Specs whose every field may be absent, right, or right by its type alone.
fn specs() -> impl Strategy<Value = Value> {
    let link = (of(roles()), of(number_of(i64::MIN)));
    let link = link.prop_map(|(role, generation)| object(vec![("role", role), ("generation", some(generation))]));
    let provision = select(["OnOpen", "OnFirstJoin"].as_slice());
    let session = (of(provision), of(duration()));
    let session = session.prop_map(|(when, after)| object(vec![("provision", some(when)), ("closeWhenEmptyAfter", some(after))]));
    let metadata = vec((text(70), text(70)), 0..3).prop_map(|pairs| {
        let labels: Map<String, Value> = pairs.into_iter().map(|(key, value)| (key, value.into())).collect();
        json!({"metadata": {"labels": labels, "annotations": labels}})
    });
    let names = (of(text(140)), of(text(64)), proptest::option::weighted(0.1, text(253)));
    let times = (of(odd_moment()), of(odd_moment()), proptest::option::weighted(0.3, duration()));
    let policy = of(select(["InviteOnly", "AnyoneWithLink"].as_slice()));
    let numbers = (proptest::option::weighted(0.3, number()), proptest::option::weighted(0.3, number()));
    let more = (policy, of(link), of(session), of(metadata), of(any::<bool>()));
    (names, times, numbers, more, participants()).prop_map(|(names, times, numbers, more, participants)| {
        object(vec![
            ("displayName", some(names.0)),
            ("id", some(names.1)),
            ("roomClassName", some(names.2)),
            ("validFrom", some(times.0)),
            ("validUntil", some(times.1)),
            ("duration", some(times.2)),
            ("maxParticipants", some(numbers.0)),
            ("ttlSecondsAfterExpired", some(numbers.1)),
            ("joinPolicy", some(more.0)),
            ("link", more.1),
            ("session", more.2),
            ("inviteTemplate", more.3),
            ("suspend", some(more.4)),
            ("participants", Some(participants)),
        ])
    })
}

/// The class of Rooms that name none, with odd limits.
fn classes() -> impl Strategy<Value = RoomClass> {
    (of(duration()), proptest::option::weighted(0.3, number()), proptest::option::weighted(0.3, number())).prop_map(
        |(longest, most, ttl)| {
            let limits = object(vec![("maxDuration", some(longest)), ("maxParticipants", some(most))]);
            let spec = object(vec![("backend", Some(json!({}))), ("limits", Some(limits)), ("ttlSecondsAfterExpired", some(ttl))]);
            let spec = serde_json::from_value(spec).unwrap_or_else(|_| default_class().spec);
            RoomClass { spec, ..default_class() }
        },
    )
}

/// Guests, some of whom invited each other.
fn guests() -> impl Strategy<Value = Vec<Arc<RoomGuest>>> {
    let name = || select(["eve", "max", "zoe"].as_slice()).prop_map(str::to_owned);
    let inviter =
        prop_oneof![name().prop_map(|name| format!("guest-{name}")), select(["ada", "*", "pia"].as_slice()).prop_map(str::to_owned)];
    let guest = (prop_oneof![3 => name(), 1 => names()], text(140), roles(), of(inviter), of(number_of(i64::MIN)), of(text(40)));
    let guest = guest.prop_map(|(name, display_name, role, invited_by, generation, uid)| {
        let spec = object(vec![
            ("roomName", Some("standup".into())),
            ("displayName", Some(display_name.into())),
            ("role", Some(role)),
            ("invitedBy", some(invited_by)),
            ("inviterGeneration", some(generation)),
        ]);
        serde_json::from_value(json!({"metadata": {"namespace": "team", "name": name, "uid": uid}, "spec": spec})).ok().map(Arc::new)
    });
    vec(guest, 0..4).prop_map(|guests| guests.into_iter().flatten().collect())
}

fn moments() -> impl Strategy<Value = Timestamp> {
    let around = (-400_000_i64..400_000).prop_map(|seconds| moment("2030-01-15T09:00:00Z") + SignedDuration::from_secs(seconds));
    prop_oneof![8 => around, 1 => Just(Timestamp::MIN), 1 => Just(Timestamp::MAX)]
}

/// What holds of everything that is made of a spec, whatever it says.
fn bounded(sim: &Simulation, plan: &Plan) -> Result<(), TestCaseError> {
    let (room, status) = (sim.room(), sim.status());
    let people = room.spec.participants.len() + sim.guests.len() + status.participants.len() + status.rotated_invites.len() + 2;
    prop_assert!(plan.steps.len() <= 2 * people + 3, "{} steps for {people} people", plan.steps.len());
    prop_assert!(plan.next_transition.is_none_or(|next| next > sim.now));
    prop_assert!(status.conditions.iter().all(|condition| condition.message.len() <= LONGEST_MESSAGE));
    let length = serde_json::to_string(status).unwrap().len();
    prop_assert!(length <= STATUS + people * OF_A_PERSON, "{length} bytes for {people} people");
    Ok(())
}

/// Reconciles until there is nothing more to do; whether the object is still there.
fn comes_to_rest(sim: &mut Simulation) -> Result<bool, TestCaseError> {
    for _ in 0..MOST {
        if sim.room.is_none() {
            return Ok(false);
        }
        bounded(sim, &sim.plan())?;
        let pass = sim.reconcile();
        if pass.steps.is_empty() && !pass.wrote_status {
            prop_assert!(pass.event_drafts.is_empty());
            return Ok(true);
        }
    }
    let last = sim.room.is_some().then(|| sim.reconcile()).map(|pass| (pass.steps, sim.room.as_ref().and_then(|room| room.status.clone())));
    prop_assert!(last.is_none(), "no rest: {last:?}");
    Ok(false)
}

fn is_written_as_read(mut spec: RoomSpec) -> Result<(), TestCaseError> {
    // kube reads durations as fractions of 64 bits, and Kubernetes writes whole seconds.
    (spec.duration, spec.session) = (None, None);
    let written = serde_json::to_value(&spec).unwrap();
    let read_again = serde_json::from_value::<RoomSpec>(written.clone()).unwrap();
    prop_assert_eq!(serde_json::to_value(read_again).unwrap(), written);
    Ok(())
}

#[test]
fn whatever_a_spec_says_its_room_is_planned_for_in_bounds_comes_to_rest_and_can_be_deleted() {
    let others = (classes(), guests(), proptest::collection::btree_set(text(20), 0..3));
    fuzz(&(specs(), others, (moments(), moments()), specs()), |(spec, (class, guests, removed), (first, second), edited)| {
        let Ok(read) = serde_json::from_value::<RoomSpec>(spec) else { return Ok(()) };
        is_written_as_read(read.clone())?;
        let mut sim = Simulation::new(read);
        let removed: BTreeSet<String> = removed;
        (sim.class, sim.guests, sim.removed, sim.now) = (Some(class), guests, removed, first);
        let mut is_there = comes_to_rest(&mut sim)?;
        for (now, spec) in [(second, None), (second, serde_json::from_value::<RoomSpec>(edited).ok()), (first, None)] {
            if !is_there {
                return Ok(());
            }
            sim.now = now;
            if let Some(spec) = spec {
                sim.edit(|before| *before = spec);
            }
            is_there = comes_to_rest(&mut sim)?;
        }
        sim.delete();
        prop_assert!(!is_there || !comes_to_rest(&mut sim)?, "the object is still there");
        Ok(())
    });
}

#[test]
fn the_specs_of_this_test_are_of_every_fate() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let inputs = (specs(), classes(), moments());
    let mut fates = std::collections::BTreeMap::<&str, usize>::new();
    for _ in 0..2000 {
        let (spec, class, now) = inputs.new_tree(&mut runner).unwrap().current();
        let fate = match serde_json::from_value::<RoomSpec>(spec).map(Simulation::new) {
            Err(_) => "unreadable",
            Ok(mut sim) => {
                (sim.class, sim.now) = (Some(class), now);
                match sim.plan().goal {
                    Goal::NotAccepted(_) => "not accepted",
                    Goal::Scheduled => "scheduled",
                    Goal::Open => "open",
                    Goal::Suspended => "suspended",
                    Goal::Expired => "expired",
                    Goal::Gone { .. } => "gone",
                }
            }
        };
        *fates.entry(fate).or_default() += 1;
    }
    assert!(fates.len() == 6 && fates.values().all(|count| *count > 20), "{fates:?}");
}
