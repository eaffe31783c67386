//! What is logged, and what never is.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use serde_json::json;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use super::*;

/// While there is only one subscriber, tracing remembers whether the thread that comes to a log statement first has one, and the
/// threads of other tests have none. A second subscriber makes it ask both.
static SECOND_SUBSCRIBER: OnceLock<Dispatch> = OnceLock::new();

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Collects everything that this thread logs as long as the guard lives.
    fn collect(level: Level) -> (Self, tracing::subscriber::DefaultGuard) {
        SECOND_SUBSCRIBER.get_or_init(|| Dispatch::new(NoSubscriber::default()));
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

#[tokio::test]
async fn every_join_is_logged_with_who_where_and_how_it_ended() {
    let (log, _guard) = Log::collect(Level::INFO);
    let fixture = Fixture::new().await;
    fixture.join("att").await;
    fixture.apply(room_with("/spec/suspend", json!(true)));
    fixture.join("col").await;
    fixture.apply(room_with("/spec/roomClassName", json!("vanished")));
    fixture.join("pia").await;
    fixture.join("mallory").await;
    fixture.join_with("garbage").await;
    let text = log.text();
    // Spans come and go on lines of their own.
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("roomkeeper::gateway::http::request_span:")).collect();
    let expected = [
        r#"event="join" namespace="team" room="standup" participant="att" result="joined""#,
        r#"event="join" namespace="team" room="standup" participant="col" result="suspended""#,
        r#"event="join" namespace="team" room="standup" participant="pia" result="unavailable" cause="ClassNotFound: "#,
        r#"event="join" namespace="team" room="standup" participant="mallory" result="invalid-invite""#,
        r#"event="join" result="invalid-invite""#,
    ];
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line} lacks {expected}");
    }
}

#[tokio::test]
async fn neither_invites_nor_media_tokens_are_ever_logged_however_much_is_logged() {
    let (log, _guard) = Log::collect(Level::TRACE);
    let fixture = Fixture::with(room_with("/spec/maxParticipants", json!(1))).await;
    let forged = key_ring(&[generate_key("1")]).sign(&invite("att")).unwrap();
    let secrets = [fixture.sign(&invite("att")), fixture.sign(&invite("col")), fixture.sign(&invite("mallory")), forged];
    for now in [NOON, "2030-01-15T08:00:00Z", UNTIL] {
        fixture.clock.set(now);
        for secret in &secrets {
            let authorization = format!("Bearer {secret}");
            for (method, path) in [("GET", "/v1/room"), ("POST", "/v1/join"), ("DELETE", "/v1/join"), ("GET", "/nowhere")] {
                fixture.send(method, path, Some(&authorization)).await;
            }
            fixture.send("POST", "/v1/join", Some(secret)).await;
            fixture.join_with(&secret[..secret.len() - 5]).await;
        }
    }
    fixture.clock.set(NOON);
    for path in ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"] {
        let (address, served) = signalling::quoting_server(401).await;
        fixture.proxy_to(&address);
        for holder in ["mallory", "att"] {
            let query = format!("access_token={}&sdk=js", fixture.media_token(holder));
            assert!(signalling::connect(&fixture, path, &query).await.status.is_client_error());
        }
        assert!(served.await.unwrap().contains(MEDIA_TOKEN), "the server saw the token");
    }
    fixture.media.proxy_to(None);
    fixture.media.fail(Operation::Observe, unreachable_server());
    assert!(fixture.join("att").await.status.is_server_error());
    fixture.media.meanwhile(Operation::Observe, || panic!("{MEDIA_TOKEN} in a panic"));
    assert!(fixture.join("att").await.status.is_server_error());
    fixture.media.fail_with(None);
    fixture.media.fail(Operation::MintToken, unreachable_server());
    assert!(fixture.join("att").await.status.is_server_error());

    let text = log.text();
    for result in ["joined", "full", "too-early", "over", "invalid-invite", "unavailable"] {
        assert!(text.contains(&format!("result=\"{result}\"")), "{result} is not logged");
    }
    assert!(!text.contains(MEDIA_TOKEN) && !text.contains("v4.public"));
    for secret in &secrets {
        // Any part of the payload or of the signature: what is shorter could not be used.
        for start in (0..secret.len() - 12).step_by(4) {
            let part = &secret[start..start + 12];
            assert!(!text.contains(part), "part of an invite is logged: {part}");
        }
    }
}
