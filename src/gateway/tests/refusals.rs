//! Who does not get in, and what they are told.

use serde_json::json;

use super::*;
use crate::api::RoomGuest;

/// Every kind of invite that is not valid against the Room of [`room`], as value of the header.
fn invalid(fixture: &Fixture) -> Vec<(&'static str, Option<String>)> {
    let good = fixture.sign(&invite("att"));
    let signed = |change: fn(&mut Invite)| {
        let mut invite = invite("att");
        change(&mut invite);
        Some(format!("Bearer {}", fixture.sign(&invite)))
    };
    let mut flipped = good.clone().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("missing", None),
        ("empty", Some(String::new())),
        ("without scheme", Some(good.clone())),
        ("wrong scheme", Some(format!("Basic {good}"))),
        ("no token", Some("Bearer ".into())),
        ("garbage", Some("Bearer garbage".into())),
        ("very long", Some(format!("Bearer v4.public.{}", "A".repeat(3000)))),
        ("truncated", Some(format!("Bearer {}", &good[..good.len() - 10]))),
        ("signature cut off", Some(format!("Bearer {}", &good[..good.len() / 2]))),
        ("bit flipped", Some(format!("Bearer {}", String::from_utf8(flipped).unwrap()))),
        ("signed by an unknown key", Some(format!("Bearer {}", key_ring(&[generate_key("9")]).sign(&invite("att")).unwrap()))),
        ("signed by another key of the same id", Some(format!("Bearer {}", key_ring(&[generate_key("1")]).sign(&invite("att")).unwrap()))),
        ("other namespace", signed(|invite| invite.namespace = "other".into())),
        ("other room", signed(|invite| invite.room = "retro".into())),
        ("other id", signed(|invite| invite.id = "99999999-2222-3333-4444-555555555555".into())),
        ("rotated", signed(|invite| invite.generation = -1)),
        ("of a generation to come", signed(|invite| invite.generation = 1)),
        ("never invited", signed(|invite| invite.participant = "mallory".into())),
    ]
}

async fn body_of_a_missing_invite(fixture: &Fixture, method: &str, path: &str) -> Bytes {
    fixture.send(method, path, None).await.body
}

#[tokio::test]
async fn every_invite_that_is_not_valid_gets_the_same_answer_to_the_byte() {
    let fixture = Fixture::new().await;
    for (method, path) in [("GET", "/v1/room"), ("POST", "/v1/join")] {
        let expected = body_of_a_missing_invite(&fixture, method, path).await;
        for (kind, authorization) in invalid(&fixture) {
            let answer = fixture.send(method, path, authorization.as_deref()).await;
            assert_eq!(answer.problem(), problem(401, "invalid-invite"), "{kind}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{kind}");
            assert_eq!(answer.body, expected, "{kind}");
        }
    }
}

#[tokio::test]
async fn people_who_are_removed_suspended_or_rotated_get_the_same_answer_as_strangers() {
    for (kind, participants) in [
        ("removed", json!([])),
        ("suspended", json!([{"name": "att", "suspended": true}])),
        ("rotated", json!([{"name": "att", "inviteGeneration": 1}])),
    ] {
        let fixture = Fixture::new().await;
        assert_eq!(fixture.join("att").await.status, 200, "{kind}");
        fixture.apply(room_with("/spec/participants", participants));
        let expected = body_of_a_missing_invite(&fixture, "POST", "/v1/join").await;
        let answer = fixture.join("att").await;
        assert_eq!(answer.problem(), problem(401, "invalid-invite"), "{kind}");
        assert_eq!(answer.body, expected, "{kind}");
        assert_eq!(fixture.view("att").await.problem(), problem(401, "invalid-invite"), "{kind}");
    }
}

