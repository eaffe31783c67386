//! Identities, their tokens, and who gets into a call by them.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{DAY, at, call, done, parsed, person, room, send};
use crate::support::acs::AcsServer;
use crate::support::run;

/// A refusal by Identity, which says its code in the body alone.
async fn refused(server: &AcsServer, target: &str, body: impl Into<Option<Value>>) -> (u16, String) {
    let response = send(server, "POST", target, body).await;
    assert!(!response.head.contains("x-ms-error-code"), "{response:?}");
    (response.status, parsed(&response)["error"]["code"].as_str().expect("a code").to_owned())
}

async fn token(server: &AcsServer, raw_id: &str, minutes: i64) -> String {
    let body = json!({"scopes": ["voip"], "expiresInMinutes": minutes});
    let issued = done(server, 200, "POST", &format!("/identities/{raw_id}/:issueAccessToken"), body).await;
    issued["token"].as_str().expect("a token").to_owned()
}

#[test]
fn only_who_is_invited_joins_and_only_within_the_window() {
    run(async {
        let server = AcsServer::start().await;
        let ((ada, of_ada), (_, of_ben)) = (person(&server).await, person(&server).await);
        let invited = json!({&ada: {"role": "Presenter"}});
        let id = room(&server, json!({"validUntil": at(DAY), "participants": invited})).await;
        let later = room(&server, json!({"validFrom": at(DAY), "participants": invited})).await;
        assert_eq!(server.join("99451365871035205", &of_ada), Err(5732));
        assert_eq!(server.join(&id, &of_ben), Err(5828));
        assert_eq!(server.join(&id, "a.b.c"), Err(5828));
        assert_eq!(server.join(&later, &of_ada), Err(5829));
        assert_eq!(server.join(&id, &of_ada), Ok("Presenter".to_owned()));
        assert_eq!((server.in_call(&id), server.in_call(&later)), (vec![ada.clone()], Vec::new()));
        server.set_skew(DAY - SignedDuration::from_mins(1));
        assert_eq!(server.join(&id, &of_ada), Ok("Presenter".to_owned()));
        server.set_skew(DAY + SignedDuration::from_mins(1));
        let chat = json!({"createTokenWithScopes": ["chat", "voip.join"]});
        assert_eq!(call("POST", "/identities", Some(chat.clone())).send(&server).await.status, 401, "the double's clock is another");
        assert_eq!(server.join(&id, &of_ada), Err(5828), "the token has ended, too");
        server.set_skew(SignedDuration::ZERO);
        let other = done(&server, 201, "POST", "/identities", chat).await;
        let (of_other, other) = (other["accessToken"]["token"].clone(), other["identity"]["id"].clone());
        let roster = json!({other.as_str().expect("an id"): {}});
        done(&server, 200, "PATCH", &format!("/rooms/{id}/participants"), json!({"participants": roster})).await;
        assert_eq!(server.join(&id, of_other.as_str().expect("a token")), Err(5828), "a token for other things");
    });
}

#[test]
fn nobody_joins_after_the_window() {
    run(async {
        let server = AcsServer::start().await;
        let (ada, of_ada) = person(&server).await;
        let hours = SignedDuration::from_hours;
        let id = room(&server, json!({"validUntil": at(hours(1)), "participants": {&ada: {"role": "Consumer"}}})).await;
        server.join(&id, &of_ada).expect("in the call");
        server.set_skew(hours(2));
        assert_eq!(server.join(&id, &of_ada), Err(5829));
        assert_eq!(server.in_call(&id), [ada], "that the end of the window ends the call is unproven");
    });
}

#[test]
fn who_is_taken_off_the_list_is_out_of_the_call() {
    run(async {
        let server = AcsServer::start().await;
        let ((ada, of_ada), (ben, of_ben)) = (person(&server).await, person(&server).await);
        let id = room(&server, json!({"participants": {&ada: {"role": "Presenter"}, &ben: {"role": "Attendee"}}})).await;
        for token in [&of_ada, &of_ben] {
            server.join(&id, token).expect("in the call");
        }
        let roster = format!("/rooms/{id}/participants");
        done(&server, 200, "PATCH", &roster, json!({"participants": {&ada: {"role": "Consumer"}, &ben: null}})).await;
        assert_eq!((server.in_call(&id), server.join(&id, &of_ben)), (vec![ada.clone()], Err(5828)));
        assert!(server.still_in_call(&id).is_empty(), "the room exists");
        done(&server, 204, "DELETE", &format!("/rooms/{id}"), None).await;
        assert_eq!(server.still_in_call(&id), [ada], "that a deleted room ends its call is unproven");
        assert_eq!((server.in_call(&id), server.join(&id, &of_ada)), (server.still_in_call(&id), Err(5732)));
    });
}

