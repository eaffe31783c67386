//! What Presenters may do, and nobody else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::*;

/// Everybody is in the call.
async fn call() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.set_members(&["pia", "col", "att", "con"]);
    fixture
}

async fn ask(fixture: &Fixture, who: &str, path: &str, body: &str) -> Answer {
    fixture.post(path, &fixture.sign(&invite(who)), "application/json", body.to_owned()).await
}

/// What was told in Events, once there are as many.
async fn told(fixture: &Fixture, number: usize) -> Vec<String> {
    for _ in 0..1000 {
        let told = fixture.writer.events.lock().clone();
        if told.len() >= number {
            return told;
        }
        tokio::task::yield_now().await;
    }
    panic!("only {:?} was told", fixture.writer.events.lock());
}

#[rstest]
#[case::mute("/v1/participants/att/mute", "Mute att", "standup: ParticipantMuted: pia muted att")]
#[case::remove("/v1/participants/att/remove", "Remove att", "standup: ParticipantRemoved: pia removed att")]
#[case::end("/v1/end", &format!("Close {SESSION}"), "standup: CallEnded: pia ended the call for all")]
#[tokio::test]
async fn a_presenter_does_it_and_the_room_has_an_event_of_who_did_it_to_whom(#[case] path: &str, #[case] deed: &str, #[case] event: &str) {
    let fixture = call().await;
    let answer = ask(&fixture, "pia", path, "").await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    assert_eq!(fixture.told_to_media(), [deed]);
    assert_eq!(told(&fixture, 1).await, [event]);
}

