//! The double of Azure Communication Services refuses what the service refuses. Its requests are signed here by other code than that which
//! checks them there, so that both are not wrong in the same way.

mod calls;
mod faults;
mod rooms;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::{Value, json};

use crate::support::acs::AcsServer;
use crate::support::http::{Response, exchange};
use crate::support::{now, run};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A request before it is signed.
struct Call {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    at: Timestamp,
}

/// A request with the version, content type and time that it should have.
fn call(method: &'static str, target: &str, body: Option<Value>) -> Call {
    let version = if target.starts_with("/identities") { "2025-06-30" } else { "2025-03-13" };
    let target = if target.contains('?') { target.to_owned() } else { format!("{target}?api-version={version}") };
    let content_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let headers = body.iter().map(|_| ("content-type", content_type.to_owned())).collect();
    Call { method, target, headers, body: body.map(|body| body.to_string()).unwrap_or_default(), at: now() }
}

impl Call {
    /// The request as it is sent, signed by this key.
    fn signed(&self, host: &str, key: &str) -> String {
        let Self { method, target, headers, body, at } = self;
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let sum = STANDARD.encode(digest(&SHA256, body.as_bytes()));
        let text = [*method, target, &[&date, host, &sum].join(";")].join("\n");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).expect("a key in base64"));
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let more: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let more = more.concat();
        format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\nx-ms-date: {date}\r\n\
             x-ms-content-sha256: {sum}\r\n{more}authorization: HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&\
             Signature={signature}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn send(&self, server: &AcsServer) -> Response {
        raw(server, &self.signed(&host(server), server.access_key())).await
    }
}

fn host(server: &AcsServer) -> String {
    server.endpoint().trim_start_matches("http://").to_owned()
}

async fn raw(server: &AcsServer, request: &str) -> Response {
    exchange(&host(server), request.as_bytes()).await.expect("a server that listens")
}

async fn send(server: &AcsServer, method: &'static str, target: &str, body: impl Into<Option<Value>>) -> Response {
    call(method, target, body.into()).send(server).await
}

fn parsed(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|_| panic!("not JSON: {response:?}"))
}

/// The body of an answer that has this status.
async fn done(server: &AcsServer, status: u16, method: &'static str, target: &str, body: impl Into<Option<Value>>) -> Value {
    let response = send(server, method, target, body).await;
    assert_eq!(response.status, status, "{method} {target}: {response:?}");
    if status == 204 { Value::Null } else { parsed(&response) }
}

/// The error of a refusal by Rooms, whose header must say what its body says.
fn error(response: &Response) -> (u16, String) {
    let code = parsed(response)["error"]["code"].as_str().expect("a code").to_owned();
    assert!(response.head.contains(&format!("x-ms-error-code: {}", code.to_lowercase())), "{response:?}");
    (response.status, code)
}

async fn refused(server: &AcsServer, method: &'static str, target: &str, body: impl Into<Option<Value>>) -> (u16, String) {
    error(&send(server, method, target, body).await)
}

fn bad_request() -> (u16, String) {
    (400, "BadRequest".to_owned())
}

/// A new identity and a token of it.
async fn person(server: &AcsServer) -> (String, String) {
    let made = done(server, 201, "POST", "/identities", json!({"createTokenWithScopes": ["voip"]})).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["identity"]["id"]), text(&made["accessToken"]["token"]))
}

/// The id of a new room.
async fn room(server: &AcsServer, body: Value) -> String {
    done(server, 201, "POST", "/rooms", body).await["id"].as_str().expect("an id").to_owned()
}

/// A moment so far from now, as it is written in bodies.
fn at(from_now: SignedDuration) -> String {
    (now() + from_now).to_string()
}

#[test]
fn a_request_that_is_not_signed_or_signed_by_another_key_is_refused() {
    run(async {
        let server = AcsServer::start().await;
        assert_eq!(send(&server, "GET", "/rooms", None).await.status, 200);
        let call = call("POST", "/rooms", Some(json!({})));
        let signed = call.signed(&host(&server), server.access_key());
        let others = [
            call.signed(&host(&server), &STANDARD.encode([7; 64])),
            call.signed("localhost", server.access_key()).replace("host: localhost", &format!("host: {}", host(&server))),
            signed.replace("authorization", "x-authorization"),
            signed.replace("x-ms-date:", "date:"),
            signed.replace("HMAC-SHA256 ", "HMAC-SHA512 "),
            signed.replace("POST /rooms?", "PUT /rooms?"),
            signed.replace("/rooms?", "/identities?"),
            signed.replace("\r\n\r\n{}", "\r\n\r\n[]"),
        ];
        for other in &others {
            assert_eq!(error(&raw(&server, other).await), (401, "Denied".to_owned()), "{other}");
        }
        assert!(server.rooms().is_empty() && server.identities().is_empty());
        assert_eq!(raw(&server, &signed).await.status, 201);
        let requests = server.requests();
        assert_eq!((requests.len(), requests[1].as_str()), (others.len() + 2, "POST /rooms -> 401"));
    });
}

