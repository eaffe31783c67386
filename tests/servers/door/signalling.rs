//! What goes through to LiveKit and what does not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use roomkeeper::api::{Phase, Role};
use roomkeeper::backend::{Backend, LiveKit};
use roomkeeper::domain::TokenGrant;
use serde_json::json;

use super::wire::{ask, exchange, upgrade};
use crate::support::http::Response;
use crate::support::livekit::Client;
use crate::support::stage::{PATIENCE, Stage, in_seconds, session};
use crate::support::{eventually, now, run};

fn problem(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

/// The answer to a connect. Whom it does not know the gateway asks to try again while one of its watches is interrupted.
async fn judged(port: u16, path: &str, headers: &[(&str, &str)]) -> Response {
    eventually(PATIENCE, async || match upgrade(port, path, headers).await.0 {
        answer if answer.status == 503 => Err(format!("{answer:?}")),
        answer => Ok(answer),
    })
    .await
}

#[test]
fn people_meet_in_a_call_through_the_gateway_alone_and_are_counted() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let grants = [stage.join(&place.invite("call", "ada").await).await, stage.join(&place.invite("call", "ben").await).await];
        let own = format!("ws://127.0.0.1:{}", stage.gateway.port);
        assert!(grants.iter().all(|grant| grant.body["url"] == own), "where the request went: {grants:?}");
        let ada = Client::join(&grants[0].credentials(), &["camera", "microphone"]).await.expect("ada is in");
        let ben = Client::join(&grants[1].credentials(), &["microphone"]).await.expect("ben is in");
        ada.event("media-received").await;
        ben.event("media-received").await;
        assert!(!stage.gateway.metrics().await.contains("roomkeeper_proxied_connections 0"));
    });
}

#[test]
fn a_token_among_the_subprotocols_opens_the_connection_and_is_not_in_the_answer() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let answer = stage.join(&place.invite("call", "ada").await).await;
        let (token, name) = (answer.credentials().token, answer.body["subprotocol"].as_str().expect("a subprotocol").to_owned());
        let offered = format!("{name}, {name}.bearer.{token}");
        let (reply, _stream) =
            upgrade(stage.gateway.port, "/rtc?sdk=js&protocol=15&auto_subscribe=1", &[("sec-websocket-protocol", &offered)]).await;
        assert_eq!(reply.status, 101, "{reply:?}");
        assert!(reply.head.lines().any(|line| line == "sec-websocket-protocol: roomkeeper"), "{reply:?}");
        assert!(!reply.head.contains(&token.to_ascii_lowercase()), "{reply:?}");
        let (refused, _) = upgrade(stage.gateway.port, "/rtc?sdk=js", &[("sec-websocket-protocol", &name)]).await;
        assert_eq!(refused.problem(), problem(401, "invalid-invite"));
    });
}

#[test]
fn nothing_but_the_four_paths_reaches_livekit() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let token = place.credentials("call", "ada").await.token;
        let bearer = format!("Bearer {token}");
        let port = stage.gateway.port;
        let host = stage.livekit.url();
        for target in [
            "/twirp/livekit.RoomService/ListRooms",
            "/rtc/../twirp/livekit.RoomService/ListRooms",
            "/rtc/%2e%2e/twirp/livekit.RoomService/ListRooms",
            "/rtc/..%2ftwirp%2flivekit.RoomService%2fListRooms",
            "/rtc%2f..%2ftwirp/livekit.RoomService/ListRooms",
            "/rtc//../twirp/livekit.RoomService/ListRooms",
            "//rtc",
            "/rtc/",
            "/rtc/v1/",
            "/rtc//v1",
            "/rtc%2fv1",
            "/RTC",
            "/./rtc",
            "/rtc;x",
            "/rtc/v1/whip",
            "/whip/v1",
            "/rtc/v2",
            "/agent",
            "/settings/regions",
            "/debug/pprof",
            "/metrics",
            &format!("{host}/twirp/livekit.RoomService/ListRooms"),
            &format!("{host}/agent"),
        ] {
            for method in ["GET", "POST"] {
                let reply = ask(port, method, target, &[("authorization", &bearer), ("content-type", "application/json")]).await;
                assert!([400, 404].contains(&reply.status), "{method} {target}: {reply:?}");
                let (reply, _) = upgrade(port, target, &[("authorization", &bearer)]).await;
                assert!([400, 404].contains(&reply.status), "{method} {target}: {reply:?}");
            }
        }
        for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            for path in ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"] {
                let reply = ask(port, method, path, &[("authorization", &bearer)]).await;
                assert_eq!(reply.status, 405, "{method} {path}: {reply:?}");
            }
        }
        // An absolute target names another host, and stays a path of the gateway all the same.
        let reply = ask(port, "GET", &format!("{host}/rtc/validate"), &[("authorization", &bearer)]).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "success"), "{reply:?}");
        let tunnel = format!("CONNECT {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", host.trim_start_matches("http://"));
        assert!([400, 404, 405].contains(&exchange(port, tunnel.as_bytes()).await.status));
    });
}