#[rstest]
#[tokio::test]
async fn every_other_role_is_refused(
    #[values("col", "att", "con")] who: &str,
    #[values("/v1/participants/pia/mute", "/v1/participants/pia/remove", "/v1/participants/nobody/mute", "/v1/end", "/v1/guests")]
    path: &str,
) {
    let fixture = call().await;
    let body = if path == "/v1/guests" { r#"{"displayName": "Eve"}"# } else { "" };
    assert_eq!(ask(&fixture, who, path, body).await.problem(), problem(403, "not-allowed"));
    assert_eq!(fixture.told_to_media(), [""; 0]);
}

#[rstest]
#[tokio::test]
async fn without_a_valid_invite_nothing_is_told(
    #[values("/v1/participants/pia/mute", "/v1/participants/pia/remove", "/v1/end", "/v1/guests")] path: &str,
) {
    let fixture = call().await;
    assert_eq!(fixture.post(path, "forged", "application/json", "{").await.problem(), problem(401, "invalid-invite"));
}

#[tokio::test]
async fn who_is_not_in_the_call_is_not_found() {
    let fixture = call().await;
    for path in ["/v1/participants/nobody/mute", "/v1/participants/nobody/remove", "/v1/participants/%2e%2e%2fend/remove"] {
        assert_eq!(ask(&fixture, "pia", path, "").await.problem(), problem(404, "not-found"), "{path}");
    }
    assert_eq!(fixture.told_to_media(), [""; 0]);
}

#[rstest]
#[case::suspended("/spec/suspend", json!(true), "suspended")]
#[case::over("/spec/validUntil", json!("2030-01-15T11:00:00Z"), "over")]
#[case::early("/spec/validFrom", json!("2030-01-15T13:00:00Z"), "too-early")]
#[tokio::test]
async fn outside_of_the_call_there_is_nothing_to_moderate(#[case] pointer: &str, #[case] value: Value, #[case] name: &str) {
    let fixture = Fixture::with(room_with(pointer, value)).await;
    fixture.set_members(&["pia", "att"]);
    for path in ["/v1/participants/att/mute", "/v1/end"] {
        assert_eq!(ask(&fixture, "pia", path, "").await.problem(), problem(403, name));
    }
    assert_eq!(fixture.told_to_media(), [""; 0]);
}

#[tokio::test]
async fn a_media_server_that_fails_is_unavailable_and_nothing_is_told() {
    let fixture = call().await;
    fixture.media.fail(Operation::Close, unreachable_server());
    assert_eq!(ask(&fixture, "pia", "/v1/end", "").await.problem(), problem(503, "unavailable"));
    assert!(fixture.writer.events.lock().is_empty());
}

#[tokio::test]
async fn a_presenter_adds_a_person_who_can_join_by_the_link_of_the_answer() {
    let fixture = call().await;
    let request = Request::post("/v1/guests")
        .header(AUTHORIZATION, format!("Bearer {}", fixture.sign(&invite("pia"))))
        .header("content-type", "application/json")
        .body(Body::from(r#"{"displayName": " Eve ", "role": "Collaborator"}"#));
    let answer = received(fixture.router.clone().oneshot(request.unwrap()).await.unwrap()).await;
    assert_eq!(answer.status, 201);
    let json = answer.json();
    assert_eq!((&json["displayName"], &json["role"]), (&json!("Eve"), &json!("Collaborator")));
    let (page, token) = json["url"].as_str().unwrap().split_once('#').unwrap();
    assert!(page == "https://meet.test/", "{page}");
    assert_eq!(fixture.join_with(token).await.json()["identity"], json["name"]);
    let name = json["name"].as_str().unwrap();
    assert_eq!(told(&fixture, 1).await, [format!("standup: GuestAdded: pia added {name} as Collaborator")]);
}

#[rstest]
#[case::without_a_name("{}", "displayName")]
#[case::unknown_role(r#"{"displayName": "Eve", "role": "Chief"}"#, "Chief")]
#[case::unknown_field(r#"{"displayName": "Eve", "admin": true}"#, "admin")]
#[tokio::test]
async fn a_guest_that_cannot_be_is_refused_by_field(#[case] body: &str, #[case] named: &str) {
    let fixture = call().await;
    let answer = ask(&fixture, "pia", "/v1/guests", body).await;
    assert_eq!(answer.problem(), problem(400, "bad-request"));
    assert!(answer.json()["detail"].as_str().unwrap().contains(named), "{}", answer.json());
}

#[tokio::test]
async fn people_can_be_added_before_the_call_and_not_after_it() {
    let early = Fixture::with(room_with("/spec/validFrom", json!("2030-01-15T13:00:00Z"))).await;
    assert_eq!(ask(&early, "pia", "/v1/guests", r#"{"displayName": "Eve"}"#).await.status, 201);
    let over = Fixture::with(room_with("/spec/validUntil", json!("2030-01-15T11:00:00Z"))).await;
    assert_eq!(ask(&over, "pia", "/v1/guests", r#"{"displayName": "Eve"}"#).await.problem(), problem(403, "over"));
}

#[tokio::test]
async fn after_the_end_for_all_the_call_can_be_joined_again() {
    let fixture = call().await;
    assert_eq!(ask(&fixture, "pia", "/v1/end", "").await.status, 204);
    assert_eq!(fixture.join("att").await.status, 200);
}

#[tokio::test]
async fn a_room_takes_no_more_guests_than_it_may_have_and_says_how_many_that_are() {
    let fixture = call().await;
    for number in 0..350 {
        let guest = json!({
            "metadata": {"namespace": "team", "name": format!("g{number}"), "uid": format!("guest-{number}")},
            "spec": {"roomName": "standup", "displayName": "Guest", "role": "Attendee"},
        });
        fixture.writer.guest(&Event::Apply(serde_json::from_value(guest).unwrap()));
    }
    let answer = ask(&fixture, "pia", "/v1/guests", r#"{"displayName": "Eve"}"#).await;
    assert_eq!(answer.problem(), problem(400, "bad-request"));
    assert_eq!(answer.json()["detail"], "The Room has 350 guests, which is the most it may have.");
}

#[tokio::test]
async fn a_presenter_sees_the_guests_and_withdraws_one_who_is_out_at_once() {
    let fixture = call().await;
    let added = ask(&fixture, "pia", "/v1/guests", r#"{"displayName": "Eve", "role": "Collaborator"}"#).await.json();
    let (eve, own) = (added["name"].as_str().unwrap(), added["url"].as_str().unwrap().split_once('#').unwrap().1);
    let pia = format!("Bearer {}", fixture.sign(&invite("pia")));
    let list = async || fixture.send("GET", "/v1/guests", Some(&pia)).await.json();
    let expected = json!({"name": eve, "displayName": "Eve", "role": "Collaborator", "invitedBy": "pia", "canBeWithdrawn": true});
    assert_eq!(list().await, json!({"guests": [expected]}));
    let withdrawn = fixture.send("DELETE", &format!("/v1/guests/{eve}"), Some(&pia)).await;
    assert_eq!((withdrawn.status.as_u16(), withdrawn.body.len()), (204, 0));
    assert_eq!(list().await, json!({"guests": []}));
    assert_eq!(fixture.join_with(own).await.problem(), problem(401, "invalid-invite"));
    assert_eq!(told(&fixture, 2).await[1], format!("standup: GuestWithdrawn: pia withdrew {eve}"));
    let again = fixture.send("DELETE", &format!("/v1/guests/{eve}"), Some(&pia)).await;
    assert_eq!(again.problem(), problem(404, "not-found"));
}

#[tokio::test]
async fn a_guest_whom_the_owner_of_the_room_made_is_seen_and_stays() {
    let fixture = call().await;
    let spec = json!({"roomName": "standup", "displayName": "Irina", "role": "Presenter", "invitedBy": "col"});
    let guest = json!({"metadata": {"namespace": "team", "name": "irina"}, "spec": spec});
    fixture.writer.guest(&Event::Apply(serde_json::from_value(guest).unwrap()));
    let pia = format!("Bearer {}", fixture.sign(&invite("pia")));
    let listed =
        json!({"name": "guest-irina", "displayName": "Irina", "role": "Collaborator", "invitedBy": "col", "canBeWithdrawn": false});
    assert_eq!(fixture.send("GET", "/v1/guests", Some(&pia)).await.json(), json!({"guests": [listed]}));
    for (name, expected) in [("guest-irina", problem(403, "not-allowed")), ("irina", problem(404, "not-found"))] {
        assert_eq!(fixture.send("DELETE", &format!("/v1/guests/{name}"), Some(&pia)).await.problem(), expected);
    }
    assert_eq!(fixture.join("guest-irina").await.status, 200);
}

#[rstest]
#[tokio::test]
async fn guests_are_for_presenters_alone(#[values("col", "att", "con")] who: &str) {
    let fixture = call().await;
    let added = ask(&fixture, "pia", "/v1/guests", r#"{"displayName": "Eve"}"#).await.json();
    let bearer = format!("Bearer {}", fixture.sign(&invite(who)));
    let path = format!("/v1/guests/{}", added["name"].as_str().unwrap());
    for (method, path) in [("GET", "/v1/guests"), ("DELETE", path.as_str())] {
        assert_eq!(fixture.send(method, path, Some(&bearer)).await.problem(), problem(403, "not-allowed"));
        assert_eq!(fixture.send(method, path, Some("Bearer forged")).await.problem(), problem(401, "invalid-invite"));
    }
}

#[tokio::test]
async fn of_many_who_are_added_at_the_same_moment_no_more_are_made_than_the_room_may_have() {
    let fixture = call().await;
    for number in 0..345 {
        let guest = json!({
            "metadata": {"namespace": "team", "name": format!("g{number}"), "uid": format!("guest-{number}")},
            "spec": {"roomName": "standup", "displayName": "Guest", "role": "Attendee"},
        });
        fixture.writer.guest(&Event::Apply(serde_json::from_value(guest).unwrap()));
    }
    *fixture.writer.shown_after.lock() = Some(Duration::from_millis(50));
    let add = || ask(&fixture, "pia", "/v1/guests", r#"{"displayName": "Eve"}"#);
    let answers = futures::future::join_all((0..20).map(|_| add())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5);
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.problem() == problem(400, "bad-request")));
    assert_eq!(fixture.writer.created.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_guest_who_comes_after_all_that_a_room_may_have_is_taken_back_and_the_presenter_told() {
    let fixture = call().await;
    // Another gateway adds one of an earlier name at the same moment.
    for number in 0..349 {
        let guest = json!({
            "metadata": {"namespace": "team", "name": format!("g{number}"), "uid": format!("guest-{number}")},
            "spec": {"roomName": "standup", "displayName": "Guest", "role": "Attendee"},
        });
        fixture.writer.guest(&Event::Apply(serde_json::from_value(guest).unwrap()));
    }
    let other = json!({"metadata": {"namespace": "team", "name": "0"}, "spec": {"roomName": "standup", "displayName": "Other", "role": "Attendee"}});
    *fixture.writer.beside.lock() = Some(serde_json::from_value(other).unwrap());
    let answer = ask(&fixture, "pia", "/v1/guests", r#"{"displayName": "Eve"}"#).await;
    assert_eq!(answer.problem(), problem(400, "bad-request"));
    let pia = format!("Bearer {}", fixture.sign(&invite("pia")));
    let left = fixture.send("GET", "/v1/guests", Some(&pia)).await.json();
    let guests = left["guests"].as_array().unwrap();
    assert_eq!((guests.len(), guests.iter().any(|guest| guest["displayName"] == "Eve")), (350, false));
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_with_its_length_and_the_limit() {
    let fixture = call().await;
    let body = json!({"displayName": "x".repeat(129)}).to_string();
    let answer = ask(&fixture, "pia", "/v1/guests", &body).await;
    assert_eq!(answer.problem(), problem(400, "bad-request"));
    assert_eq!(answer.json()["detail"], "displayName: has 129 characters; 1 to 128 are needed.");
}
