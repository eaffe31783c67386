//! Exact numbers of requests, from the API server's audit log.

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use roomkeeper::api::{FINALIZER, Phase, Room, RoomGuest, RoomSpec};
use serde_json::{Value, json};

use crate::support::audit::{is_of_controller, request};
use crate::support::helm::set_finalizers;
use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, run};

/// Verb and resource of what the controller asked the API server for, in one namespace if one is named, after the first
/// `skip` events.
fn requests(stage: &Stage, namespace: Option<&str>, skip: usize) -> Vec<String> {
    let is_there = |event: &&Value| namespace.is_none_or(|namespace| event["objectRef"]["namespace"] == namespace);
    stage.cluster.audit().iter().skip(skip).filter(|event| is_of_controller(event)).filter(is_there).map(request).collect()
}

/// The requests since then, once so many writes are among them: the API server answers first, and writes its log then.
async fn logged(stage: &Stage, namespace: &str, skip: usize, number: usize) -> Vec<String> {
    eventually(PATIENCE, async || {
        let seen = requests(stage, Some(namespace), skip);
        if writes(&seen).len() >= number { Ok(seen) } else { Err(format!("{seen:?}")) }
    })
    .await
}

fn writes(requests: &[String]) -> Vec<&str> {
    let is_write = |request: &&str| !["get", "list", "watch", "dry-run"].contains(&request.split(' ').next().unwrap_or_default());
    requests.iter().map(String::as_str).filter(is_write).collect()
}

fn sorted(mut requests: Vec<&str>) -> Vec<&str> {
    requests.sort_unstable();
    requests
}

