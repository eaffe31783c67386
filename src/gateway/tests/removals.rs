//! People whom a Presenter has put out, and lets in again.

use std::sync::atomic::Ordering;

use kube::runtime::watcher::Event;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::api::RoomRemoval;

/// A Room with two Presenters on its list, all of whose people are in the call but ben.
async fn call() -> Fixture {
    let people = json!([{"name": "pia", "role": "Presenter"}, {"name": "pat", "role": "Presenter"}, {"name": "ada"}, {"name": "ben"}]);
    let fixture = Fixture::with(room_with("/spec/participants", people)).await;
    fixture.set_members(&["pia", "pat", "ada"]);
    fixture
}

async fn remove(fixture: &Fixture, by: &str, identity: &str) -> Answer {
    fixture.post(&format!("/v1/participants/{identity}/remove"), &fixture.sign(&invite(by)), "application/json", "").await
}

async fn ask(fixture: &Fixture, method: &str, who: &str, path: &str) -> Answer {
    fixture.send(method, path, Some(&format!("Bearer {}", fixture.sign(&invite(who))))).await
}

/// Identities of whom the Presenters see as removed.
async fn listed(fixture: &Fixture) -> Vec<String> {
    let answer = ask(fixture, "GET", "pia", "/v1/removals").await;
    let json = answer.json();
    let mut identities: Vec<String> =
        json["removals"].as_array().unwrap().iter().map(|removal| removal["identity"].as_str().unwrap().to_owned()).collect();
    identities.sort();
    identities
}

/// A removal that somebody made with kubectl.
fn removal_of(identity: &str) -> RoomRemoval {
    let object = json!({"metadata": {"namespace": "team", "name": "by-hand"}, "spec": {"roomName": "standup", "identity": identity}});
    serde_json::from_value(object).unwrap()
}

#[tokio::test]
async fn who_was_removed_stays_out_by_every_way_until_a_presenter_lets_them_in_again() {
    let fixture = call().await;
    fixture.proxy_to("http://127.0.0.1:1");
    let token = fixture.join("ada").await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(remove(&fixture, "pia", "ada").await.status, 204);
    fixture.set_members(&["pia", "pat"]);
    let removed = problem(403, "removed");
    assert_eq!(fixture.join("ada").await.problem(), removed);
    assert_eq!(fixture.view("ada").await.problem(), removed);
    assert_eq!(signalling::connect(&fixture, "/rtc", &format!("access_token={token}")).await.problem(), removed);
    let answer = ask(&fixture, "GET", "pat", "/v1/removals").await;
    let entry = json!({"identity": "ada", "displayName": "ada", "removedBy": "pia", "canBeReadmitted": true});
    assert_eq!(answer.json(), json!({"removals": [entry]}));
    assert_eq!(ask(&fixture, "DELETE", "pat", "/v1/removals/ada").await.status, 204);
    assert_eq!((listed(&fixture).await.len(), fixture.join("ada").await.status.as_u16()), (0, 200));
}

#[tokio::test]
async fn somebody_of_the_list_can_be_removed_while_they_are_not_in_the_call_and_a_stranger_cannot() {
    let fixture = call().await;
    assert_eq!(remove(&fixture, "pia", "ben").await.status, 204);
    assert_eq!((fixture.join("ben").await.problem(), fixture.told_to_media()), (problem(403, "removed"), vec![]));
    for stranger in ["eve", "link.abc", "guest-eve", "*"] {
        assert_eq!(remove(&fixture, "pia", stranger).await.problem(), problem(404, "not-found"), "{stranger}");
    }
    fixture.media.fail(Operation::Observe, unreachable_server());
    assert_eq!(remove(&fixture, "pia", "ada").await.status, 204, "a media server that does not answer keeps nobody in");
    assert_eq!(listed(&fixture).await, ["ada", "ben"]);
}

#[tokio::test]
async fn who_is_removed_is_out_although_the_api_server_does_not_record_it_and_the_presenter_is_told_that_it_may_not_last() {
    let fixture = call().await;
    fixture.writer.fails.store(true, Ordering::Relaxed);
    assert_eq!(remove(&fixture, "pia", "ada").await.problem(), problem(503, "unavailable"));
    assert_eq!(fixture.told_to_media(), ["Remove ada"]);
}

#[tokio::test]
async fn nobody_removes_themselves_and_whom_a_presenter_has_added_removes_no_presenter_of_the_list() {
    let fixture = call().await;
    let eve = r#"{"displayName": "Eve", "role": "Presenter"}"#;
    let added = fixture.post("/v1/guests", &fixture.sign(&invite("pia")), "application/json", eve).await;
    let guest = added.json()["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let by_guest =
        async |identity: &str| fixture.post(&format!("/v1/participants/{identity}/remove"), &guest, "application/json", "").await;
    assert_eq!(by_guest("pia").await.problem(), problem(403, "not-allowed"));
    assert_eq!(by_guest("ada").await.status, 204);
    assert_eq!(remove(&fixture, "pia", "pia").await.problem(), problem(403, "not-allowed"));
    assert_eq!(remove(&fixture, "pia", "pat").await.status, 204);
}

#[tokio::test]
async fn whom_somebody_else_keeps_out_presenters_see_and_do_not_let_in() {
    let fixture = call().await;
    fixture.writer.removal(&Event::Apply(removal_of("ada")));
    assert_eq!(fixture.join("ada").await.problem(), problem(403, "removed"));
    assert_eq!(ask(&fixture, "GET", "pia", "/v1/removals").await.json()["removals"][0]["canBeReadmitted"], false);
    assert_eq!(ask(&fixture, "DELETE", "pia", "/v1/removals/ada").await.problem(), problem(403, "not-allowed"));
    assert_eq!(ask(&fixture, "DELETE", "pia", "/v1/removals/ben").await.problem(), problem(404, "not-found"));
}

#[rstest]
#[case::list("GET", "/v1/removals")]
#[case::readmit("DELETE", "/v1/removals/ada")]
#[tokio::test]
async fn others_than_presenters_neither_see_nor_undo_removals(#[case] method: &str, #[case] path: &str) {
    let fixture = call().await;
    fixture.writer.removal(&Event::Apply(removal_of("ada")));
    assert_eq!(ask(&fixture, method, "ben", path).await.problem(), problem(403, "not-allowed"));
    assert_eq!(ask(&fixture, method, "ada", path).await.problem(), problem(403, "removed"), "not even who was removed");
}
