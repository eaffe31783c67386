//! What people are told before they join.

use rstest::rstest;
use serde_json::json;

use super::*;

#[tokio::test]
async fn the_view_says_who_one_is_what_one_may_do_and_how_things_stand() {
    let answer = Fixture::new().await.view("pia").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "room": "standup",
            "namespace": "team",
            "displayName": "Daily standup",
            "kind": "liveKit",
            "participant": {"name": "pia", "displayName": "Pia Presenter"},
            "role": "Presenter",
            "permissions": {"microphone": true, "camera": true, "screenShare": true, "data": true, "moderate": true, "addPeople": true},
            "media": {"videoCodec": "VP8", "maxVideoHeight": 720, "audioOnly": false},
            "state": "open",
            "validFrom": FROM,
            "validUntil": UNTIL,
            "serverTime": NOON,
        })
    );
}

#[tokio::test]
async fn names_stand_in_for_display_names_that_are_not_set() {
    let answer = Fixture::with(room_with("/spec/displayName", Value::Null)).await.view("att").await.json();
    assert_eq!(answer["displayName"], "standup");
    assert_eq!(answer["participant"], json!({"name": "att", "displayName": "att"}));
}

#[rstest]
#[case::presenter("pia", "Presenter", [true, true, true, true, true, true])]
#[case::collaborator("col", "Collaborator", [true, true, true, true, false, false])]
#[case::attendee("att", "Attendee", [true, true, false, true, false, false])]
#[case::consumer("con", "Consumer", [false, false, false, false, false, false])]
#[tokio::test]
async fn the_permissions_are_those_of_the_role(#[case] name: &str, #[case] role: &str, #[case] may: [bool; 6]) {
    let answer = Fixture::new().await.view(name).await.json();
    assert_eq!(answer["role"], role);
    let [microphone, camera, screen_share, data, moderate, add_people] = may;
    assert_eq!(
        answer["permissions"],
        json!({
            "microphone": microphone, "camera": camera, "screenShare": screen_share, "data": data,
            "moderate": moderate, "addPeople": add_people,
        })
    );
}

#[tokio::test]
async fn the_state_follows_the_clock() {
    let fixture = Fixture::new().await;
    for (now, expected) in
        [("2030-01-15T08:59:59.999999999Z", "early"), (FROM, "open"), ("2030-01-15T14:59:59.999999999Z", "open"), (UNTIL, "over")]
    {
        fixture.clock.set(now);
        assert_eq!(fixture.state("att").await, expected, "{now}");
    }
}

#[tokio::test]
async fn a_suspended_room_says_so_until_it_is_over() {
    let fixture = Fixture::with(room_with("/spec/suspend", json!(true))).await;
    for (now, expected) in [("2030-01-15T08:00:00Z", "suspended"), (NOON, "suspended"), (UNTIL, "over")] {
        fixture.clock.set(now);
        assert_eq!(fixture.state("att").await, expected, "{now}");
    }
}

#[tokio::test]
async fn before_and_after_the_call_no_media_server_is_needed_for_a_view() {
    let fixture = Fixture::with(room_with("/status/session", Value::Null)).await;
    fixture.media.fail_with(Some(unreachable_server()));
    fixture.clock.set("2030-01-15T08:00:00Z");
    assert_eq!(fixture.state("att").await, "early");
    fixture.clock.set(UNTIL);
    assert_eq!(fixture.state("att").await, "over");
    fixture.clock.set(NOON);
    assert_eq!(fixture.view("att").await.problem(), problem(503, "unavailable"));
}

#[tokio::test]
async fn the_time_of_the_server_has_no_more_digits_than_javascript_reads() {
    let fixture = Fixture::new().await;
    fixture.clock.set("2030-01-15T12:00:00.123999999Z");
    assert_eq!(fixture.view("att").await.json()["serverTime"], "2030-01-15T12:00:00.123Z");
}
