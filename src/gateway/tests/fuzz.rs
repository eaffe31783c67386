//! Requests as no client sends them, and every answer that is not a success.

use std::cell::RefCell;

use axum::http::HeaderValue;
use axum::response::IntoResponse;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::{Builder, Runtime};

use super::super::admission::{Denied, InvalidField};
use super::super::http::{Problem, of_every_error};
use super::*;
use crate::backend::LiveKit;
use crate::domain::Refusal;
use crate::fuzzing::{fuzz, hook_claims, json as odd_json, mutated, mutations, signed, text};

/// Requests before another gateway takes over: fewer than one invite may send at once.
const SHIFT: usize = 50;
/// Longest problem, in bytes.
const LONGEST_PROBLEM: usize = 1024;
const LIVEKIT: (&str, &str) = ("devkey", "a secret of these tests alone, of 41 bytes");

/// A gateway that is always within its limits.
struct Gateway {
    runtime: Runtime,
    fixture: RefCell<(Fixture, usize)>,
}

impl Gateway {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let fixture = RefCell::new((runtime.block_on(fixture()), 0));
        Self { runtime, fixture }
    }

    fn ask(&self, request: &impl AsyncFn(&Fixture) -> Answer) -> Answer {
        let mut fixture = self.fixture.borrow_mut();
        if fixture.1 == SHIFT {
            *fixture = (self.runtime.block_on(self::fixture()), 0);
        }
        fixture.1 += 1;
        self.runtime.block_on(request(&fixture.0))
    }
}

/// A Room that everybody with the link can join, on a media server that is asked nothing but who signed a webhook.
async fn fixture() -> Fixture {
    let fixture = Fixture::with(room_with("/spec/joinPolicy", json!("AnyoneWithLink"))).await;
    let livekit = LiveKit::new("http://127.0.0.1:1", None, LIVEKIT.0, LIVEKIT.1).unwrap();
    fixture.backends.set("livekit", Ok(Arc::new(livekit)));
    fixture
}

/// A problem that any client can read and show: JSON of its media type, short, and without characters that do something.
fn well_formed(answer: &Answer) -> Result<(u16, String), TestCaseError> {
    let told = answer.problem();
    prop_assert!(answer.status.is_client_error() || answer.status.is_server_error());
    prop_assert!(answer.body.len() <= LONGEST_PROBLEM, "{} bytes", answer.body.len());
    let texts = answer.json().as_object().unwrap().values().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
    prop_assert!(!texts.iter().flat_map(|text| text.chars()).any(char::is_control), "{:?}", texts);
    let written = answer.headers.values().all(|value| value.to_str().is_ok_and(|value| value.len() < 200));
    prop_assert!(written, "{:?}", answer.headers);
    Ok(told)
}

#[test]
fn an_invite_that_was_changed_is_refused_everywhere_by_the_same_words() {
    let gateway = Gateway::new();
    let expected = gateway.ask(&async |fixture| fixture.send("GET", "/v1/room", None).await).body;
    let places = [
        ("GET", "/v1/room"),
        ("POST", "/v1/join"),
        ("POST", "/v1/connection-check"),
        ("POST", "/v1/participants/att/mute"),
        ("POST", "/v1/participants/att/remove"),
        ("POST", "/v1/end"),
        ("GET", "/v1/guests"),
        ("POST", "/v1/guests"),
        ("DELETE", "/v1/guests/guest-x"),
        ("GET", "/v1/removals"),
        ("DELETE", "/v1/removals/att"),
    ];
    fuzz(&(select(places.to_vec()), mutations()), |((method, path), changes)| {
        let is_genuine = RefCell::new(false);
        let answer = gateway.ask(&async |fixture| {
            let changed = mutated(fixture.sign(&invite("pia")).as_bytes(), &[fixture.sign(&invite("att")).into_bytes()], &changes);
            // No server reads a header of other bytes.
            let authorization = HeaderValue::from_bytes(&[b"Bearer ", changed.as_slice()].concat()).ok();
            let verified = |token: &str| fixture.keys.borrow().as_ref().unwrap().verify(token.trim()).is_ok();
            *is_genuine.borrow_mut() = std::str::from_utf8(&changed).is_ok_and(verified);
            let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            if let Some(authorization) = authorization {
                request.headers_mut().insert(AUTHORIZATION, authorization);
            }
            received(fixture.router.clone().oneshot(request).await.unwrap()).await
        });
        if !is_genuine.into_inner() {
            prop_assert_eq!(well_formed(&answer)?, problem(401, "invalid-invite"));
            prop_assert_eq!(&answer.body, &expected);
        }
        Ok(())
    });
}

