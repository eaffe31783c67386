//! What the phase of a Room lets its author change.

use rstest::rstest;
use serde_json::{Value, json};

use super::objects::Objects;
use crate::support::run;

const START: &str = "2027-01-01T09:00:00Z";
const EARLIER: &str = "2027-01-01T08:00:00Z";

fn from(start: Value) -> Value {
    json!({"spec": {"validFrom": start}})
}

#[test]
fn a_room_without_any_wish_is_pending_at_once_and_counts_as_in_progress() {
    run(async {
        let room = Objects::rooms().await.accepts(json!({})).await;
        let status = serde_json::to_value(room.status.unwrap()).unwrap();
        assert_eq!(status["phase"], "Pending");
        let [ready] = status["conditions"].as_array().unwrap().as_slice() else { panic!("{status}") };
        // kstatus: an object whose Ready condition is Unknown is in progress.
        assert_eq!((&ready["type"], &ready["status"]), (&json!("Ready"), &json!("Unknown")));
        assert_eq!(ready["message"], "Waiting for the controller");
    });
}

#[test]
fn a_room_needs_a_spec() {
    run(async {
        let rooms = Objects::rooms().await;
        let bare = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"generateName": "test-"}});
        super::objects::refused("a Room without spec", rooms.create(bare).await, &["spec", "Required"]);
    });
}

#[test]
fn an_author_cannot_write_status() {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(json!({"validFrom": START})).await;
        let room = rooms.accepts_change(&room, json!({"status": {"phase": "Open"}})).await;
        assert_eq!(serde_json::to_value(room.status.unwrap().phase).unwrap(), "Pending");
    });
}

#[test]
fn the_start_is_fixed_while_the_room_is_open() {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(json!({"validFrom": START})).await;
        let unset = rooms.accepts(json!({})).await;
        let open = json!({"phase": "Open"});
        let (room, unset) = (rooms.set_status(&room, open.clone()).await, rooms.set_status(&unset, open).await);
        let rule = ["spec.validFrom", "cannot change", START, "while the Room is Open", "spec.validUntil", "spec.suspend"];
        rooms.refuses_change(&room, from(json!(EARLIER)), &[&rule[..], &[EARLIER]].concat()).await;
        rooms.refuses_change(&room, from(Value::Null), &[&rule[..], &["to unset"]].concat()).await;
        rooms.refuses_change(&unset, from(json!(START)), &[&rule[..], &["from unset"]].concat()).await;
        // The same moment in other words.
        rooms.accepts_change(&room, from(json!("2027-01-01T10:00:00+01:00"))).await;
    });
}

#[rstest]
fn the_start_is_free_while_the_room_is_not_open(#[values("Pending", "Scheduled", "Suspended", "Expired")] phase: &str) {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(json!({"validFrom": START})).await;
        let room = rooms.set_status(&room, json!({"phase": phase})).await;
        for start in [json!(EARLIER), Value::Null, json!(START)] {
            rooms.accepts_change(&room, from(start)).await;
        }
    });
}

#[rstest]
#[case(json!({"suspend": true}))]
#[case(json!({"validUntil": "2027-01-01T09:30:00Z"}))]
#[case(json!({"duration": "2h"}))]
#[case(json!({"displayName": "Follow-up"}))]
#[case(json!({"maxParticipants": 2}))]
#[case(json!({"ttlSecondsAfterExpired": 0}))]
#[case(json!({"participants": [{"name": "bela", "role": "Presenter", "suspended": true}]}))]
#[case(json!({"inviteTemplate": {"metadata": {"labels": {"team": "cardiology"}}}}))]
fn everything_else_stays_editable_while_the_room_is_open(#[case] change: Value) {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(json!({"validFrom": START, "participants": [{"name": "amina"}]})).await;
        let room = rooms.set_status(&room, json!({"phase": "Open"})).await;
        rooms.accepts_change(&room, json!({"spec": change})).await;
    });
}

#[test]
fn the_status_of_an_open_room_can_be_written() {
    run(async {
        let rooms = Objects::rooms().await;
        let room = rooms.accepts(json!({"validFrom": START})).await;
        let open = rooms.set_status(&room, json!({"phase": "Open", "counts": {"invited": 2, "joined": 1}})).await;
        rooms.set_status(&open, json!({"phase": "Expired"})).await;
    });
}