#[tokio::test]
async fn the_invites_of_a_deleted_room_get_the_same_answer_as_strangers() {
    let fixture = Fixture::new().await;
    fixture.rooms.lock().apply_watcher_event(&Event::Delete(serde_json::from_value(room()).unwrap()));
    let expected = body_of_a_missing_invite(&fixture, "POST", "/v1/join").await;
    let answer = fixture.join("att").await;
    assert_eq!(answer.problem(), problem(401, "invalid-invite"));
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn invites_do_not_survive_the_re_creation_of_their_room_unless_the_spec_sets_the_id() {
    let fixture = Fixture::new().await;
    fixture.apply(room_with("/metadata/uid", json!("aaaaaaaa-2222-3333-4444-555555555555")));
    assert_eq!(fixture.join("att").await.problem(), problem(401, "invalid-invite"));

    let mut re_created = room_with("/metadata/uid", json!("bbbbbbbb-2222-3333-4444-555555555555"));
    re_created["spec"]["id"] = json!("11111111-2222-3333-4444-555555555555");
    fixture.apply(re_created);
    assert_eq!(fixture.join("att").await.status, 200);
}

#[tokio::test]
async fn an_invite_that_is_not_valid_is_refused_as_such_whatever_state_the_room_is_in() {
    let not_accepted = json!([{"type": "Accepted", "status": "False", "reason": "X", "message": "", "lastTransitionTime": FROM}]);
    for room in [
        room_with("/spec/validFrom", json!("2030-01-15T14:00:00Z")),
        room_with("/spec/validUntil", json!("2030-01-15T10:00:00Z")),
        room_with("/spec/suspend", json!(true)),
        room_with("/spec/roomClassName", json!("missing")),
        room_with("/status/conditions", not_accepted),
        room_with("/status/session", Value::Null),
        room_with("/metadata/deletionTimestamp", json!(NOON)),
    ] {
        let fixture = Fixture::with(room.clone()).await;
        for (kind, authorization) in invalid(&fixture) {
            let answer = fixture.send("POST", "/v1/join", authorization.as_deref()).await;
            assert_eq!(answer.problem(), problem(401, "invalid-invite"), "{kind}: {room}");
        }
    }
}

#[tokio::test]
async fn who_comes_too_early_is_told_when_the_call_begins() {
    let fixture = Fixture::new().await;
    fixture.clock.set("2030-01-15T08:59:59Z");
    let answer = fixture.join("att").await;
    assert_eq!(answer.problem(), problem(403, "too-early"));
    assert_eq!(answer.json()["opensAt"], FROM);
}

#[tokio::test]
async fn who_comes_after_the_end_is_told_that_the_call_is_over() {
    let fixture = Fixture::new().await;
    fixture.clock.set(UNTIL);
    let answer = fixture.join("att").await;
    assert_eq!(answer.problem(), problem(403, "over"));
    assert_eq!(answer.json().get("opensAt"), None);
}

#[tokio::test]
async fn a_suspended_room_lets_nobody_in_and_says_so() {
    let fixture = Fixture::with(room_with("/spec/suspend", json!(true))).await;
    assert_eq!(fixture.join("pia").await.problem(), problem(403, "suspended"));
    fixture.clock.set(UNTIL);
    assert_eq!(fixture.join("pia").await.problem(), problem(403, "over"));
}

#[tokio::test]
async fn a_room_that_is_being_deleted_is_over() {
    let mut deleted = room_with("/metadata/deletionTimestamp", json!(NOON));
    let fixture = Fixture::with(deleted.clone()).await;
    assert_eq!(fixture.join("att").await.problem(), problem(403, "over"));
    assert_eq!(fixture.state("att").await, "over");

    deleted["spec"]["roomClassName"] = json!("vanished");
    let fixture = Fixture::with(deleted).await;
    assert_eq!(fixture.join("att").await.problem(), problem(403, "over"));
}

#[tokio::test]
async fn a_room_that_is_not_accepted_is_unavailable_and_the_client_told_to_try_again() {
    let not_accepted = json!([{"type": "Accepted", "status": "False", "reason": "X", "message": "", "lastTransitionTime": FROM}]);
    for room in [
        room_with("/status/conditions", not_accepted),
        room_with("/spec/roomClassName", json!("vanished")),
        room_with("/spec/validUntil", json!("2031-01-15T15:00:00Z")),
    ] {
        let fixture = Fixture::with(room).await;
        for answer in [fixture.join("att").await, fixture.view("att").await] {
            assert_eq!(answer.problem(), problem(503, "unavailable"));
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
    }
}

#[tokio::test]
async fn a_call_that_has_ended_is_over_although_its_class_has_gone() {
    let mut ended = room_with("/spec/roomClassName", json!("vanished"));
    ended["status"]["validFrom"] = json!(FROM);
    ended["status"]["validUntil"] = json!(NOON);
    assert_eq!(Fixture::with(ended).await.join("att").await.problem(), problem(403, "over"));
}

#[tokio::test]
async fn a_guest_is_let_in_as_long_as_the_guest_is_there() {
    let fixture = Fixture::new().await;
    let guest: RoomGuest = serde_json::from_value(json!({
        "metadata": {"namespace": "team", "name": "eve"},
        "spec": {"roomName": "standup", "displayName": "Eve", "role": "Attendee"},
    }))
    .unwrap();
    assert_eq!(fixture.join("guest-eve").await.problem(), problem(401, "invalid-invite"));
    fixture.writer.guest(&Event::Apply(guest.clone()));
    assert_eq!(fixture.join("guest-eve").await.json()["identity"], "guest-eve");
    fixture.writer.guest(&Event::Delete(guest));
    assert_eq!(fixture.join("guest-eve").await.problem(), problem(401, "invalid-invite"));
}

#[tokio::test(start_paused = true)]
async fn without_a_living_session_the_call_is_unavailable() {
    for session in [Value::Null, json!({"id": SESSION, "epoch": 1, "endedAt": FROM})] {
        let fixture = Fixture::with(room_with("/status/session", session)).await;
        assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));
    }
}

