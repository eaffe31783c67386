//! Media tokens and webhooks that LiveKit and Roomkeeper did not sign, made of those that they did.

use futures::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::moment;
use crate::fuzzing::{fuzz, hook_claims, json as odd_json, mutated, mutations, number_of, signed, text};

const KEY: &str = "devkey";
const SECRET: &str = "a secret of these tests alone, of 41 bytes";
const FROM: &str = "2030-01-15T09:00:00Z";
const NOON: &str = "2030-01-15T12:00:00Z";
const UNTIL: &str = "2030-01-15T15:00:00Z";
/// How far clocks may be apart, in seconds.
const LEEWAY: i64 = 60;

fn server() -> LiveKit {
    LiveKit::new("http://livekit:7880", None, KEY, SECRET).unwrap()
}

fn grants() -> impl Strategy<Value = (String, TokenGrant)> {
    let roles = select([Role::Presenter, Role::Collaborator, Role::Attendee, Role::Consumer].as_slice());
    let name = || prop_oneof![select(["ada", "ben"].as_slice()).prop_map(str::to_owned), text(40)];
    (name(), name(), text(128), roles, number_of(0), proptest::option::of(text(32))).prop_map(
        |(session, identity, display_name, role, generation, signed_by)| {
            let (not_before, expires_at) = (moment(FROM), moment(UNTIL));
            (session, TokenGrant { identity, display_name, role, generation, signed_by, not_before, expires_at })
        },
    )
}

/// Who has the token of a grant: nobody where a name is empty.
fn subject((session, grant): &(String, TokenGrant)) -> Option<TokenSubject> {
    (!session.is_empty() && !grant.identity.is_empty()).then(|| TokenSubject {
        session: session.clone(),
        identity: grant.identity.clone(),
        display_name: grant.display_name.clone(),
        generation: Some(grant.generation),
        signed_by: grant.signed_by.clone(),
    })
}

#[test]
fn a_media_token_that_was_changed_in_whatever_way_is_nobodys() {
    let server = server();
    let strangers = LiveKit::new("http://livekit:7880", None, KEY, "a secret of somebody else, of 32 characters").unwrap();
    fuzz(&((grants(), grants()), mutations(), any::<bool>()), |((one, other), changes, from_foreign)| {
        let genuine = [&one, &other].map(|(session, grant)| server.mint_token(session, grant).now_or_never().unwrap().unwrap().token);
        let forged = strangers.mint_token(&one.0, &one.1).now_or_never().unwrap().unwrap().token;
        let hook = signed(&json!({"alg": "HS256"}), &hook_claims(KEY, b"{}", 0, moment(UNTIL).as_second()), SECRET);
        let others = [genuine[1].clone(), forged.clone(), hook].map(String::into_bytes);
        let from = if from_foreign { &forged } else { &genuine[0] };
        let changed = String::from_utf8_lossy(&mutated(from.as_bytes(), &others, &changes)).into_owned();
        let expected = genuine.iter().position(|token| *token == changed).and_then(|number| subject([&one, &other][number]));
        prop_assert_eq!(server.token_subject(&changed, moment(NOON)), expected, "{}", changed);
        Ok(())
    });
}

/// Changes of what a token says: a pointer into header and claims, and what stands there instead.
fn lies() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let pointers = [
        "/header/alg",
        "/header/typ",
        "/header/kid",
        "/header/crit",
        "/claims/iss",
        "/claims/sub",
        "/claims/nbf",
        "/claims/exp",
        "/claims/name",
        "/claims/attributes",
        "/claims/video",
        "/claims/video/room",
        "/claims/video/roomJoin",
        "/claims/video/roomAdmin",
        "/claims/video/roomCreate",
        "/claims/video/ingressAdmin",
        "/claims/video/canPublish",
        "/claims/video/unknown",
        "/claims/sha256",
    ];
    let around = |moment: &str| {
        (LEEWAY - 2..LEEWAY + 2).prop_map({
            let moment = crate::fixtures::moment(moment).as_second();
            move |seconds| moment + seconds
        })
    };
    let plausible = prop_oneof![
        select(["none", "HS384", "HS512", "RS256", "hs256", "", KEY, "other", "mallory"].as_slice()).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop_oneof![around(NOON), number_of(i64::MIN)].prop_map(Value::from),
        odd_json(),
    ];
    vec((select(pointers.to_vec()), plausible), 0..4)
}