/// How many passes the controller has finished since its start.
async fn passes(stage: &Stage) -> u64 {
    let metrics = stage.controller.metrics().await;
    let line = metrics.lines().find(|line| line.starts_with("roomkeeper_reconcile_duration_seconds_count")).unwrap_or_default();
    line.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Waits until the controller has finished as many passes since its start.
async fn finished(stage: &Stage, wanted: u64) {
    eventually(PATIENCE, async || match passes(stage).await {
        count if count >= wanted => Ok(()),
        count => Err(format!("{count} passes")),
    })
    .await;
}

#[test]
fn an_open_room_costs_one_write_per_invite_and_two_more_and_no_read() {
    run(async {
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        let place = stage.place().await;
        let people: Vec<Value> = (0..10).map(|number| json!({"name": format!("person-{number}")})).collect();
        place.apply("call", json!({"participants": people})).await;
        place.until_phase("call", Phase::Open).await;
        place.event("call", "Opened").await;
        let requests = logged(&stage, &place.namespace, 0, 13).await;
        let mut expected = vec!["create secrets"; 10];
        expected.extend(["patch rooms", "update rooms/status"]);
        // The Event comes after the status, and is told apart: it is not needed for the Room to be Ready.
        let (events, others): (Vec<&str>, Vec<&str>) =
            requests.iter().map(String::as_str).partition(|request| request.ends_with(" events"));
        assert_eq!(sorted(others), sorted(expected), "two more writes than people, and nothing read");
        assert_eq!(events, ["create events"]);
        assert_eq!(requests.last().map(String::as_str), Some("create events"));
    });
}

#[test]
fn where_the_cluster_sets_the_finalizer_a_room_costs_one_write_less_and_applying_it_again_neither_changes_it_nor_takes_it_away() {
    run(async {
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        let place = stage.place().await;
        set_finalizers(&stage.cluster, &place.rooms()).await;
        let spec = json!({"participants": [{"name": "ada"}, {"name": "ben"}]});
        place.apply("call", spec.clone()).await;
        let open = place.until_phase("call", Phase::Open).await;
        place.event("call", "Opened").await;
        let needed = ["create events", "create secrets", "create secrets", "update rooms/status"];
        let asked = logged(&stage, &place.namespace, 0, needed.len()).await;
        assert_eq!(sorted(asked.iter().map(String::as_str).collect()), needed, "no write for the finalizer");
        let again = place.apply("call", spec).await;
        assert_eq!(
            (again.metadata.resource_version, again.metadata.finalizers),
            (open.metadata.resource_version, Some(vec![FINALIZER.into()]))
        );

        let mut held = Room::new("held", RoomSpec::default());
        held.metadata.finalizers = Some(vec!["example.org/archive".into()]);
        let held = place.rooms().create(&PostParams::default(), &held).await.expect("a Room");
        assert_eq!(held.finalizers(), ["example.org/archive", FINALIZER]);
        place.delete("call").await;
        place.until_gone("call", PATIENCE).await;
    });
}

#[test]
fn a_scheduled_room_costs_the_same_and_its_opening_one_status_write() {
    run(async {
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        let place = stage.place().await;
        place.apply("call", json!({"validFrom": in_seconds(5), "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Scheduled).await;
        place.event("call", "Scheduled").await;
        let scheduled = ["create events", "create secrets", "create secrets", "patch rooms", "update rooms/status"];
        let before = logged(&stage, &place.namespace, 0, scheduled.len()).await;
        assert_eq!(sorted(before.iter().map(String::as_str).collect()), scheduled);
        place.until_phase("call", Phase::Open).await;
        place.event("call", "Opened").await;
        let after = logged(&stage, &place.namespace, 0, scheduled.len() + 2).await;
        assert_eq!(sorted(after[before.len()..].iter().map(String::as_str).collect()), ["create events", "update rooms/status"]);
    });
}

#[test]
fn an_unchanged_re_apply_and_a_restart_cost_no_write() {
    run(async {
        let mut stage = Stage::start().await;
        let place = stage.place().await;
        let spec = |number: i64| match number {
            0 => json!({"validFrom": in_seconds(3000), "participants": [{"name": "ada"}, {"name": "ben"}]}),
            1 => json!({"validUntil": in_seconds(-10), "participants": [{"name": "ada"}]}),
            _ => json!({"duration": "2h", "participants": [{"name": "ada"}, {"name": "ben", "role": "Presenter"}]}),
        };
        let specs: Vec<Value> = (0..5).map(spec).collect();
        let mut rooms: Vec<Room> = Vec::new();
        for (number, spec) in specs.iter().enumerate() {
            let name = format!("call-{number}");
            place.apply(&name, spec.clone()).await;
            let phase = match number {
                0 => Phase::Scheduled,
                1 => Phase::Expired,
                _ => Phase::Open,
            };
            rooms.push(place.until_phase(&name, phase).await);
        }
        for name in ["call-2", "call-3", "call-4"] {
            place.event(name, "Opened").await;
        }
        let (namespace, mark) = (place.namespace.clone(), stage.cluster.audit().len());
        for (room, spec) in rooms.iter().zip(&specs) {
            let again = place.apply(&room.name_any(), spec.clone()).await;
            assert_eq!(again.metadata.resource_version, room.metadata.resource_version);
        }
        stage.restart_controller().await;
        finished(&stage, 5).await;
        let since = requests(&stage, None, mark);
        let touched: Vec<&str> = writes(&since).into_iter().filter(|write| write.contains("rooms") || write.contains("secrets")).collect();
        assert_eq!(touched, Vec::<&str>::new());
        // One list of the sessions tells as much.
        let observed = "roomkeeper_backend_calls_total{backend=\"livekit\",op=\"observe\",code=\"OK\"}";
        assert_eq!(stage.controller.metric(observed).await, None, "no session was asked for by itself");
        let place_after = kube::Api::<Room>::namespaced(stage.admin.clone(), &namespace);
        for room in rooms {
            let now = place_after.get(&room.name_any()).await.expect("the Room");
            assert_eq!(now.metadata.resource_version, room.metadata.resource_version, "{}", room.name_any());
        }
    });
}

#[test]
fn one_person_more_or_less_or_in_another_role_costs_two_writes_and_an_edit_that_concerns_no_invite_one() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let people = |number: u32| -> Vec<Value> { (0..number).map(|number| json!({"name": format!("person-{number}")})).collect() };
        place.apply("call", json!({"participants": people(350)})).await;
        place.until_phase("call", Phase::Open).await;
        place.event("call", "Opened").await;
        let mut other_role = people(349);
        other_role[7]["role"] = json!("Presenter");
        let edits = [
            (json!({"participants": people(349)}), vec!["delete secrets", "update rooms/status"]),
            (json!({"participants": people(350)}), vec!["create secrets", "update rooms/status"]),
            (json!({"participants": people(349)}), vec!["delete secrets", "update rooms/status"]),
            (json!({"participants": other_role}), vec!["update rooms/status", "update secrets"]),
            (json!({"displayName": "Renamed"}), vec!["update rooms/status"]),
        ];
        for (edit, expected) in edits {
            let mark = stage.cluster.audit().len();
            place.edit("call", edit.clone()).await;
            // It waits for the status of this edit.
            place.until_phase("call", Phase::Open).await;
            let seen = logged(&stage, &place.namespace, mark, expected.len()).await;
            assert_eq!(sorted(writes(&seen)), expected, "{edit}");
        }
    });
}

/// Guests without a Room, in a namespace of their own.
const CROWD: usize = 300;
/// Requests of the test at the same time.
const AT_ONCE: usize = 16;

#[test]
fn guests_of_others_cost_a_room_nothing_and_a_namespace_wakes_its_rooms_by_its_labels_alone() {
    run(async {
        let stage = Stage::start().await;
        let (place, crowded) = (stage.place().await, stage.place().await);
        let calls = place.open_calls(10).await;
        for call in &calls {
            place.event(call, "Opened").await;
        }
        let (before, mark) = (passes(&stage).await, stage.cluster.audit().len());

        let guests = Api::<RoomGuest>::namespaced(stage.admin.clone(), &crowded.namespace);
        let make = async |number: usize| {
            let spec = json!({"roomName": "nowhere", "displayName": "Guest", "role": "Attendee"});
            let guest = json!({"metadata": {"name": format!("g{number:03}")}, "spec": spec});
            let guest = serde_json::from_value(guest).expect("a guest");
            guests.create(&PostParams::default(), &guest).await.expect("the guest is accepted");
        };
        stream::iter(0..CROWD).map(make).buffer_unordered(AT_ONCE).collect::<()>().await;
        eventually(PATIENCE, async || {
            let all = guests.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let is_told = |guest: &&RoomGuest| {
                guest.status.iter().flat_map(|status| &status.conditions).any(|condition| condition.reason == "RoomNotFound")
            };
            let told = all.items.iter().filter(is_told).count();
            if told == CROWD { Ok(()) } else { Err(format!("{told} are told")) }
        })
        .await;
        assert_eq!(requests(&stage, Some(&crowded.namespace), mark), vec!["patch roomguests/status"; CROWD], "each is told once");

        let namespaces = Api::<Namespace>::all(stage.admin.clone());
        let change = async |metadata: Value| {
            let patch = Patch::Merge(json!({"metadata": metadata}));
            namespaces.patch(&place.namespace, &PatchParams::default(), &patch).await.expect("the edit is accepted");
        };
        for beat in 0..10 {
            change(json!({"annotations": {"beat": beat.to_string()}})).await;
        }
        assert_eq!(passes(&stage).await, before, "neither the guests nor the annotations have woken a Room");
        // What the watch tells of a namespace comes in order, so that the annotations were seen before this.
        change(json!({"labels": {"team": "board"}})).await;
        finished(&stage, before + 10).await;
        assert_eq!(passes(&stage).await, before + 10, "each Room once, for the label");
        assert_eq!(requests(&stage, Some(&place.namespace), mark), Vec::<String>::new(), "and nothing was written");
    });
}
