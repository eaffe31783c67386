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

/// A Room of so many places with pia, its Presenter, and ada on its list, whose visitors have this role.
fn open_to_visitors(places: i32, role: &str) -> Value {
    let mut room = room_with("/spec/joinPolicy", json!("AnyoneWithLink"));
    room["spec"]["link"] = json!({"role": role, "generation": 2});
    room["spec"]["maxParticipants"] = json!(places);
    room["spec"]["participants"] = json!([{"name": "pia", "role": "Presenter"}, {"name": "ada"}]);
    room
}

/// Joins by the link, or by the invite of a visitor.
async fn visit(fixture: &Fixture, invite: &str) -> Answer {
    fixture.post("/v1/join", invite, "application/json", r#"{"displayName": "Ann"}"#).await
}

/// Identity and invite of a visitor who has joined.
fn joined(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.json());
    let text = |key: &str| answer.json()[key].as_str().unwrap().to_owned();
    (text("identity"), text("invite"))
}

#[tokio::test]
async fn who_asks_again_and_again_by_the_link_and_never_connects_keeps_nobody_of_the_list_out() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(2, "Attendee"));
    fixture.proxy_to("http://127.0.0.1:1");
    joined(&visit(&fixture, &link).await);
    for _ in 0..50 {
        assert_eq!(visit(&fixture, &link).await.problem(), problem(403, "full"), "one place waits for the visitor before");
    }
    for name in ["ada", "pia"] {
        assert_eq!((fixture.state(name).await, fixture.join(name).await.status.as_u16()), (json!("open"), 200), "{name}");
    }
}

#[tokio::test]
async fn a_visitor_whose_place_somebody_of_the_list_took_is_told_so_when_they_connect() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(2, "Attendee"));
    fixture.proxy_to("http://127.0.0.1:1");
    let token = visit(&fixture, &link).await.json()["token"].as_str().unwrap().to_owned();
    let connect = async || super::signalling::connect(&fixture, "/rtc", &format!("access_token={token}")).await.problem();
    assert_eq!(connect().await, problem(503, "unavailable"), "let through, to nobody");
    assert_eq!(fixture.join("ada").await.status, 200);
    assert_eq!(connect().await, problem(403, "full"));
}

#[tokio::test]
async fn where_clients_connect_to_the_media_server_few_visitors_may_be_on_their_way_at_the_same_time() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(8, "Attendee"));
    let (first, _) = joined(&visit(&fixture, &link).await);
    joined(&visit(&fixture, &link).await);
    let refused = visit(&fixture, &link).await;
    assert_eq!((refused.problem(), refused.header("retry-after")), (problem(429, "too-many-requests"), Some("1")));
    assert_eq!(fixture.join("ada").await.status, 200);
    fixture.set_members(&[&first]);
    joined(&visit(&fixture, &link).await);
}

#[tokio::test]
async fn visitors_fill_a_room_but_for_the_places_of_its_presenters() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(3, "Attendee"));
    fixture.set_members(&["link.a", "link.b"]);
    assert_eq!(visit(&fixture, &link).await.problem(), problem(403, "full"));
    let view = fixture.send("GET", "/v1/room", Some(&format!("Bearer {link}"))).await.json();
    assert_eq!(view["state"], "full");
    assert_eq!(fixture.join("pia").await.status, 200);
    fixture.set_members(&["link.a", "pia"]);
    joined(&visit(&fixture, &link).await);
}

#[tokio::test]
async fn a_visitor_who_comes_again_by_the_invite_of_their_own_is_the_same_person_in_the_same_place() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(2, "Attendee"));
    let (identity, own) = joined(&visit(&fixture, &link).await);
    fixture.set_members(&[&identity]);
    let view = fixture.send("GET", "/v1/room", Some(&format!("Bearer {own}"))).await.json();
    assert_eq!((&view["participant"], &view["role"], &view["state"]), (&Value::Null, &json!("Attendee"), &json!("open")));
    let again = fixture.post("/v1/join", &own, "application/json", r#"{"displayName": "Ann of the second floor"}"#).await;
    assert_eq!(joined(&again), (identity, own.clone()));
    assert_eq!(visit(&fixture, &link).await.problem(), problem(403, "full"), "somebody new has no place");
    assert_eq!(fixture.join_with(&own).await.problem(), problem(400, "bad-request"), "a name is needed each time");
}

#[tokio::test]
async fn the_invite_of_a_visitor_ends_with_the_link_and_is_for_that_room_alone() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(3, "Attendee"));
    let (identity, own) = joined(&visit(&fixture, &link).await);
    let invalid = problem(401, "invalid-invite");
    for forged in [
        Invite { generation: 3, ..invite(&identity) },
        Invite { generation: 2, id: "another".into(), ..invite(&identity) },
        Invite { generation: 2, room: "other".into(), ..invite(&identity) },
    ] {
        assert_eq!(visit(&fixture, &fixture.sign(&forged)).await.problem(), invalid, "{forged:?}");
    }
    let mut replaced = open_to_visitors(3, "Attendee");
    replaced["spec"]["link"]["generation"] = json!(3);
    for room in [replaced, room()] {
        fixture.apply(room);
        assert_eq!(visit(&fixture, &own).await.problem(), invalid);
    }
}

#[tokio::test]
async fn a_visitor_whom_a_presenter_removed_does_not_come_back_as_the_same_person() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(5, "Attendee"));
    fixture.proxy_to("http://127.0.0.1:1");
    let answer = visit(&fixture, &link).await;
    let ((identity, own), token) = (joined(&answer), answer.json()["token"].as_str().unwrap().to_owned());
    fixture.set_members(&["pia", &identity]);
    let path = format!("/v1/participants/{identity}/remove");
    assert_eq!(fixture.post(&path, &fixture.sign(&invite("pia")), "application/json", "").await.status, 204);
    let removed = problem(403, "removed");
    assert_eq!(visit(&fixture, &own).await.problem(), removed);
    assert_eq!(fixture.send("GET", "/v1/room", Some(&format!("Bearer {own}"))).await.problem(), removed);
    assert_eq!(super::signalling::connect(&fixture, "/rtc", &format!("access_token={token}")).await.problem(), removed);
    assert_ne!(joined(&visit(&fixture, &link).await).0, identity, "as anybody who has the link");
}

#[tokio::test]
async fn guests_of_a_visitor_are_guests_of_the_link_and_go_with_it() {
    let (fixture, link) = link_room().await;
    fixture.apply(open_to_visitors(5, "Presenter"));
    let (_, own) = joined(&visit(&fixture, &link).await);
    let added = fixture.post("/v1/guests", &own, "application/json", r#"{"displayName": "Eve"}"#).await;
    assert_eq!(added.status, 201, "{}", added.json());
    let guest = added.json()["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    assert_eq!(fixture.join_with(&guest).await.status, 200);
    let mut replaced = open_to_visitors(5, "Presenter");
    replaced["spec"]["link"]["generation"] = json!(3);
    fixture.apply(replaced);
    assert_eq!(fixture.join_with(&guest).await.problem(), problem(401, "invalid-invite"));
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
