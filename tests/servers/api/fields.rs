//! The plain fields of a Room, and its name.

use rstest::rstest;
use serde_json::{Value, json};

use super::objects::{Objects, refused};
use crate::support::run;

#[rstest]
#[case("id", "0123456789abcdef", "ffffffffffffffff")]
#[case("roomClassName", "livekit", "janus")]
fn what_invites_and_sessions_hang_on_never_changes(#[case] field: &str, #[case] value: &str, #[case] other: &str) {
    run(async {
        let rooms = Objects::rooms().await;
        let set = |value: Value| json!({"spec": {field: value}});
        let (path, immutable) = (format!("spec.{field}"), "immutable");
        let (with, without) = (rooms.accepts(json!({field: value})).await, rooms.accepts(json!({})).await);
        rooms.accepts_change(&with, json!({"spec": {field: value, "displayName": "Renamed"}})).await;
        rooms.refuses_change(&with, set(json!(other)), &[&path, &format!("from {value} to {other}"), immutable]).await;
        rooms.refuses_change(&with, set(Value::Null), &[&path, &format!("from {value} to unset"), immutable]).await;
        rooms.refuses_change(&without, set(json!(value)), &[&path, &format!("from unset to {value}"), immutable]).await;
    });
}

#[rstest]
#[case(&"a".repeat(16))]
#[case(&"Z9-".repeat(21))]
#[case("123e4567-e89b-12d3-a456-426614174000")]
fn an_id_has_16_to_64_letters_digits_or_hyphens(#[case] id: &str) {
    run(async { Objects::rooms().await.accepts(json!({"id": id})).await });
}

#[rstest]
#[case("a".repeat(15), "16")]
#[case("a".repeat(65), "64")]
#[case("under_score_under".to_owned(), "should match")]
#[case("with a space inside".to_owned(), "should match")]
#[case("with/slashes/inside".to_owned(), "should match")]
fn any_other_id_is_refused(#[case] id: String, #[case] why: &str) {
    run(async { Objects::rooms().await.refuses(json!({"id": id}), &["spec.id", why]).await });
}

#[rstest]
#[case("maxParticipants", json!([1, 350]), json!([0, 351, -1]))]
#[case("ttlSecondsAfterExpired", json!([0, i32::MAX]), json!([-1, i64::from(i32::MAX) + 1]))]
fn numbers_stay_within_their_limits(#[case] field: &str, #[case] good: Value, #[case] bad: Value) {
    run(async {
        let rooms = Objects::rooms().await;
        for number in good.as_array().unwrap() {
            rooms.accepts(json!({field: number})).await;
        }
        for number in bad.as_array().unwrap() {
            let limit = if number.as_i64() < Some(1) { &good[0] } else { &good[1] };
            rooms.refuses(json!({field: number}), &[&format!("spec.{field}"), &number.to_string(), &format!("equal to {limit}")]).await;
        }
    });
}

#[rstest]
#[case("displayName", 128)]
#[case("roomClassName", 253)]
fn texts_stay_within_their_limits(#[case] field: &str, #[case] limit: usize) {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(json!({field: "\u{c4}".repeat(limit)})).await;
        rooms.refuses(json!({field: "\u{c4}".repeat(limit + 1)}), &[&format!("spec.{field}"), "Too long", &limit.to_string()]).await;
    });
}

#[test]
fn an_empty_class_name_is_refused() {
    run(async { Objects::rooms().await.refuses(json!({"roomClassName": ""}), &["spec.roomClassName", "at least 1 char"]).await });
}

/// A Helm chart writes null for a value that is not set.
#[test]
fn a_null_counts_as_absent() {
    run(async {
        let rooms = Objects::rooms().await;
        let nothing = json!({
            "displayName": null, "id": null, "roomClassName": null, "validFrom": null, "duration": null, "maxParticipants": null,
            "participants": null, "inviteTemplate": null, "suspend": null, "ttlSecondsAfterExpired": null,
            "validUntil": "2027-01-01T09:00:00Z",
        });
        let room = rooms.accepts(nothing).await;
        assert_eq!(serde_json::to_value(&room.spec).unwrap(), json!({"validUntil": "2027-01-01T09:00:00Z"}));
        rooms.accepts(json!({"participants": [{"name": "amina", "role": null, "displayName": null, "inviteGeneration": null}]})).await;
    });
}

#[test]
fn the_name_of_a_room_fits_into_a_label() {
    run(async {
        let rooms = Objects::rooms().await;
        let named = |name: String| json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "Room", "metadata": {"name": name}, "spec": {}});
        rooms.create(named("r".repeat(63))).await.unwrap();
        rooms.create(named("weekly.planning".into())).await.unwrap();
        refused("a name of 64 characters", rooms.create(named("r".repeat(64))).await, &["metadata.name", "63"]);
    });
}
