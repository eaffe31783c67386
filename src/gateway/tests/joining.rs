//! Who gets in, and with what.

use serde_json::json;

use super::*;

#[tokio::test]
async fn an_invited_person_joins_an_open_call_with_address_token_and_its_end() {
    let answer = Fixture::new().await.join("pia").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({
            "kind": "liveKit",
            "url": "wss://media.test",
            "signalling": "Direct",
            "token": format!("media-token/{SESSION}/pia/Presenter/2030-01-15T12:00:00Z/2030-01-15T12:01:00Z/0"),
            "identity": "pia",
            "expiresAt": "2030-01-15T12:01:00Z",
            "media": {"videoCodec": "VP8", "maxVideoHeight": 720, "audioOnly": false},
        })
    );
}

#[tokio::test]
async fn a_media_token_never_outlives_the_window() {
    let fixture = Fixture::new().await;
    fixture.clock.set("2030-01-15T14:59:30Z");
    let answer = fixture.join("att").await.json();
    assert_eq!(answer["expiresAt"], UNTIL);
    assert_eq!(answer["token"], format!("media-token/{SESSION}/att/Attendee/2030-01-15T14:59:30Z/2030-01-15T15:00:00Z/0"));
}

#[tokio::test]
async fn a_call_can_be_joined_from_the_first_moment_of_its_window_until_the_end() {
    let fixture = Fixture::new().await;
    for (now, expected) in [("2030-01-15T08:59:59.999999999Z", 403), (FROM, 200), ("2030-01-15T14:59:59.999999999Z", 200), (UNTIL, 403)] {
        fixture.clock.set(now);
        assert_eq!(fixture.join("att").await.status, expected, "{now}");
    }
}

#[tokio::test]
async fn an_invite_of_an_older_key_works_until_that_key_is_removed() {
    let fixture = Fixture::new().await;
    let (old, new) = (generate_key("1"), generate_key("2"));
    fixture.keys.send_replace(Some(key_ring(std::slice::from_ref(&old))));
    let token = fixture.sign(&invite("att"));
    assert_eq!(fixture.join_with(&token).await.status, 200);

    fixture.keys.send_replace(Some(key_ring(&[old, new.clone()])));
    assert_eq!(fixture.join_with(&token).await.status, 200);
    assert_ne!(fixture.sign(&invite("att")), token);
    assert_eq!(fixture.join("att").await.status, 200);

    fixture.keys.send_replace(Some(key_ring(&[new])));
    assert_eq!(fixture.join_with(&token).await.problem(), problem(401, "invalid-invite"));
    assert_eq!(fixture.join("att").await.status, 200);
}

#[tokio::test]
async fn the_scheme_of_the_header_is_read_in_any_case() {
    let fixture = Fixture::new().await;
    let authorization = format!("bearer {}", fixture.sign(&invite("att")));
    assert_eq!(fixture.send("POST", "/v1/join", Some(&authorization)).await.status, 200);
}

#[tokio::test]
async fn a_role_that_changes_in_the_room_holds_for_the_next_join() {
    let fixture = Fixture::new().await;
    fixture.apply(room_with("/spec/participants", json!([{"name": "att", "role": "Consumer"}])));
    assert!(fixture.join("att").await.json()["token"].as_str().unwrap().contains("/att/Consumer/"));
}

#[tokio::test]
async fn a_call_that_ends_while_the_media_server_is_asked_lets_nobody_in() {
    let fixture = Fixture::new().await;
    fixture.clock.set("2030-01-15T14:59:59Z");
    fixture.set_clock_meanwhile(UNTIL);
    assert_eq!(fixture.join("att").await.problem(), problem(403, "over"));
    fixture.clock.set("2030-01-15T14:59:59Z");
    assert_eq!(fixture.state("att").await, "over");
}

#[tokio::test]
async fn a_person_who_is_removed_while_the_media_server_is_asked_does_not_get_in() {
    let fixture = Fixture::new().await;
    fixture.apply_meanwhile(room_with("/spec/participants", json!([])));
    assert_eq!(fixture.join("att").await.problem(), problem(401, "invalid-invite"));
}

#[tokio::test]
async fn a_session_that_is_replaced_while_the_media_server_is_asked_is_tried_again_by_the_client() {
    let fixture = Fixture::new().await;
    fixture.apply_meanwhile(room_with("/status/session", json!({"id": NEXT_SESSION, "epoch": 2})));
    assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));
}

#[tokio::test]
async fn what_was_seen_of_a_call_too_long_ago_lets_nobody_in() {
    let fixture = Fixture::new().await;
    fixture.set_clock_meanwhile("2030-01-15T12:00:10Z");
    assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));
}
