//! Checks of a connection before the call.

use super::signalling::{connect, quoting_server};
use super::*;

/// The session of a check at noon, which ends a minute later.
const CHECK: &str = "rk-test-check-11111111-2222-3333-4444-555555555555-1894708860";

async fn check(fixture: &Fixture, participant: &str) -> Answer {
    let invite = fixture.sign(&invite(participant));
    fixture.send("POST", "/v1/connection-check", Some(&format!("Bearer {invite}"))).await
}

#[tokio::test]
async fn the_holder_of_an_invite_can_check_their_connection_without_anything_being_asked_of_the_call() {
    let fixture = Fixture::new().await;
    let (first, second) = (check(&fixture, "pia").await.json(), check(&fixture, "pia").await.json());
    assert_eq!((&first["url"], &first["signalling"], &first["subprotocol"]), (&json!("wss://media.test"), &json!("Direct"), &Value::Null));
    let token = |answer: &Value| answer["token"].as_str().unwrap().to_owned();
    let (begin, end) = (format!("{MEDIA_TOKEN}/{CHECK}/n"), "/Consumer/2030-01-15T12:00:00Z/2030-01-15T12:01:00Z/0");
    assert!(token(&first).starts_with(&begin) && token(&first).ends_with(end), "{first}");
    assert!(!token(&first).contains("pia"), "{first}");
    assert_ne!(token(&first), token(&second), "whoever has the page open twice is two");
    let mut asked = fixture.media.calls();
    asked.retain(|call| call.operation != Operation::MintToken);
    assert_eq!(asked.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("Ensure {CHECK}"), format!("Ensure {CHECK}")]);
}

#[tokio::test]
async fn a_connection_can_be_checked_before_the_call_and_while_it_is_full_and_never_after_it() {
    for (change, expected) in [
        (room_with("/spec/validFrom", json!("2030-01-15T13:00:00Z")), None),
        (room_with("/spec/maxParticipants", json!(1)), None),
        (room_with("/spec/suspend", json!(true)), Some(problem(403, "suspended"))),
        (room_with("/spec/validUntil", json!(NOON)), Some(problem(403, "over"))),
        (room_with("/metadata/deletionTimestamp", json!(NOON)), Some(problem(403, "over"))),
        (room_with("/spec/participants", json!([])), Some(problem(401, "invalid-invite"))),
        (room_with("/spec/participants", json!([{"name": "att", "suspended": true}])), Some(problem(401, "invalid-invite"))),
        (room_with("/spec/roomClassName", json!("vanished")), Some(problem(503, "unavailable"))),
    ] {
        let fixture = Fixture::with(change).await;
        fixture.set_members(&["pia"]);
        let answer = check(&fixture, "att").await;
        match expected {
            None => assert_eq!(answer.status, 200),
            Some(expected) => assert_eq!(answer.problem(), expected),
        }
    }
    assert_eq!(Fixture::new().await.send("POST", "/v1/connection-check", None).await.problem(), problem(401, "invalid-invite"));
}

#[tokio::test]
async fn signalling_of_a_check_goes_through_to_the_media_server_of_the_rooms_class_until_its_end() {
    let fixture = Fixture::with(room_with("/spec/roomClassName", json!("default"))).await;
    let (address, served) = quoting_server(401).await;
    fixture.proxy_to(&address);
    let answer = check(&fixture, "att").await.json();
    assert_eq!((&answer["url"], &answer["subprotocol"]), (&json!("wss://meet.test"), &json!("roomkeeper")));
    let query = format!("access_token={}", answer["token"].as_str().unwrap());
    assert_eq!(connect(&fixture, "/rtc", &query).await.problem().1, "bad-request", "let through, and refused by the media server");
    assert!(served.await.unwrap().contains(CHECK));
    fixture.apply(room_with("/spec/roomClassName", json!("another")));
    assert_eq!(connect(&fixture, "/rtc", &query).await.problem(), problem(401, "invalid-invite"), "classes may have one key");
    fixture.apply(room_with("/spec/roomClassName", json!("default")));
    fixture.clock.set("2030-01-15T12:01:00Z");
    assert_eq!(connect(&fixture, "/rtc", &query).await.problem(), problem(401, "invalid-invite"));
}
