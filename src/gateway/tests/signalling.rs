//! Signalling that is passed on, and what must not get out on the way. The rest needs a real server: `tests/servers/door`.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A media server that refuses everything with this status, and quotes what it was sent, as LiveKit quotes tokens. Returns its
/// address and, at its end, what it was sent.
pub async fn quoting_server(status: u16) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 16 * 1024];
        let length = stream.read(&mut request).await.unwrap();
        let request = String::from_utf8(request[..length].to_vec()).unwrap();
        let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: {}\r\nx-quote: {MEDIA_TOKEN}\r\n\r\n{request}", request.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    });
    (address, served)
}

/// Asks for a WebSocket with this query.
pub async fn connect(fixture: &Fixture, path: &str, query: &str) -> Answer {
    connect_with(fixture, path, query, None).await
}

/// Asks for a WebSocket with this query, and with these subprotocols.
async fn connect_with(fixture: &Fixture, path: &str, query: &str, subprotocols: Option<&str>) -> Answer {
    let request = Request::get(format!("{path}?{query}"))
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "key");
    let request = match subprotocols {
        Some(subprotocols) => request.header("sec-websocket-protocol", subprotocols),
        None => request,
    };
    received(fixture.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

#[tokio::test]
async fn what_the_media_server_says_of_a_token_is_not_repeated_and_the_token_goes_to_it_in_a_header_alone() {
    for (status, expected) in [(401, "bad-request"), (404, "not-found"), (500, "unavailable"), (302, "unavailable")] {
        for path in ["/rtc", "/rtc/v1", "/rtc/validate"] {
            let fixture = Fixture::new().await;
            let (address, served) = quoting_server(status).await;
            fixture.proxy_to(&address);
            let token = fixture.media_token("att");
            let answer = connect(&fixture, path, &format!("access_token={token}&auto_subscribe=1&sdk=js")).await;
            assert_eq!(answer.problem().1, expected, "{path} {status}");
            assert!(!String::from_utf8_lossy(&answer.body).contains(MEDIA_TOKEN) && answer.header("x-quote").is_none());
            let sent = served.await.unwrap();
            assert!(sent.starts_with(&format!("GET {path}?auto_subscribe=1&sdk=js HTTP/1.1\r\n")), "{sent}");
            assert!(sent.contains(&format!("authorization: Bearer {MEDIA_TOKEN}")), "{sent}");
        }
    }
}

#[tokio::test]
async fn the_media_server_gets_a_token_of_the_role_that_somebody_has_now() {
    for path in ["/rtc", "/rtc/v1"] {
        let fixture = Fixture::new().await;
        let (address, served) = quoting_server(401).await;
        fixture.proxy_to(&address);
        let token = fixture.media_token("att");
        fixture.apply(room_with("/spec/participants", json!([{"name": "att", "role": "Consumer"}])));
        connect(&fixture, path, &format!("access_token={token}")).await;
        let sent = served.await.unwrap();
        assert!(sent.contains("/att/Consumer/") && !sent.contains(&token), "{sent}");
    }
}

#[tokio::test]
async fn a_token_among_the_subprotocols_counts_and_none_of_them_reach_the_media_server() {
    for path in ["/rtc", "/rtc/v1"] {
        let fixture = Fixture::new().await;
        let (address, served) = quoting_server(401).await;
        fixture.proxy_to(&address);
        let offered = format!("roomkeeper, roomkeeper.bearer.{}", fixture.media_token("att"));
        // What stands in the address then is not looked at.
        let answer = connect_with(&fixture, path, "access_token=other&sdk=js", Some(&offered)).await;
        assert_eq!(answer.problem().1, "bad-request", "let through, and refused by the media server");
        let sent = served.await.unwrap();
        assert!(sent.starts_with(&format!("GET {path}?sdk=js HTTP/1.1\r\n")), "{sent}");
        assert!(!sent.to_ascii_lowercase().contains("sec-websocket-protocol"), "{sent}");
        for nothing in ["roomkeeper", "roomkeeper.bearer.", "roomkeeper.bearer.other", "bearer, x"] {
            assert_eq!(connect_with(&fixture, path, "sdk=js", Some(nothing)).await.problem(), problem(401, "invalid-invite"));
        }
    }
}

#[tokio::test]
async fn the_room_is_asked_on_every_connect() {
    let fixture = Fixture::new().await;
    fixture.proxy_to("http://127.0.0.1:1");
    let query = format!("access_token={}", fixture.media_token("att"));
    let unreachable = problem(503, "unavailable");
    assert_eq!(connect(&fixture, "/rtc", &query).await.problem(), unreachable, "let through, to nobody");
    for (change, expected) in [
        (room_with("/spec/participants", json!([])), problem(401, "invalid-invite")),
        (room_with("/spec/participants", json!([{"name": "att", "suspended": true}])), problem(401, "invalid-invite")),
        (room_with("/spec/participants", json!([{"name": "att", "inviteGeneration": 1}])), problem(401, "invalid-invite")),
        (room_with("/status/session", json!({"id": NEXT_SESSION, "epoch": 2})), problem(401, "invalid-invite")),
        (room_with("/spec/suspend", json!(true)), problem(403, "suspended")),
        (room_with("/metadata/deletionTimestamp", json!(NOON)), problem(403, "over")),
        (room_with("/spec/validUntil", json!(NOON)), problem(403, "over")),
        (room_with("/spec/roomClassName", json!("vanished")), problem(503, "unavailable")),
        (room(), unreachable.clone()),
    ] {
        fixture.apply(change);
        for path in ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"] {
            assert_eq!(connect(&fixture, path, &query).await.problem(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn somebody_who_comes_back_to_a_full_call_is_refused_and_somebody_in_it_is_not() {
    let fixture = Fixture::with(room_with("/spec/maxParticipants", json!(2))).await;
    fixture.proxy_to("http://127.0.0.1:1");
    fixture.set_members(&["pia", "col"]);
    let query = |who: &str| format!("access_token={}", fixture.media_token(who));
    assert_eq!(connect(&fixture, "/rtc", &query("att")).await.problem(), problem(403, "full"));
    assert_eq!(connect(&fixture, "/rtc", &query("col")).await.problem(), problem(503, "unavailable"), "let through, to nobody");
}

#[tokio::test]
async fn the_signalling_of_a_server_in_direct_mode_is_not_passed_on() {
    let fixture = Fixture::new().await;
    let answer = connect(&fixture, "/rtc", &format!("access_token={}", fixture.media_token("att"))).await;
    assert_eq!(answer.problem(), problem(401, "invalid-invite"));
}

#[tokio::test]
async fn clients_are_told_the_gateways_own_address_only_when_the_server_names_none() {
    let fixture = Fixture::new().await;
    let joined = fixture.join("att").await.json();
    assert_eq!((&joined["url"], joined.get("subprotocol")), (&json!("wss://media.test"), None));
    fixture.proxy_to("http://127.0.0.1:1");
    let joined = fixture.join("att").await.json();
    assert_eq!(
        (&joined["url"], &joined["signalling"], &joined["subprotocol"]),
        (&json!("wss://meet.test"), &json!("Proxied"), &json!("roomkeeper"))
    );
}
