//! What administrators may set.

use rstest::rstest;
use serde_json::{Value, json};

use super::objects::Objects;
use crate::support::run;

/// The spec of a class with these fields besides its backend.
fn class(fields: Value) -> Value {
    let mut spec = live_kit(json!({}));
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    spec
}

/// The spec of a class whose backend has these fields besides those it needs.
fn live_kit(fields: Value) -> Value {
    let mut live_kit = json!({"url": "http://livekit:7880", "credentialsSecretRef": {"name": "livekit"}});
    live_kit.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"backend": {"liveKit": live_kit}})
}

#[test]
fn a_class_has_exactly_one_backend() {
    run(async {
        let classes = Objects::classes().await;
        classes.accepts(live_kit(json!({}))).await;
        classes.refuses(json!({"backend": {}}), &["spec.backend", "exactly one backend must be set", "liveKit"]).await;
        classes.refuses(json!({"backend": {"liveKit": null}}), &["spec.backend", "exactly one backend must be set"]).await;
        classes.refuses(json!({}), &["spec.backend", "Required"]).await;
    });
}

#[test]
fn a_backend_has_an_address_and_credentials() {
    run(async {
        let classes = Objects::classes().await;
        classes.refuses(live_kit(json!({"url": null})), &["spec.backend.liveKit.url", "Required"]).await;
        classes.refuses(live_kit(json!({"credentialsSecretRef": null})), &["spec.backend.liveKit.credentialsSecretRef", "Required"]).await;
        let nameless = live_kit(json!({"credentialsSecretRef": {"name": ""}}));
        classes.refuses(nameless, &["spec.backend.liveKit.credentialsSecretRef.name", "at least 1 char"]).await;
    });
}

#[rstest]
#[case("url", "http://127.0.0.1:7880")]
#[case("url", "https://livekit.example.org/")]
#[case("url", "http://[2001:db8::7]:7880")]
#[case("publicURL", "ws://127.0.0.1:7880")]
#[case("publicURL", "wss://livekit.example.org")]
fn an_address_is_a_scheme_and_a_host(#[case] field: &str, #[case] url: &str) {
    run(async { Objects::classes().await.accepts(live_kit(json!({field: url}))).await });
}

#[rstest]
#[case("url", "ftp://livekit.example.org")]
#[case("url", "wss://livekit.example.org")]
#[case("url", "livekit.example.org:7880")]
#[case("url", "https://livekit.example.org/twirp")]
#[case("url", "https://key:secret@livekit.example.org")]
#[case("url", "https://livekit.example.org?a=b")]
#[case("url", "https://livekit.example.org#a")]
#[case("url", "https://")]
#[case("url", "")]
#[case("publicURL", "https://livekit.example.org")]
#[case("publicURL", "wss://livekit.example.org/rtc")]
#[case("publicURL", "wss://key:secret@livekit.example.org")]
#[case("publicURL", "wss://two words")]
fn any_other_address_is_refused(#[case] field: &str, #[case] url: &str) {
    run(async {
        let rule = [&format!("spec.backend.liveKit.{field}"), url, "should match"];
        Objects::classes().await.refuses(live_kit(json!({field: url})), &rule).await;
    });
}

#[rstest]
#[case("maxParticipants", json!(1))]
#[case("maxParticipants", json!(350))]
#[case("maxDuration", json!("1s"))]
#[case("maxDuration", json!("4320h"))]
fn limits_narrow_what_rooms_may_have(#[case] limit: &str, #[case] value: Value) {
    run(async { Objects::classes().await.accepts(class(json!({"limits": {limit: value}}))).await });
}