/// By the letter: whom a token with this header and these claims is for at noon.
fn expected(header: &Value, claims: &Value) -> Option<(String, String)> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let (noon, video) = (moment(NOON).as_second(), &claims["video"]);
    let begun = claims["nbf"].as_i64().is_none_or(|from| from.saturating_sub(LEEWAY) <= noon);
    let over = claims["exp"].as_i64().is_none_or(|until| noon >= until.saturating_add(LEEWAY));
    let others = video.as_object()?.iter().filter(|(grant, _)| *grant != "roomJoin");
    let more = others.filter(|(_, value)| **value == json!(true)).any(|(grant, _)| !grant.starts_with("can"));
    let right = header["alg"] == "HS256" && claims["iss"] == KEY && begun && !over && video["roomJoin"] == true && !more;
    text(&claims["sub"]).zip(text(&video["room"])).filter(|_| right)
}

#[test]
fn what_is_signed_but_not_for_joining_alone_is_nobodys_and_else_it_is_theirs_whom_it_names() {
    let server = server();
    fuzz(&(grants(), lies(), prop_oneof![3 => Just(SECRET), 1 => Just("another secret")]), |((session, grant), lies, secret)| {
        let claims = json!({
            "iss": KEY, "sub": grant.identity, "nbf": moment(FROM).as_second(), "exp": moment(UNTIL).as_second(),
            "video": {"roomJoin": true, "room": session, "canSubscribe": true, "canPublish": true},
        });
        let mut parts = json!({"header": {"alg": "HS256", "typ": "JWT"}, "claims": claims});
        for (pointer, value) in lies {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            if let Some(parent) = parts.pointer_mut(parent).and_then(Value::as_object_mut) {
                parent.insert(key.to_owned(), value);
            }
        }
        let token = signed(&parts["header"], &parts["claims"], secret);
        if let Some(subject) = server.token_subject(&token, moment(NOON)) {
            prop_assert_eq!(secret, SECRET);
            prop_assert_eq!(Some((subject.identity, subject.session)), expected(&parts["header"], &parts["claims"]));
        }
        prop_assert_eq!(server.webhook_session(&token, b"{}", moment(NOON)), None, "a media token is no webhook");
        Ok(())
    });
}

#[test]
fn a_webhook_counts_if_nothing_of_it_was_changed_and_names_the_room_that_it_says() {
    let server = server();
    // In a list, fields would come in their order.
    let bodies = (text(40), odd_json(), 0_u8..4).prop_map(|(room, more, form)| match form {
        0 => json!({"event": "participant_joined", "room": {"name": room}, "participant": more}),
        1 => json!({"room": {"name": more}}),
        2 if !more.is_array() => json!({"room": more}),
        3 if !more.is_array() => more,
        _ => json!({"room": {"name": room}}),
    });
    let until = moment(UNTIL).as_second();
    fuzz(&((bodies, text(20)), (mutations(), any::<bool>()), any::<bool>()), |((body, other), (changes, of_body), unchanged)| {
        let body = body.to_string().into_bytes();
        let token = signed(&json!({"alg": "HS256"}), &hook_claims(KEY, &body, 0, until), SECRET);
        let others = [signed(&json!({"alg": "HS256"}), &hook_claims(KEY, other.as_bytes(), 0, until), SECRET).into_bytes()];
        let changed = |valid: &[u8], it_is: bool| if it_is && !unchanged { mutated(valid, &others, &changes) } else { valid.to_vec() };
        let (sent, by) = (changed(&body, of_body), changed(token.as_bytes(), !of_body));
        let by = String::from_utf8_lossy(&by).into_owned();
        let found = server.webhook_session(&by, &sent, moment(NOON));
        if sent == body && by == token {
            let named =
                serde_json::from_slice::<Value>(&body).unwrap()["room"]["name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            prop_assert_eq!(found, named);
        } else {
            prop_assert_eq!(found, None);
        }
        prop_assert_eq!(server.token_subject(&by, moment(NOON)), None, "a webhook is no media token");
        Ok(())
    });
}
