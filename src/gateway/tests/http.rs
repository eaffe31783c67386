//! What holds for every request and every answer.

use axum::body::Bytes as Chunk;
use futures::stream;

use super::*;

#[tokio::test]
async fn every_answer_forbids_storing_sniffing_and_referrers() {
    let world = World::new().await;
    world.stage.set_mood(Mood::Well);
    for answer in [
        world.view("att").await,
        world.join("att").await,
        world.send("GET", "/v1/room", None).await,
        world.send("GET", "/nowhere", None).await,
        world.send("DELETE", "/v1/room", None).await,
    ] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.status);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", answer.status);
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{}", answer.status);
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_too() {
    let world = World::new().await;
    for path in [
        "/v1",
        "/v1/join/",
        "/v2/room",
        "/index.html",
        "/assets/",
        "/assets/unknown.js",
        "/assets/..%2findex.html",
        "/assets/../index.html",
    ] {
        assert_eq!(world.send("GET", path, None).await.problem(), problem(404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let world = World::new().await;
    let answer = world.send("POST", "/v1/room", None).await;
    assert_eq!(answer.problem(), problem(405, "method-not-allowed"));
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    let answer = world.send("GET", "/v1/join", None).await;
    assert_eq!(answer.problem(), problem(405, "method-not-allowed"));
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_body_of_more_than_4096_bytes_is_refused_whether_its_length_is_announced_or_not() {
    let world = World::new().await;
    let authorization = format!("Bearer {}", world.sign(&invite("att")));
    for (length, expected) in [(4096, 200), (4097, 413)] {
        let body = format!("{:length$}", "{}").into_bytes();
        let announced = Request::post("/v1/join").header("content-length", length).body(Body::from(body.clone()));
        let chunks = stream::iter(body.chunks(100).map(|chunk| Ok::<_, std::io::Error>(Chunk::copy_from_slice(chunk))).collect::<Vec<_>>());
        let chunked = Request::post("/v1/join").body(Body::from_stream(chunks));
        for mut request in [announced.unwrap(), chunked.unwrap()] {
            request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
            let answer = received(world.router.clone().oneshot(request).await.unwrap()).await;
            assert_eq!(answer.status, expected);
            if expected == 413 {
                assert_eq!(answer.problem(), problem(413, "too-large"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_longer_than_ten_seconds_is_given_up() {
    let world = World::new().await;
    world.stage.set_mood(Mood::Hanging);
    let answer = world.join("att").await;
    assert_eq!(answer.problem(), problem(503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_panic_costs_one_request_and_tells_nothing() {
    let world = World::new().await;
    world.stage.set_mood(Mood::Panicking);
    let answer = world.join("att").await;
    assert_eq!(answer.problem(), problem(500, "internal"));
    assert!(!String::from_utf8_lossy(&answer.body).contains(MEDIA_TOKEN));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
