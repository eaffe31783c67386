//! What holds for every request and every answer.

use axum::body::Bytes as Chunk;
use futures::stream;

use super::*;

#[tokio::test]
async fn every_answer_forbids_storing_sniffing_and_referrers() {
    let fixture = Fixture::new().await;
    for answer in [
        fixture.view("att").await,
        fixture.join("att").await,
        fixture.send("GET", "/v1/room", None).await,
        fixture.send("GET", "/nowhere", None).await,
        fixture.send("DELETE", "/v1/room", None).await,
    ] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.status);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", answer.status);
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{}", answer.status);
    }
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_too() {
    let fixture = Fixture::new().await;
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
        assert_eq!(fixture.send("GET", path, None).await.problem(), problem(404, "not-found"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() {
    let fixture = Fixture::new().await;
    let answer = fixture.send("POST", "/v1/room", None).await;
    assert_eq!(answer.problem(), problem(405, "method-not-allowed"));
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    let answer = fixture.send("GET", "/v1/join", None).await;
    assert_eq!(answer.problem(), problem(405, "method-not-allowed"));
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_body_of_more_than_4096_bytes_is_refused_whether_its_length_is_announced_or_not() {
    let fixture = Fixture::new().await;
    let authorization = format!("Bearer {}", fixture.sign(&invite("att")));
    for (length, expected) in [(4096, 200), (4097, 413)] {
        let body = [vec![b' '; length - 2], b"{}".to_vec()].concat();
        let chunks: Vec<_> = body.chunks(100).map(|chunk| Ok::<_, std::io::Error>(Chunk::copy_from_slice(chunk))).collect();
        let request = || Request::post("/v1/join").header("content-type", "application/json; charset=utf-8");
        let announced = request().header("content-length", length).body(Body::from(body));
        let chunked = request().body(Body::from_stream(stream::iter(chunks)));
        for mut request in [announced.unwrap(), chunked.unwrap()] {
            request.headers_mut().insert(AUTHORIZATION, authorization.parse().unwrap());
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
            let answer = received(fixture.router.clone().oneshot(request).await.unwrap()).await;
            assert_eq!(answer.status, expected);
            if expected == 413 {
                assert_eq!(answer.problem(), problem(413, "too-large"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_longer_than_ten_seconds_is_given_up() {
    let fixture = Fixture::new().await;
    let _held = fixture.media.hold(Operation::Observe);
    let answer = fixture.join("att").await;
    assert_eq!(answer.problem(), problem(503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_panic_costs_one_request_and_tells_nothing() {
    let fixture = Fixture::new().await;
    fixture.media.meanwhile(Operation::Observe, || panic!("{MEDIA_TOKEN} in a panic"));
    let answer = fixture.join("att").await;
    assert_eq!(answer.problem(), problem(500, "internal"));
    assert!(!String::from_utf8_lossy(&answer.body).contains(MEDIA_TOKEN));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_body_is_json_with_known_fields_and_says_so_or_is_refused() {
    let fixture = Fixture::new().await;
    let authorization = format!("Bearer {}", fixture.sign(&invite("att")));
    let json = Some("application/json");
    for (content_type, body, expected) in [
        (None, "", 200),
        (json, "", 200),
        (json, "{}", 200),
        (Some("Application/JSON;charset=utf-8"), " {} ", 200),
        (json, "{", 400),
        (json, "[]", 400),
        (json, "\"text\"", 400),
        (json, "{\"unknown\": 1}", 400),
        (json, "{} {}", 400),
        (json, "\u{feff}{}", 400),
        (None, "{}", 415),
        (Some("text/plain"), "{}", 415),
        (Some("application/x-www-form-urlencoded"), "a=b", 415),
        (Some("application/json-seq"), "{}", 415),
    ] {
        let mut request = Request::post("/v1/join").header(AUTHORIZATION, &authorization);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = received(fixture.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()).await;
        assert_eq!(answer.status, expected, "{content_type:?} {body}");
        match expected {
            400 => assert_eq!(answer.problem(), problem(400, "bad-request")),
            415 => assert_eq!(answer.problem(), problem(415, "unsupported-media-type")),
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_asks_too_often_by_one_invite_is_told_to_wait_and_nobody_else_is() {
    let fixture = Fixture::new().await;
    let mut answer = fixture.view("att").await;
    // More than the limit, because a busy machine takes its time to ask as often.
    for _ in 0..1000 {
        if answer.status == 429 {
            break;
        }
        answer = fixture.view("att").await;
    }
    let refused = answer;
    assert_eq!(refused.problem(), problem(429, "too-many-requests"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(fixture.view("col").await.status, 200);
}