#[test]
fn tokens_live_for_an_hour_to_a_day() {
    run(async {
        let server = AcsServer::start().await;
        let (ada, _) = person(&server).await;
        let id = room(&server, json!({"participants": {&ada: {"role": "Attendee"}}})).await;
        let (hour, day) = (token(&server, &ada, 60).await, token(&server, &ada, 1440).await);
        server.set_skew(SignedDuration::from_mins(59));
        assert!(server.join(&id, &hour).is_ok());
        server.set_skew(SignedDuration::from_mins(60));
        assert_eq!((server.join(&id, &hour), server.join(&id, &day).is_ok()), (Err(5828), true));
        server.set_skew(SignedDuration::ZERO);
        let issue = format!("/identities/{ada}/:issueAccessToken");
        let voip = json!(["voip"]);
        let bodies = [
            (json!({"scopes": []}), "ValidationError"),
            (json!({"scopes": voip, "expiresInMinutes": 59}), "ValidationError"),
            (json!({"scopes": voip, "expiresInMinutes": 1441}), "ValidationError"),
            (json!({"scopes": voip, "expiresInMinutes": 60.5}), "BadRequest"),
            (json!({"scopes": ["pstn"]}), "BadRequest"),
            (json!({"scopes": voip, "name": "ada"}), "BadRequest"),
            (json!({}), "BadRequest"),
        ];
        for (body, code) in bodies {
            assert_eq!(refused(&server, &issue, body.clone()).await, (400, code.to_owned()), "{body}");
        }
        for body in
            [json!({"createTokenWithScopes": voip, "expiresInMinutes": 1}), json!({"createTokenWithScopes": ["all"]}), json!({"id": ada})]
        {
            assert_eq!(refused(&server, "/identities", body.clone()).await.0, 400, "{body}");
        }
        assert_eq!(server.identities(), [ada]);
    });
}

#[test]
fn a_deleted_identity_has_no_tokens() {
    run(async {
        let server = AcsServer::start().await;
        let made = done(&server, 201, "POST", "/identities", None).await;
        assert!(made.get("accessToken").is_none(), "{made}");
        let ada = made["identity"]["id"].as_str().expect("an id");
        let id = room(&server, json!({"participants": {ada: {"role": "Attendee"}}})).await;
        let first = token(&server, ada, 60).await;
        // As clients write it in a path.
        let encoded = ada.replace(':', "%3A");
        done(&server, 204, "POST", &format!("/identities/{encoded}/:revokeAccessTokens"), None).await;
        assert_eq!(server.join(&id, &first), Err(5828));
        let second = token(&server, ada, 60).await;
        server.join(&id, &second).expect("in the call");
        done(&server, 204, "DELETE", &format!("/identities/{encoded}"), None).await;
        assert_eq!((server.join(&id, &second), server.identities()), (Err(5828), Vec::new()));
        assert_eq!(server.in_call(&id), [ada], "that this ends the call is unproven");
        let ends = ["", "/:revokeAccessTokens", "/:issueAccessToken"];
        let elsewhere = "8:acs:0b8f2f6e-1d0c-4c0e-9a3f-52f6a1b7c9d4_0000000e-1234-5678-9abc-def012345678";
        let owners = [(ada, 404, "NotFound"), (elsewhere, 401, "IdentityNotOwned")];
        for (raw_id, status, code) in owners {
            for end in ends {
                let body = end.ends_with('n').then(|| json!({"scopes": ["voip"]}));
                let target = format!("/identities/{raw_id}{end}");
                let method = if end.is_empty() { "DELETE" } else { "POST" };
                let response = send(&server, method, &target, body).await;
                assert_eq!((response.status, &parsed(&response)["error"]["code"]), (status, &json!(code)), "{target}");
            }
        }
    });
}

#[test]
fn identities_are_made_and_ended_at_a_limited_rate() {
    run(async {
        let server = AcsServer::start().await;
        server.limit_identities(4);
        let (ada, _) = person(&server).await;
        for _ in 0..3 {
            token(&server, &ada, 60).await;
        }
        let issue = send(&server, "POST", "/identities", None).await;
        let seconds = issue.head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<i64>().ok());
        assert!(issue.status == 429 && seconds.is_some_and(|seconds| (1..=30).contains(&seconds)), "{issue:?}");
        let revoke = format!("/identities/{ada}/:revokeAccessTokens");
        for status in [204, 204, 429] {
            assert_eq!(send(&server, "POST", &revoke, None).await.status, status, "half as many");
        }
        server.set_skew(SignedDuration::from_secs(31));
        assert_eq!(send(&server, "POST", "/identities", None).await.status, 201);
        assert_eq!(send(&server, "POST", &revoke, None).await.status, 204);
    });
}