#[test]
fn a_body_that_was_changed_is_taken_as_it_says_or_refused_by_words_that_hold_nothing_of_it_that_does_something() {
    let gateway = Gateway::new();
    let bodies = (text(140), odd_json(), 0_u8..4).prop_map(|(name, odd, form)| match form {
        0 => json!({"displayName": name}),
        1 => json!({"displayName": name, "role": odd}),
        2 => json!({name: odd}),
        _ => odd,
    });
    let places = [("/v1/join", "*"), ("/v1/guests", "pia"), ("/v1/join", "pia")];
    let changes = proptest::option::of(mutations());
    fuzz(&(select(places.to_vec()), bodies, changes), |((path, who), body, changes)| {
        let sent = mutated(
            body.to_string().as_bytes(),
            &[b"{\"displayName\":\"Ann\",\"role\":\"Attendee\"}".to_vec()],
            &changes.unwrap_or_default(),
        );
        let answer = gateway.ask(&async |fixture| {
            let token = fixture.sign(&invite(who));
            fixture.post(path, &token, "application/json", sent.clone()).await
        });
        if !answer.status.is_success() {
            let told = well_formed(&answer)?;
            let expected = [problem(400, "bad-request"), problem(403, "full"), problem(413, "too-large")];
            prop_assert!(expected.contains(&told), "{:?}", told);
            return Ok(());
        }
        let read: Value = if sent.is_empty() { json!({}) } else { serde_json::from_slice(&sent).unwrap() };
        let known = |(key, value): (&String, &Value)| match key.as_str() {
            "displayName" => value.is_string() || value.is_null(),
            "role" => path == "/v1/guests",
            _ => false,
        };
        prop_assert!(read.as_object().is_some_and(|read| read.iter().all(known)), "{}", read);
        let shown = answer.json()["displayName"].as_str().map(str::to_owned);
        if let Some(shown) = shown {
            prop_assert_eq!(Some(shown.as_str()), read["displayName"].as_str().map(str::trim));
            prop_assert!((1..=128).contains(&shown.chars().count()) && !shown.chars().any(char::is_control));
        }
        Ok(())
    });
}

#[test]
fn a_webhook_that_was_changed_is_refused_and_one_that_was_not_is_taken_whatever_it_says() {
    let gateway = Gateway::new();
    let until = moment(UNTIL).as_second();
    fuzz(&((odd_json(), text(40)), mutations(), 0_u8..3), |((odd, room), changes, changed)| {
        let body = json!({"event": "participant_joined", "room": {"name": room, "more": odd}}).to_string().into_bytes();
        let token = signed(&json!({"alg": "HS256"}), &hook_claims(LIVEKIT.0, &body, 0, until), LIVEKIT.1).into_bytes();
        let others = [signed(&json!({"alg": "HS256"}), &hook_claims(LIVEKIT.0, b"{}", 0, until), LIVEKIT.1).into_bytes()];
        let sent = if changed == 1 { mutated(&body, &others, &changes) } else { body.clone() };
        let by = if changed == 2 { mutated(&token, &others, &changes) } else { token.clone() };
        let Ok(authorization) = HeaderValue::from_bytes(&by) else { return Ok(()) };
        let is_genuine = sent == body && by == token && !room.is_empty();
        let answer = gateway.ask(&async |fixture| {
            let request = Request::post("/v1/hooks/livekit").header(AUTHORIZATION, authorization.clone());
            received(fixture.router.clone().oneshot(request.body(Body::from(sent.clone())).unwrap()).await.unwrap()).await
        });
        if is_genuine {
            prop_assert_eq!(answer.status, 204);
        } else {
            prop_assert_eq!(well_formed(&answer)?, problem(401, "invalid-invite"));
        }
        Ok(())
    });
}

/// Everything that is told to somebody who does not get what they ask for.
fn denials() -> impl Strategy<Value = Denied> {
    let moments =
        prop_oneof![Just(Timestamp::MIN), Just(Timestamp::MAX), any::<i32>().prop_map(|s| Timestamp::from_second(s.into()).unwrap())];
    (0_u8..14, moments, text(5000), any::<usize>()).prop_map(|(kind, opens_at, message, limit)| match kind {
        0 => Denied::Refused(Refusal::InvalidInvite),
        1 => Denied::Refused(Refusal::Removed),
        2 => Denied::Refused(Refusal::TooEarly { opens_at }),
        3 => Denied::Refused(Refusal::Over),
        4 => Denied::Refused(Refusal::Suspended),
        5 => Denied::Refused(Refusal::NotAllowed),
        6 => Denied::Refused(Refusal::Full),
        7 => Denied::Unavailable(message),
        8 => Denied::Invalid(InvalidField { field: "displayName", message }),
        9 => Denied::Crowded,
        10 => Denied::TooManyGuests { limit },
        11 => Denied::NoSuchGuest,
        12 => Denied::NotRemoved,
        _ => Denied::NotInCall,
    })
}

#[test]
fn every_problem_is_short_json_of_its_media_type_whatever_it_is_about() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let statuses = (100_u16..1000).prop_map(|status| StatusCode::from_u16(status).unwrap());
    fuzz(&(denials(), text(5000), statuses, text(19)), |(denied, detail, status, allow)| {
        let mut bare = (status, detail.clone()).into_response();
        if let Ok(allow) = HeaderValue::try_from(allow.escape_default().to_string()) {
            bare.headers_mut().insert("allow", allow);
        }
        let is_error = status.is_client_error() || status.is_server_error();
        let of_layer = runtime.block_on(async { received(of_every_error(bare).await).await });
        prop_assert!(is_error || of_layer.status == status);
        let ours = [Problem::from(&denied), Problem::bad_request(&detail), Problem::of_status(status)];
        let ours = ours.map(|problem| runtime.block_on(received(problem.into_response())));
        for answer in ours.iter().chain(is_error.then_some(&of_layer)) {
            well_formed(answer)?;
            if let Some(opens_at) = answer.json()["opensAt"].as_str() {
                prop_assert!(opens_at.parse::<Timestamp>().is_ok(), "{}", opens_at);
            }
            if let Denied::Unavailable(cause) = &denied {
                prop_assert!(cause.chars().count() < 20 || !String::from_utf8_lossy(&ours[0].body).contains(cause), "a cause is for logs");
            }
        }
        Ok(())
    });
}