#[test]
fn a_request_of_another_time_is_refused() {
    run(async {
        let server = AcsServer::start().await;
        for (minutes, status) in [(-16, 401), (-14, 200), (14, 200), (16, 401)] {
            let call = Call { at: now() + SignedDuration::from_mins(minutes), ..call("GET", "/rooms", None) };
            assert_eq!(call.send(&server).await.status, status, "{minutes} minutes");
        }
        server.set_skew(SignedDuration::from_mins(20));
        assert_eq!(refused(&server, "GET", "/rooms", None).await, (401, "Denied".to_owned()));
    });
}

#[test]
fn a_key_may_be_without_access() {
    run(async {
        let server = AcsServer::start().await;
        server.refuse_access(true);
        for target in ["/rooms", "/identities", "/somewhere"] {
            assert_eq!(refused(&server, "POST", target, json!({})).await, (403, "Forbidden".to_owned()));
        }
        let unsigned = call("GET", "/rooms", None).signed(&host(&server), "");
        assert_eq!(error(&raw(&server, &unsigned).await).0, 401, "who is unknown learns nothing about access");
        server.refuse_access(false);
        assert_eq!(send(&server, "GET", "/rooms", None).await.status, 200);
    });
}

#[test]
fn there_are_no_other_versions_paths_methods_and_parameters_than_the_documented() {
    run(async {
        let server = AcsServer::start().await;
        for target in [
            "/rooms?x",
            "/rooms?api-version=2024-04-15",
            "/rooms?api-version=2025-06-30",
            "/rooms?api-version=2025-03-13&api-version=2025-03-13",
        ] {
            assert_eq!(refused(&server, "GET", target, None).await, (400, "UnsupportedApiVersion".to_owned()), "{target}");
        }
        assert_eq!(send(&server, "POST", "/identities?api-version=2025-03-13", None).await.status, 400);
        for parameter in ["top=5", "nextLink=nobody", "nextLink=1&nextLink=1"] {
            assert_eq!(refused(&server, "GET", &format!("/rooms?api-version=2025-03-13&{parameter}"), None).await, bad_request());
        }
        for target in ["/", "/room", "/rooms/", "/rooms//participants", "/rooms/99451365871035205/people", "/identities/a/issueAccessToken"]
        {
            assert_eq!(refused(&server, "GET", target, None).await, (404, "NotFound".to_owned()), "{target}");
        }
        let others = [("PUT", "/rooms"), ("POST", "/rooms/99451365871035205"), ("DELETE", "/rooms/1/participants")];
        for (method, target) in
            others.into_iter().chain([("GET", "/identities"), ("GET", "/identities/a"), ("PUT", "/identities/a/:revokeAccessTokens")])
        {
            assert_eq!(refused(&server, method, target, None).await, (405, "MethodNotAllowed".to_owned()), "{method} {target}");
        }
    });
}

#[test]
fn bodies_have_no_other_fields_and_types_than_the_documented() {
    run(async {
        let server = AcsServer::start().await;
        let id = room(&server, json!({})).await;
        let (one, roster) = (format!("/rooms/{id}"), format!("/rooms/{id}/participants"));
        let bodies = [
            ("POST", "/rooms", json!({"name": "weekly"})),
            ("POST", "/rooms", json!({"pstnDialOutEnabled": "yes"})),
            ("POST", "/rooms", json!({"validUntil": at(DAY).replace('T', " ")})),
            ("PATCH", &one, json!({"participants": {}})),
            ("PATCH", &one, json!({"validUntil": null})),
            ("PATCH", &roster, json!({"people": {}})),
            ("GET", &one, json!({})),
        ];
        for (method, target, body) in bodies {
            assert_eq!(refused(&server, method, target, body.clone()).await, bad_request(), "{method} {target}: {body}");
        }
        for (method, target, content_type) in
            [("POST", "/rooms", "text/plain"), ("PATCH", &one, "application/json"), ("PATCH", &roster, "application/json")]
        {
            let call = Call { headers: vec![("content-type", content_type.to_owned())], ..call(method, target, Some(json!({}))) };
            assert_eq!(error(&call.send(&server).await), (415, "UnsupportedMediaType".to_owned()), "{method} {target}");
        }
        let without_body = Call { body: String::new(), ..call("POST", "/rooms", Some(json!({}))) };
        assert_eq!(error(&without_body.send(&server).await), bad_request());
        assert_eq!(server.rooms().len(), 1);
    });
}
