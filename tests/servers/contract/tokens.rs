//! LiveKit's media tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use jiff::Timestamp;
use livekit_api::access_token::TokenVerifier;
use roomkeeper::api::Role;
use roomkeeper::backend::{Backend, LiveKit};
use roomkeeper::domain::TokenGrant;
use serde_json::{Value, json};

use super::grant;

fn token(grant: &TokenGrant) -> String {
    let livekit = LiveKit::new("http://livekit", None, "the-key", "the-secret").expect("usable settings");
    livekit.mint_token("the-session", grant).now_or_never().expect("at once").expect("a token").token
}

fn claims(grant: &TokenGrant) -> Value {
    let token = token(grant);
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON")
}

/// The grants of a role; these differ, all others are the same for everybody.
fn grants(publish: bool, sources: &[&str], data: bool) -> Value {
    json!({
        "roomJoin": true,
        "room": "the-session",
        "canSubscribe": true,
        "canPublish": publish,
        "canPublishSources": sources,
        "canPublishData": data,
        "canUpdateOwnMetadata": false,
        "canSubscribeMetrics": false,
        "canManageAgentSession": false,
        "hidden": false,
        "recorder": false,
        "agent": false,
        "roomAdmin": false,
        "roomCreate": false,
        "roomList": false,
        "roomRecord": false,
        "ingressAdmin": false,
    })
}

#[test]
fn every_grant_of_every_role_is_explicit() {
    let everything = ["camera", "microphone", "screen_share", "screen_share_audio"];
    for (role, expected) in [
        (Role::Presenter, grants(true, &everything, true)),
        (Role::Collaborator, grants(true, &everything, true)),
        (Role::Attendee, grants(true, &everything[..2], true)),
        (Role::Consumer, grants(false, &[], false)),
    ] {
        assert_eq!(claims(&grant(role))["video"], expected, "{role:?}");
    }
}

#[test]
fn a_token_says_who_by_which_invite_and_nothing_more() {
    let grant = grant(Role::Collaborator);
    let mut claims = claims(&grant);
    let claims = claims.as_object_mut().expect("an object");
    for known in ["video", "nbf", "exp"] {
        claims.remove(known).expect(known);
    }
    let expected = json!({
        "iss": "the-key",
        "sub": "ada",
        "name": "Ada Lovelace",
        "attributes": { "roomkeeper.io/generation": "3", "roomkeeper.io/signed-by": "0123456789abcdef", "roomkeeper.io/role": "Collaborator" },
    });
    assert_eq!(Value::Object(claims.clone()), expected);
}

#[test]
fn a_token_is_good_exactly_as_long_as_its_ticket_in_whole_seconds() {
    let grant = TokenGrant {
        not_before: "2026-11-22T09:00:00.999Z".parse().expect("a moment"),
        expires_at: "2026-11-22T09:00:37.999999999Z".parse().expect("a moment"),
        ..grant(Role::Attendee)
    };
    let claims = claims(&grant);
    let moment = |claim: &str| Timestamp::from_second(claims[claim].as_i64().expect("seconds")).expect("a moment");
    assert_eq!(moment("nbf").to_string(), "2026-11-22T09:00:00Z");
    assert_eq!(moment("exp").to_string(), "2026-11-22T09:00:37Z");
}

#[test]
fn livekits_own_verifier_takes_a_token_and_only_with_the_right_secret() {
    let token = token(&grant(Role::Consumer));
    let claims = TokenVerifier::with_api_key("the-key", "the-secret").verify(&token).expect("a good token");
    assert_eq!((claims.sub.as_str(), claims.video.room.as_str()), ("ada", "the-session"));
    assert!(!claims.video.can_publish() && !claims.video.can_publish_data() && claims.video.can_subscribe());
    assert!(TokenVerifier::with_api_key("the-key", "another-secret").verify(&token).is_err());
    assert!(TokenVerifier::with_api_key("another-key", "the-secret").verify(&token).is_err());
}

#[test]
fn only_a_token_for_joining_a_room_and_nothing_else_has_a_subject() {
    use livekit_api::access_token::{AccessToken, VideoGrants};
    use roomkeeper::backend::TokenSubject;
    let livekit = LiveKit::new("http://livekit", None, "the-key", "the-secret").expect("usable settings");
    let subject = |grants: VideoGrants| {
        let token = AccessToken::with_api_key("the-key", "the-secret").with_identity("ada").with_grants(grants);
        livekit.token_subject(&token.to_jwt().expect("a token"), crate::support::now())
    };
    let joins = VideoGrants { room_join: true, room: "the-session".to_owned(), ..VideoGrants::default() };
    let expected = TokenSubject {
        session: "the-session".into(),
        identity: "ada".into(),
        display_name: String::new(),
        generation: None,
        signed_by: None,
    };
    assert_eq!(subject(joins.clone()), Some(expected));
    for refused in [
        VideoGrants { room_join: false, ..joins.clone() },
        VideoGrants { room_admin: true, ..joins.clone() },
        VideoGrants { room_create: true, ..joins.clone() },
        VideoGrants { room_list: true, ..joins.clone() },
        VideoGrants { room_record: true, ..joins.clone() },
        VideoGrants { ingress_admin: true, ..joins.clone() },
        VideoGrants { recorder: true, ..joins.clone() },
        VideoGrants { hidden: true, ..joins.clone() },
        VideoGrants { can_update_own_metadata: Some(true), ..joins.clone() },
    ] {
        assert_eq!(subject(refused.clone()), None, "{refused:?}");
    }
}

#[test]
fn the_algorithm_is_not_for_the_token_to_choose() {
    let livekit = LiveKit::new("http://livekit", None, "the-key", "the-secret").expect("usable settings");
    let grant = grant(Role::Attendee);
    let good = token(&grant);
    let (header, rest) = good.split_once('.').expect("parts");
    assert!(livekit.token_subject(&good, grant.not_before).is_some());
    for algorithm in ["none", "HS512", "RS256", "hs256", ""] {
        let other = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "typ": "JWT"}).to_string());
        assert_ne!(other, header);
        let changed = format!("{other}.{rest}");
        // Signed anew, so that nothing but the algorithm is wrong.
        let signed = changed.rsplit_once('.').expect("parts").0;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"the-secret");
        let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes()));
        assert_eq!(livekit.token_subject(&format!("{signed}.{signature}"), grant.not_before), None, "{algorithm}");
    }
}
