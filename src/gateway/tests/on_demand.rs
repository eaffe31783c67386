//! Sessions that are not there when somebody comes: not made yet, or lost by the media server.

use serde_json::json;

use super::*;

/// The session that the media token in this answer is for.
fn session_of(answer: &Answer) -> String {
    answer.json()["token"].as_str().unwrap().split('/').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn who_joins_first_has_the_session_made_under_the_name_that_waits_for_it() {
    let fixture = Fixture::new().await;
    fixture.media.lose_sessions();
    assert_eq!(fixture.state("att").await, "open");
    assert_eq!(fixture.media.sessions(), [""; 0], "to look makes nothing");
    assert_eq!(session_of(&fixture.join("att").await), SESSION);
    assert_eq!(session_of(&fixture.join("col").await), SESSION);
    assert_eq!(fixture.media.sessions(), [SESSION]);
}

#[tokio::test]
async fn a_lost_session_is_made_under_the_next_name_without_waiting_for_the_controller() {
    let fixture = Fixture::with(room_with("/status/session", json!({"id": SESSION, "epoch": 1, "createdAt": FROM}))).await;
    fixture.media.lose_sessions();
    let next = NEXT_SESSION;
    assert_eq!(session_of(&fixture.join("att").await), next);
    assert_eq!(session_of(&fixture.join("col").await), next, "and all meet there");
    assert_eq!(fixture.media.sessions(), [next]);

    fixture.apply(room_with("/status/session", json!({"id": next, "epoch": 2, "createdAt": NOON})));
    assert_eq!(session_of(&fixture.join("pia").await), next, "as they do when the controller has recorded it");
}

#[tokio::test]
async fn a_session_that_an_earlier_installation_recorded_is_made_anew_under_a_name_of_this_one() {
    let before = SESSION.replace("test", "before");
    let fixture = Fixture::with(room_with("/status/session", json!({"id": before, "epoch": 1, "createdAt": FROM}))).await;
    fixture.media.lose_sessions();
    assert_eq!(session_of(&fixture.join("att").await), NEXT_SESSION, "where the controller makes it too");
    assert_eq!(fixture.media.sessions(), [NEXT_SESSION]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_session_is_being_made_waits_for_it() {
    let fixture = Fixture::with(room_with("/status/session", Value::Null)).await;
    let (router, token) = (fixture.router.clone(), fixture.sign(&invite("att")));
    let join = tokio::spawn(async move { send(router, "POST", "/v1/join", Some(&format!("Bearer {token}"))).await });
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(!join.is_finished());
    fixture.apply(room());
    assert_eq!(session_of(&join.await.unwrap()), SESSION);
}

#[tokio::test]
async fn nobody_has_a_session_made_who_is_not_let_in() {
    for (pointer, value) in [
        ("/spec/suspend", json!(true)),
        ("/spec/validFrom", json!("2030-01-15T13:00:00Z")),
        ("/spec/validUntil", json!("2030-01-15T11:00:00Z")),
    ] {
        let fixture = Fixture::with(room_with(pointer, value)).await;
        fixture.media.lose_sessions();
        assert_eq!(fixture.join("att").await.status, 403);
        assert_eq!(fixture.media.sessions(), [""; 0]);
    }
}