#[tokio::test]
async fn a_media_server_that_cannot_be_used_makes_the_call_unavailable_and_takes_nobodys_place() {
    let fixture = Fixture::with(room_with("/spec/maxParticipants", json!(1))).await;
    for operation in [Operation::Observe, Operation::MintToken] {
        fixture.media.fail_with(None);
        fixture.media.fail(operation, unreachable_server());
        assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));
    }
    fixture.backends.set("default", Err(unreachable_server()));
    assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));
    fixture.backends.remove("default");
    assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));

    fixture.backends.set("default", Ok(fixture.media.clone()));
    fixture.media.fail_with(None);
    assert_eq!(fixture.join("col").await.status, 200);
}

#[tokio::test]
async fn without_keys_nobody_is_called_a_stranger() {
    let fixture = Fixture::new().await;
    let token = fixture.sign(&invite("att"));
    fixture.keys.send_replace(None);
    assert_eq!(fixture.join_with(&token).await.problem(), problem(503, "unavailable"));
    fixture.proxy_to("http://127.0.0.1:1");
    let query = format!("access_token={}", fixture.media_token("att"));
    assert_eq!(signalling::connect(&fixture, "/rtc", &query).await.problem(), problem(503, "unavailable"));
}

#[tokio::test]
async fn a_media_token_of_somebody_whose_key_was_removed_or_replaced_lets_nobody_in() {
    let fixture = Fixture::new().await;
    fixture.proxy_to("http://127.0.0.1:1");
    let token = fixture.join("att").await.json()["token"].as_str().unwrap().to_owned();
    let query = format!("access_token={token}");
    assert_eq!(signalling::connect(&fixture, "/rtc", &query).await.problem(), problem(503, "unavailable"), "let through, to nobody");
    fixture.keys.send_replace(Some(key_ring(&[generate_key("1")])));
    for path in ["/rtc", "/rtc/v1", "/rtc/validate"] {
        assert_eq!(signalling::connect(&fixture, path, &query).await.problem(), problem(401, "invalid-invite"));
    }
}

#[tokio::test]
async fn while_its_class_is_gone_a_room_lets_nobody_in() {
    let mut fixture = Fixture::new().await;
    let class: RoomClass = serde_json::from_value(class()).unwrap();
    fixture.classes.apply_watcher_event(&Event::Delete(class.clone()));
    assert_eq!(fixture.join("att").await.problem(), problem(503, "unavailable"));
    fixture.classes.apply_watcher_event(&Event::Apply(class));
    assert_eq!(fixture.join("att").await.status, 200);
}