#[test]
fn a_client_may_ask_why_it_was_refused_and_learns_no_more_than_by_an_invite() {
    /// A name that is in no sentence.
    const ROOM: &str = "board-of-7";
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply(ROOM, json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase(ROOM, Phase::Open).await;
        let token = place.credentials(ROOM, "ada").await.token;
        let port = stage.gateway.port;
        let valid = ask(port, "GET", &format!("/rtc/validate?access_token={token}"), &[]).await;
        assert_eq!((valid.status, valid.body.as_str()), (200, "success"), "{valid:?}");
        // LiveKit's own complaint, about a parameter that is missing; its words may hold the token, and stay there.
        let refused = ask(port, "GET", &format!("/rtc/v1/validate?access_token={token}"), &[]).await;
        assert_eq!(refused.problem(), problem(400, "bad-request"));
        place.edit(ROOM, json!({"suspend": true})).await;
        place.until_phase(ROOM, Phase::Suspended).await;
        let refused = ask(port, "GET", &format!("/rtc/validate?access_token={token}"), &[]).await;
        assert_eq!(refused.status / 100, 4, "{refused:?}");
        assert!(!refused.body.contains(ROOM) && !refused.body.contains(&token), "{refused:?}");
    });
}

#[test]
fn foreign_forged_expired_and_missing_tokens_are_refused_alike() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        let session = session(&place.until_phase("call", Phase::Open).await);
        let good = place.credentials("call", "ada").await.token;
        let grant = |identity: &str, from: &str, to: &str| TokenGrant {
            identity: identity.to_owned(),
            display_name: identity.to_owned(),
            role: Role::Presenter,
            generation: 0,
            signed_by: None,
            not_before: from.parse().expect("a moment"),
            expires_at: to.parse().expect("a moment"),
        };
        let (past, future) = (in_seconds(-3600), in_seconds(60));
        let ours = stage.livekit.backend();
        let key = &stage.livekit.options.api_key;
        let theirs = LiveKit::new(&stage.livekit.url(), None, key, "a secret of somebody else, of 32 characters").expect("a backend");
        let other_key = LiveKit::new(&stage.livekit.url(), None, "other", &stage.livekit.options.api_secret).expect("a backend");
        let token = |backend: &LiveKit, session: &str, grant: &TokenGrant| {
            backend.mint_token(session, grant).now_or_never().expect("at once").expect("a token").token
        };
        let (head, rest) = good.split_once('.').expect("parts");
        let (claims, signature) = rest.split_once('.').expect("parts");
        let other_claims =
            URL_SAFE_NO_PAD.encode(String::from_utf8(URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("text").replace("ada", "ben"));
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let tokens = [
            String::new(),
            "garbage".to_owned(),
            "a.b.c".to_owned(),
            place.invite("call", "ada").await,
            token(&theirs, &session, &grant("ada", &past, &future)),
            token(&other_key, &session, &grant("ada", &past, &future)),
            token(&ours, &session, &grant("ada", &past, &in_seconds(-120))),
            token(&ours, &session, &grant("ada", &in_seconds(120), &in_seconds(180))),
            token(&ours, &session, &grant("mallory", &past, &future)),
            token(&ours, "rk-ffffffffffff-00000000-0000-4000-8000-000000000000-1", &grant("ada", &past, &future)),
            format!("{head}.{other_claims}.{signature}"),
            format!("{unsigned}.{claims}."),
            format!("{unsigned}.{claims}.{signature}"),
            good[..good.len() - 2].to_owned(),
        ];
        let mut bodies = std::collections::BTreeSet::new();
        for token in &tokens {
            for path in ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"] {
                let by_query = judged(stage.gateway.port, &format!("{path}?access_token={token}"), &[]).await;
                let by_header = judged(stage.gateway.port, path, &[("authorization", &format!("Bearer {token}"))]).await;
                assert_eq!((by_query.status, by_header.status), (401, 401), "{path} {token}: {by_query:?}");
                bodies.extend([by_query.body, by_header.body]);
            }
        }
        let (without, _) = upgrade(stage.gateway.port, "/rtc/v1", &[]).await;
        bodies.insert(without.body);
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        // LiveKit looks at the query only where there is no header, and so does the door.
        let (mixed, _) = upgrade(stage.gateway.port, &format!("/rtc?access_token={good}"), &[("authorization", "Bearer garbage")]).await;
        assert_eq!(mixed.status, 401);
        assert!(now() < future.parse().expect("a moment"), "the tokens were good all the time");
    });
}

#[test]
fn a_good_token_without_an_upgrade_or_with_a_second_identity_is_a_bad_request() {
    run(async {
        let stage = Stage::shared().await;
        let place = stage.place().await;
        place.apply("call", json!({"participants": [{"name": "ada"}]})).await;
        place.until_phase("call", Phase::Open).await;
        let token = place.credentials("call", "ada").await.token;
        let port = stage.gateway.port;
        assert_eq!(ask(port, "GET", &format!("/rtc?access_token={token}"), &[]).await.problem(), problem(426, "bad-request"));
        for second in ["publish=x", "%70ublish=x", "auto_subscribe=1&publish=x"] {
            let (reply, _) = upgrade(port, &format!("/rtc?access_token={token}&{second}"), &[]).await;
            assert_eq!(reply.problem(), problem(400, "bad-request"), "{second}");
        }
        let (reply, _stream) = upgrade(port, &format!("/rtc?access_token={token}&auto_subscribe=1"), &[]).await;
        assert_eq!(reply.status, 101, "{reply:?}");
    });
}
