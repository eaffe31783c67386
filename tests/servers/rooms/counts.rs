//! Exact numbers of requests, from the API server's audit log.

use kube::ResourceExt;
use roomkeeper::api::{Phase, Room};
use serde_json::{Value, json};

use crate::support::stage::{PATIENCE, Stage, in_seconds};
use crate::support::{eventually, run};

/// Verb and resource of what the controller asked the API server for, in one namespace if one is named, after the first
/// `skip` events.
fn requests(stage: &Stage, namespace: Option<&str>, skip: usize) -> Vec<String> {
    let ours = |event: &&Value| {
        event["user"]["username"] == "system:serviceaccount:roomkeeper-system:roomkeeper-controller"
            && namespace.is_none_or(|namespace| event["objectRef"]["namespace"] == namespace)
    };
    let name = |event: &Value| {
        let object = &event["objectRef"];
        let (verb, resource) = (event["verb"].as_str().unwrap_or_default(), object["resource"].as_str().unwrap_or_default());
        let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{verb} {resource}{subresource}")
    };
    stage.cluster.audit().iter().skip(skip).filter(ours).map(name).collect()
}

fn writes(requests: &[String]) -> Vec<&str> {
    let is_write = |request: &&str| !["get", "list", "watch"].contains(&request.split(' ').next().unwrap_or_default());
    requests.iter().map(String::as_str).filter(is_write).collect()
}

fn sorted(mut requests: Vec<&str>) -> Vec<&str> {
    requests.sort_unstable();
    requests
}

/// Waits until the controller has finished `passes` passes since its start.
async fn finished(stage: &Stage, passes: u64) {
    eventually(PATIENCE, async || {
        let metrics = stage.controller.metrics().await;
        let line =
            metrics.lines().find(|line| line.starts_with("roomkeeper_reconcile_duration_seconds_count")).unwrap_or_default().to_owned();
        let count: u64 = line.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default();
        if count >= passes { Ok(()) } else { Err(line) }
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
        let requests = requests(&stage, Some(&place.namespace), 0);
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
fn a_scheduled_room_costs_the_same_and_its_opening_one_status_write() {
    run(async {
        let stage = Stage::start().await;
        stage.class_reason("livekit", "Reconciled").await;
        let place = stage.place().await;
        place.apply("call", json!({"validFrom": in_seconds(5), "participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Scheduled).await;
        place.event("call", "Scheduled").await;
        let before = requests(&stage, Some(&place.namespace), 0);
        let scheduled = ["create events", "create secrets", "create secrets", "patch rooms", "update rooms/status"];
        assert_eq!(sorted(before.iter().map(String::as_str).collect()), scheduled);
        place.until_phase("call", Phase::Open).await;
        place.event("call", "Opened").await;
        let after = requests(&stage, Some(&place.namespace), 0);
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
        let place_after = kube::Api::<Room>::namespaced(stage.admin.clone(), &namespace);
        for room in rooms {
            let now = place_after.get(&room.name_any()).await.expect("the Room");
            assert_eq!(now.metadata.resource_version, room.metadata.resource_version, "{}", room.name_any());
        }
    });
}