#[rstest]
#[case("maxParticipants", json!(0), "greater than or equal to 1")]
#[case("maxParticipants", json!(351), "less than or equal to 350")]
#[case("maxDuration", json!("0s"), "more than 0 and at most 4320h (180 days)")]
#[case("maxDuration", json!("-1h"), "more than 0 and at most 4320h (180 days)")]
#[case("maxDuration", json!("4320h1s"), "more than 0 and at most 4320h (180 days)")]
#[case("maxDuration", json!("long"), "must be a duration such as 45m")]
fn limits_never_go_beyond_those_of_roomkeeper(#[case] limit: &str, #[case] value: Value, #[case] why: &str) {
    run(async {
        let rule = [&format!("spec.limits.{limit}"), value.as_str().unwrap_or(&value.to_string()), why].map(str::to_owned);
        Objects::classes().await.refuses(class(json!({"limits": {limit: value}})), &rule.each_ref().map(String::as_str)).await;
    });
}

#[test]
fn the_time_to_live_is_not_negative() {
    run(async {
        let classes = Objects::classes().await;
        classes.accepts(class(json!({"ttlSecondsAfterExpired": 0}))).await;
        let rule = ["spec.ttlSecondsAfterExpired", "-1", "greater than or equal to 0"];
        classes.refuses(class(json!({"ttlSecondsAfterExpired": -1})), &rule).await;
    });
}

#[test]
fn a_selector_goes_with_from_selector_and_only_with_it() {
    run(async {
        let classes = Objects::classes().await;
        let allowed = |allowed: Value| class(json!({"allowedNamespaces": allowed}));
        let selector = json!({"matchLabels": {"calls": "yes"}});
        classes.accepts(allowed(json!({"from": "All"}))).await;
        classes.accepts(allowed(json!({"from": "All", "selector": null}))).await;
        classes.accepts(allowed(json!({"from": "Selector", "selector": selector}))).await;
        let rule = ["spec.allowedNamespaces.selector", "if, and only if, from is Selector"];
        classes.refuses(allowed(json!({"from": "All", "selector": selector})), &[&rule[..], &["from is All"]].concat()).await;
        classes.refuses(allowed(json!({"from": "Selector"})), &rule).await;
        classes.refuses(allowed(json!({"from": "Some"})), &["spec.allowedNamespaces.from", "Unsupported value", "Some", "Selector"]).await;
        classes.refuses(allowed(json!({"selector": selector})), &["spec.allowedNamespaces.from", "Required"]).await;
    });
}

#[test]
fn whose_a_class_is_cannot_be_changed() {
    run(async {
        let classes = Objects::classes().await;
        let of = |controller: &str| class(json!({"controllerName": controller}));
        classes.accepts(of("example.org/meetings")).await;
        for wrong in ["", "meetings", "Example.org/x", "a/b c"] {
            classes.refuses(of(wrong), &["spec.controllerName"]).await;
        }
        let null = json!({"spec": {"controllerName": null}});
        for (before, change) in [
            (of("example.org/a"), json!({"spec": {"controllerName": "example.org/b"}})),
            (of("example.org/a"), null),
            (class(json!({})), json!({"spec": {"controllerName": "example.org/a"}})),
        ] {
            let before = classes.accepts(before).await;
            classes.refuses_change(&before, change, &["spec.controllerName: cannot be changed"]).await;
        }
    });
}

#[rstest]
#[case(json!({"videoCodec": "H264", "maxVideoHeight": 90, "audioOnly": true}), None)]
#[case(json!({"maxVideoHeight": 2160}), None)]
#[case(json!({"videoCodec": "vp8"}), Some(["spec.media.videoCodec", "VP8"]))]
#[case(json!({"maxVideoHeight": 89}), Some(["spec.media.maxVideoHeight", "90"]))]
#[case(json!({"maxVideoHeight": 2161}), Some(["spec.media.maxVideoHeight", "2160"]))]
fn what_people_send_is_within_limits(#[case] media: Value, #[case] refused: Option<[&str; 2]>) {
    run(async {
        let classes = Objects::classes().await;
        match refused {
            None => drop(classes.accepts(class(json!({"media": media}))).await),
            Some(words) => classes.refuses(class(json!({"media": media})), &words).await,
        }
    });
}
