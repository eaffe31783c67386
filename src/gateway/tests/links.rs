//! The shared link of a Room, and bodies of requests.

use rstest::rstest;
use serde_json::json;

use super::*;

async fn link_room() -> (Fixture, String) {
    let mut room = room_with("/spec/joinPolicy", json!("AnyoneWithLink"));
    room["spec"]["link"] = json!({"role": "Consumer", "generation": 2});
    let fixture = Fixture::with(room).await;
    let link = fixture.sign(&Invite { generation: 2, ..invite("*") });
    (fixture, link)
}

#[tokio::test]
async fn whoever_has_the_link_is_nobody_until_they_join_and_then_somebody_of_their_own() {
    let (fixture, link) = link_room().await;
    let view = fixture.send("GET", "/v1/room", Some(&format!("Bearer {link}"))).await.json();
    assert_eq!((&view["participant"], &view["role"], &view["state"]), (&Value::Null, &json!("Consumer"), &json!("open")));
    let mut identities = Vec::new();
    for name in ["Ann", "Ann"] {
        let answer = fixture.post("/v1/join", &link, "application/json", json!({"displayName": name}).to_string()).await;
        assert_eq!(answer.status, 200);
        identities.push(answer.json()["identity"].as_str().unwrap().to_owned());
    }
    assert!(identities.iter().all(|identity| identity.starts_with("link.")) && identities[0] != identities[1], "{identities:?}");
}

#[tokio::test]
async fn people_with_the_link_fill_the_room_one_by_one() {
    let (fixture, link) = link_room().await;
    let mut room = room_with("/spec/joinPolicy", json!("AnyoneWithLink"));
    room["spec"]["link"] = json!({"generation": 2});
    room["spec"]["maxParticipants"] = json!(2);
    fixture.apply(room);
    let join = async || fixture.post("/v1/join", &link, "application/json", r#"{"displayName": "Ann"}"#).await.status.as_u16();
    assert_eq!([join().await, join().await, join().await], [200, 200, 403]);
}

#[rstest]
#[case::older(1)]
#[case::newer(3)]
#[tokio::test]
async fn a_link_of_another_generation_is_an_invalid_invite(#[case] generation: i64) {
    let (fixture, _) = link_room().await;
    let link = fixture.sign(&Invite { generation, ..invite("*") });
    assert_eq!(fixture.join_with(&link).await.problem(), problem(401, "invalid-invite"));
}

#[tokio::test]
async fn in_a_room_for_invited_people_a_link_is_an_invalid_invite() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.join("*").await.problem(), problem(401, "invalid-invite"));
}

#[rstest]
#[case::without_a_body("application/json", "", 400, "bad-request", "displayName")]
#[case::without_a_name("application/json", "{}", 400, "bad-request", "displayName")]
#[case::too_long("application/json", &format!("{{\"displayName\": \"{}\"}}", "x".repeat(129)), 400, "bad-request", "129")]
#[case::unknown_field("application/json", r#"{"displayName": "Ann", "role": "Presenter"}"#, 400, "bad-request", "role")]
#[case::wrong_type_of_value("application/json", r#"{"displayName": 7}"#, 400, "bad-request", "7")]
#[case::malformed("application/json", r#"{"displayName""#, 400, "bad-request", "")]
#[case::no_json("text/plain", "Ann", 415, "unsupported-media-type", "application/json")]
#[tokio::test]
async fn a_body_that_cannot_be_understood_is_refused_and_named(
    #[case] content_type: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] name: &str,
    #[case] named: &str,
) {
    let (fixture, link) = link_room().await;
    let answer = fixture.post("/v1/join", &link, content_type, body.to_owned()).await;
    assert_eq!(answer.problem(), problem(status, name));
    assert!(answer.json()["detail"].as_str().unwrap().contains(named), "{}", answer.json());
}

#[tokio::test]
async fn who_has_an_invite_of_their_own_does_not_choose_a_name() {
    let (fixture, _) = link_room().await;
    let invite = fixture.sign(&invite("att"));
    let answer = fixture.post("/v1/join", &invite, "application/json", r#"{"displayName": "Pia Presenter"}"#).await;
    assert_eq!(answer.problem(), problem(400, "bad-request"));
    assert_eq!(fixture.post("/v1/join", &invite, "application/json", "{}").await.status, 200);
}

#[tokio::test]
async fn a_stranger_learns_nothing_about_bodies() {
    let (fixture, _) = link_room().await;
    assert_eq!(fixture.post("/v1/join", "forged", "text/plain", "Ann").await.problem(), problem(401, "invalid-invite"));
}
