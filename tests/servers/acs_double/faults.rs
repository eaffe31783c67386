//! What goes wrong by script.

use std::time::Duration;

use serde_json::json;

use super::{done, error, parsed, person, room, send};
use crate::support::acs::{AcsServer, Fault};
use crate::support::{eventually, run};

/// Generous: it is only used up by failures.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn requests_go_wrong_as_the_script_says() {
    run(async {
        let server = AcsServer::start().await;
        let id = room(&server, json!({})).await;
        server.clear_requests();
        server.fail_next("POST", "/rooms", 2, Fault::Status { status: 503, code: "ServiceUnavailable", retry_after: Some(7) });
        server.fail_next("POST", "/rooms", 1, Fault::Lost);
        server.fail_next("POST", "/rooms", 1, Fault::Unanswered);
        for _ in 0..2 {
            let response = send(&server, "POST", "/rooms", json!({})).await;
            assert_eq!(error(&response), (503, "ServiceUnavailable".to_owned()));
            assert!(response.head.contains("retry-after: 7"), "{response:?}");
        }
        assert_eq!((send(&server, "POST", "/rooms", json!({})).await.status, server.rooms().len()), (0, 1), "lost");
        assert_eq!((send(&server, "POST", "/rooms", json!({})).await.status, server.rooms().len()), (0, 2), "unanswered");
        done(&server, 201, "POST", "/rooms", json!({})).await;

        server.fail_next("GET", &id, 1, Fault::Malformed);
        server.fail_next("GET", "/rooms/{id}/participants", 1, Fault::NotJson);
        server.fail_next("DELETE", "/rooms/{id}", 2, Fault::Malformed);
        let page = send(&server, "GET", &format!("/rooms/{id}/participants"), None).await;
        assert!(page.status == 200 && parsed(&page).get("value").is_none(), "the oldest rule comes first: {page:?}");
        let page = send(&server, "GET", &format!("/rooms/{id}/participants"), None).await;
        assert!(page.status == 200 && page.body.starts_with("<!doctype html>"), "{page:?}");
        done(&server, 200, "DELETE", &format!("/rooms/{id}"), None).await;
        assert_eq!(error(&send(&server, "DELETE", &format!("/rooms/{id}"), None).await).0, 404, "a refusal is as it is");
        let expected = [
            "POST /rooms -> 503",
            "POST /rooms -> 503",
            "POST /rooms -> lost",
            "POST /rooms -> 201, unanswered",
            "POST /rooms -> 201",
            "GET /rooms/{id}/participants -> 200, malformed",
            "GET /rooms/{id}/participants -> 200, not JSON",
            "DELETE /rooms/{id} -> 204, malformed",
            "DELETE /rooms/{id} -> 404, malformed",
        ];
        assert_eq!(server.requests(), expected);
    });
}

#[test]
fn cleared_faults_do_not_come() {
    run(async {
        let server = AcsServer::start().await;
        server.fail_next("GET", "/rooms", 9, Fault::Lost);
        server.clear_faults();
        done(&server, 200, "GET", "/rooms", None).await;
    });
}

#[test]
fn a_silent_request_is_neither_answered_nor_carried_out() {
    run(async {
        let server = AcsServer::start().await;
        let (ada, _) = person(&server).await;
        server.clear_requests();
        server.fail_next("DELETE", &ada, 1, Fault::Silent);
        let target = format!("/identities/{ada}");
        let waiting = async {
            let seen = async || if server.requests().is_empty() { Err("no request") } else { Ok(()) };
            eventually(SOON, seen).await;
            assert_eq!(server.requests(), ["DELETE /identities/{id} -> silent"]);
            server.clear_faults();
        };
        let (silent, ()) = tokio::join!(send(&server, "DELETE", &target, None), waiting);
        assert_eq!((silent.status, server.identities()), (0, vec![ada]));
        done(&server, 204, "DELETE", &target, None).await;
    });
}

#[test]
fn a_double_that_is_dropped_answers_nobody() {
    run(async {
        let server = AcsServer::start().await;
        let endpoint = server.endpoint();
        drop(server);
        let address = endpoint.trim_start_matches("http://").to_owned();
        eventually(SOON, async || match tokio::net::TcpStream::connect(&address).await {
            Ok(_) => Err("it listens"),
            Err(_) => Ok(()),
        })
        .await;
    });
}
