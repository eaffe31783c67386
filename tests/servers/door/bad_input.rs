//! What no well-behaved client sends: each gets its refusal or is cut, and the others do not notice.

use std::time::Duration;

use roomkeeper::api::Phase;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::wire::{exchange, upgrade};
use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Stage};
use crate::support::{eventually, now, run, run_heavy};

/// A join with this body, announced in this way.
fn join(invite: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /v1/join HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {invite}\r\nconnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

#[test]
fn bodies_that_are_too_large_malformed_or_of_another_type_are_refused_each_in_its_way() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        let port = stage.gateway.port;
        let json = "content-type: application/json\r\n";
        let sized = |more: &str, body: &[u8]| join(&invite, &format!("content-length: {}\r\n{more}", body.len()), body);
        let million = vec![b' '; 1_000_000];
        let chunked = [b"f4240\r\n".as_slice(), &million, b"\r\n0\r\n\r\n"].concat();
        for (request, expected) in [
            (sized(json, &million), (413, "too-large")),
            (join(&invite, &format!("transfer-encoding: chunked\r\n{json}"), &chunked), (413, "too-large")),
            (sized(json, b"{"), (400, "bad-request")),
            (sized(json, b"{\"unknown\": 1}"), (400, "bad-request")),
            (sized(json, b"\xff\xfe"), (400, "bad-request")),
            (sized("content-type: text/plain\r\n", b"{}"), (415, "unsupported-media-type")),
            (sized("", b"{}"), (415, "unsupported-media-type")),
        ] {
            let reply = exchange(port, &request).await;
            let text = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
            assert_eq!(reply.problem(), (expected.0, expected.1.to_owned()), "{text}");
        }
        assert_eq!(exchange(port, &sized(json, b"{}")).await.status, 200);
    });
}

#[test]
fn heads_that_are_too_large_or_no_http_are_refused() {
    run(async {
        let port = Stage::shared().await.gateway.port;
        let headers = |number: usize, length: usize| {
            let headers: Vec<_> = (0..number).map(|n| format!("x-{n}: {}\r\n", "a".repeat(length))).collect();
            headers.concat()
        };
        for (request, expected) in [
            (format!("GET /v1/room HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{}\r\n", headers(100, 1)), 431),
            (format!("GET /v1/room HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{}\r\n", headers(1, 100_000)), 431),
            (format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "a".repeat(100_000)), 431),
            ("nonsense\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ] {
            let reply = exchange(port, request.as_bytes()).await;
            assert!(reply.status == expected || reply.status == 414 || reply.status == 0, "{expected}: {reply:?}");
            assert_ne!(reply.status, 200);
        }
    });
}

/// How long the gateway keeps the connection open after `sent`, with one more byte each second.
async fn patience(port: u16, sent: &[u8]) -> Duration {
    let started = now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a gateway that listens");
    stream.write_all(sent).await.expect("sent");
    let (mut reader, mut writer) = stream.into_split();
    let trickle = async {
        loop {
            sleep(Duration::from_secs(1)).await;
            let _ = writer.write_all(b"a").await;
        }
    };
    let mut answer = Vec::new();
    let closed = timeout(Duration::from_secs(25), async {
        tokio::select! {
            _ = reader.read_to_end(&mut answer) => {}
            () = trickle => {}
        }
    });
    closed.await.unwrap_or_else(|_| panic!("still open after 25 s: {}", String::from_utf8_lossy(sent)));
    now().duration_since(started).try_into().expect("time passes")
}

#[test]
fn slow_senders_and_idle_connections_are_cut_after_ten_seconds() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let port = stage.gateway.port;
        let body = join(&place.invite("call", "ada").await, "content-type: application/json\r\ncontent-length: 1000\r\n", b"{");
        let (head, body, whole) = tokio::join!(
            patience(port, b"GET /v1/room HTTP/1.1\r\nhost: a\r\nx: "),
            patience(port, &body),
            patience(port, b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\nGET"),
        );
        for took in [head, body, whole] {
            assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&took), "{took:?}");
        }
    });
}

#[test]
fn signalling_has_no_compression_and_who_sends_messages_that_no_client_has_to_send_is_cut() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let token = place.credentials("call", "ada").await.token;
        // The beginnings of frames, each with a mask: compressed, too long, and a message that is too long by its parts.
        let part = [&[0b0000_0001, 0b1111_1111][..], &1_048_576_u64.to_be_bytes(), &vec![0; 4 + 1_048_576]].concat();
        let last = [&[0b1000_0000, 0b1000_0001][..], &[0; 5]].concat();
        let frames = [
            vec![0b1100_0001, 0b1000_0101, 0, 0, 0, 0],
            [&[0b1000_0001, 0b1111_1111][..], &1_048_577_u64.to_be_bytes(), &[0; 4]].concat(),
            [part, last].concat(),
        ];
        for frame in &frames {
            let compression = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
            let (reply, mut stream) =
                upgrade(stage.gateway.port, &format!("/rtc?access_token={token}&auto_subscribe=1"), &compression).await;
            assert_eq!(reply.status, 101, "{reply:?}");
            assert!(!reply.head.contains("sec-websocket-extensions"), "{reply:?}");
            // The connection may be cut before all of it is sent.
            let _ = stream.write_all(frame).await;
            let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("an end in time");
        }
        // The client hears of its end a little before the gateway has counted it.
        eventually(PATIENCE, async || {
            let metrics = stage.gateway.metrics().await;
            let line = metrics.lines().find(|line| line.contains("roomkeeper_signalling_refusals_total{reason=\"bad-frames\"}"));
            let count: usize = line.and_then(|line| line.rsplit(' ').next()).and_then(|count| count.parse().ok()).unwrap_or_default();
            if count >= frames.len() { Ok(()) } else { Err(metrics) }
        })
        .await;
    });
}

#[test]
fn ten_thousand_connections_from_one_address_cost_little_memory_and_disturb_no_call() {
    run_heavy(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let ben_ticket = place.credentials("call", "ben").await;
        let mut ada = place.joined("call", "ada", &["microphone"]).await;
        let ben = Client::join(&ben_ticket, &["microphone"]).await.expect("ben is in");
        ada.event("media-received").await;
        let before = stage.gateway.process.resident_bytes();
        let mut held = Vec::new();
        let mut opened = 0;
        for _ in 0..10_000 {
            let Ok(stream) = TcpStream::connect(("127.0.0.1", stage.gateway.port)).await else { continue };
            opened += 1;
            // As many as this process may hold, and the gateway lets itself be held by fewer.
            if held.len() < 4000 {
                held.push(stream);
            }
        }
        assert!(opened >= 9_900, "{opened}");
        let grown = stage.gateway.process.resident_bytes().saturating_sub(before);
        assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
        ada.command("say hello").await;
        ben.event("data-received").await;
        ada.command("publish camera").await;
        ben.wait_for("ada's camera", |event| event["event"] == "media-received" && event["source"] == "camera").await;
        assert!(!ada.events().iter().chain(&ben.events()).any(|event| event["event"] == "reconnecting"));
        drop(held);
        // And the door is open again for the same address.
        let again = crate::support::within(Duration::from_secs(20), async || {
            let answer = crate::support::stage::ask(stage.gateway.port, "GET", "/v1/room", &place.invite("call", "ada").await, None).await;
            match answer {
                Ok(answer) if answer.status == 200 => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        again.await.expect("answered again");
    });
}
