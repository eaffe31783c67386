//! Never more people than the Room allows.

use serde_json::json;

use super::*;

async fn room_for(places: i32) -> Fixture {
    let mut room = room_with("/spec/maxParticipants", json!(places));
    let crowd: Vec<Value> = (0..100).map(|number| json!({"name": format!("p{number}")})).collect();
    room["spec"]["participants"] = json!(crowd);
    Fixture::with(room).await
}

#[tokio::test]
async fn a_full_call_lets_nobody_else_in_and_says_so() {
    let fixture = room_for(2).await;
    fixture.set_members(&["p1", "p2"]);
    assert_eq!(fixture.join("p3").await.problem(), problem(403, "full"));
    assert_eq!(fixture.state("p3").await, "full");
}

#[tokio::test]
async fn who_is_in_a_full_call_can_come_back() {
    let fixture = room_for(2).await;
    fixture.set_members(&["p1", "p2"]);
    assert_eq!(fixture.join("p1").await.status, 200);
    assert_eq!(fixture.state("p1").await, "open");
}

#[tokio::test]
async fn a_grant_holds_a_place_before_its_holder_is_seen_in_the_call() {
    let fixture = room_for(2).await;
    fixture.set_members(&["p1"]);
    assert_eq!(fixture.join("p2").await.status, 200);
    assert_eq!(fixture.join("p2").await.status, 200);
    assert_eq!(fixture.join("p3").await.problem(), problem(403, "full"));
    assert_eq!(fixture.state("p3").await, "full");
    assert_eq!(fixture.state("p2").await, "open");
}

#[tokio::test]
async fn a_grant_and_the_presence_of_the_same_person_take_one_place() {
    let fixture = room_for(2).await;
    assert_eq!(fixture.join("p1").await.status, 200);
    fixture.set_members(&["p1"]);
    assert_eq!(fixture.join("p2").await.status, 200);
}

#[tokio::test]
async fn the_place_of_somebody_who_never_came_is_free_when_the_grant_ends() {
    let fixture = room_for(1).await;
    assert_eq!(fixture.join("p1").await.status, 200);
    fixture.clock.set("2030-01-15T12:00:59Z");
    assert_eq!(fixture.join("p2").await.problem(), problem(403, "full"));
    fixture.clock.set("2030-01-15T12:01:00Z");
    assert_eq!(fixture.join("p2").await.status, 200);
}

#[tokio::test]
async fn the_place_of_somebody_who_left_is_kept_while_their_grant_could_bring_them_back() {
    let fixture = room_for(1).await;
    assert_eq!(fixture.join("p1").await.status, 200);
    fixture.set_members(&["p1"]);
    fixture.set_members(&[]);
    assert_eq!(fixture.join("p2").await.problem(), problem(403, "full"));
    fixture.clock.set("2030-01-15T12:01:00Z");
    assert_eq!(fixture.join("p2").await.status, 200);
}

#[tokio::test]
async fn more_places_take_effect_at_once() {
    let fixture = room_for(1).await;
    fixture.set_members(&["p1"]);
    assert_eq!(fixture.join("p2").await.problem(), problem(403, "full"));
    let mut larger = room_with("/spec/maxParticipants", json!(2));
    larger["spec"]["participants"] = json!([{"name": "p1"}, {"name": "p2"}]);
    fixture.apply(larger);
    assert_eq!(fixture.join("p2").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_who_come_at_the_same_moment_for_ten_places_exactly_ten_get_in() {
    let fixture = room_for(10).await;
    fixture.clock.set("2030-01-15T14:59:30Z");
    let start = Arc::new(tokio::sync::Barrier::new(100));
    let comers: Vec<_> = (0..100)
        .map(|number| {
            let (start, router) = (start.clone(), fixture.router.clone());
            let authorization = format!("Bearer {}", fixture.sign(&invite(&format!("p{number}"))));
            tokio::spawn(async move {
                start.wait().await;
                send(router, "POST", "/v1/join", Some(&authorization)).await
            })
        })
        .collect();
    let mut joined = 0;
    for comer in comers {
        let answer = comer.await.unwrap();
        match answer.status.as_u16() {
            200 => {
                assert_eq!(answer.json()["expiresAt"], UNTIL, "the clock is the same on every thread");
                joined += 1;
            }
            _ => assert_eq!(answer.problem(), problem(403, "full")),
        }
    }
    assert_eq!(joined, 10);
}
