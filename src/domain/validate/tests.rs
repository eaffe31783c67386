use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::api::Role;
use crate::domain::{NamespaceView, Person, accept};
use crate::fixtures::{CREATED, ROOM_UID, class, moment, room_from, roster};

fn named_class(name: &str, is_default: Option<&str>) -> RoomClass {
    let mut class = class(json!({}));
    class.metadata.name = Some(name.into());
    class.metadata.annotations = is_default.map(|value| BTreeMap::from([(DEFAULT_CLASS_ANNOTATION.into(), value.into())]));
    class
}

fn judged(room: &Room, class: &RoomClass) -> Result<ValidRoom, Rejection> {
    validate(room, roster(room), class)
}

fn validated(spec: Value) -> Result<ValidRoom, Rejection> {
    judged(&room_from(spec), &class(json!({})))
}

#[rstest]
#[case::nothing(json!({}), CREATED, "2030-06-30T00:00:00Z")]
#[case::from(json!({"validFrom": "2030-02-01T09:00:00Z"}), "2030-02-01T09:00:00Z", "2030-07-31T09:00:00Z")]
#[case::until(json!({"validUntil": "2030-02-01T09:00:00Z"}), CREATED, "2030-02-01T09:00:00Z")]
#[case::duration(json!({"duration": "90m"}), CREATED, "2030-01-01T01:30:00Z")]
#[case::from_and_until(json!({"validFrom": "2030-02-01T09:00:00Z", "validUntil": "2030-02-01T10:00:00Z"}), "2030-02-01T09:00:00Z", "2030-02-01T10:00:00Z")]
#[case::from_and_duration(json!({"validFrom": "2030-02-01T09:00:00Z", "duration": "1h30m"}), "2030-02-01T09:00:00Z", "2030-02-01T10:30:00Z")]
#[case::from_before_creation(json!({"validFrom": "2029-12-31T23:00:00Z", "duration": "2h"}), "2029-12-31T23:00:00Z", "2030-01-01T01:00:00Z")]
#[case::other_time_zone(json!({"validFrom": "2030-02-01T10:00:00+01:00", "duration": "1h"}), "2030-02-01T09:00:00Z", "2030-02-01T10:00:00Z")]
fn the_window_follows_from_what_the_spec_says_and_defaults_for_the_rest(#[case] spec: Value, #[case] from: &str, #[case] until: &str) {
    assert_eq!(validated(spec).unwrap().window, Window { from: moment(from), until: moment(until) });
}

#[rstest]
#[case::nothing(json!({}), "2030-01-01T08:00:00Z")]
#[case::from(json!({"validFrom": CREATED}), "2030-01-01T08:00:00Z")]
#[case::shorter_duration(json!({"duration": "7h"}), "2030-01-01T07:00:00Z")]
#[case::just_as_long(json!({"validFrom": CREATED, "validUntil": "2030-01-01T08:00:00Z"}), "2030-01-01T08:00:00Z")]
fn a_class_limits_the_window_and_is_its_default_length(#[case] spec: Value, #[case] until: &str) {
    let class = class(json!({"limits": {"maxDuration": "8h"}}));
    assert_eq!(judged(&room_from(spec), &class).unwrap().window.until, moment(until));
}

#[rstest]
#[case::until(json!({"validFrom": CREATED, "validUntil": "2030-01-01T08:00:01Z"}), "spec.validUntil")]
#[case::until_alone(json!({"validUntil": "2030-01-01T08:00:01Z"}), "spec.validUntil")]
#[case::duration(json!({"duration": "8h1s"}), "spec.duration")]
fn a_window_longer_than_the_class_allows_is_rejected_with_field_and_limit(#[case] spec: Value, #[case] field: &str) {
    let rejection = judged(&room_from(spec), &class(json!({"limits": {"maxDuration": "8h"}}))).unwrap_err();
    assert_eq!(rejection.reason, Reason::WindowTooLong);
    assert!(rejection.message.starts_with(field) && rejection.message.contains("8h"), "{}", rejection.message);
}

#[rstest]
#[case("8h", "8h")]
#[case("90m", "90m")]
#[case("90s", "90s")]
#[case("4320h", "4320h")]
fn the_limit_of_the_class_is_told_as_it_is(#[case] limit: &str, #[case] told: &str) {
    let class = class(json!({"limits": {"maxDuration": limit}}));
    let rejection = judged(&room_from(json!({"duration": "4400h"})), &class).unwrap_err();
    assert!(rejection.message.contains(&format!(" {told} that the class allows")), "{}", rejection.message);
}

#[test]
fn a_class_that_wants_more_than_180_days_gets_180() {
    let class = class(json!({"limits": {"maxDuration": "9000h"}}));
    assert_eq!(judged(&room_from(json!({})), &class).unwrap().window.until, moment("2030-06-30T00:00:00Z"));
}

#[rstest]
#[case(json!({"duration": "4320h"}), true)]
#[case(json!({"duration": "4320h1s"}), false)]
#[case(json!({"validFrom": CREATED, "validUntil": "2030-06-30T00:00:00Z"}), true)]
#[case(json!({"validFrom": CREATED, "validUntil": "2030-06-30T00:00:01Z"}), false)]
#[case(json!({"validUntil": "2030-06-30T00:00:00Z"}), true)]
#[case(json!({"validUntil": "2030-06-30T00:00:01Z"}), false)]
fn exactly_180_days_are_allowed_and_not_a_second_more(#[case] spec: Value, #[case] allowed: bool) {
    let reason = validated(spec).err().map(|rejection| rejection.reason);
    assert_eq!(reason, (!allowed).then_some(Reason::WindowTooLong));
}

#[rstest]
#[case::end_before_start(json!({"validFrom": "2030-02-01T09:00:00Z", "validUntil": "2030-02-01T08:00:00Z"}), "spec.validUntil")]
#[case::end_at_start(json!({"validFrom": "2030-02-01T09:00:00Z", "validUntil": "2030-02-01T09:00:00Z"}), "spec.validUntil")]
#[case::no_duration(json!({"duration": "0s"}), "spec.duration")]
#[case::negative_duration(json!({"duration": "-90m"}), "spec.duration")]
#[case::both_ends(json!({"validUntil": "2030-02-01T09:00:00Z", "duration": "1h"}), "spec.validUntil and spec.duration")]
#[case::nobody_fits(json!({"maxParticipants": 0}), "spec.maxParticipants")]
fn what_an_older_schema_let_pass_is_rejected_with_its_field(#[case] spec: Value, #[case] field: &str) {
    let rejection = validated(spec).unwrap_err();
    assert_eq!(rejection.reason, Reason::InvalidSpec);
    assert!(rejection.message.starts_with(&format!("{field}: ")), "{}", rejection.message);
}

#[rstest]
#[case::by_its_end(json!({"validUntil": "2029-12-01T10:00:00Z"}))]
#[case::by_start_and_end(json!({"validFrom": "2029-12-01T09:00:00Z", "validUntil": "2029-12-01T10:00:00Z"}))]
#[case::by_start_and_duration(json!({"validFrom": "2029-12-01T09:00:00Z", "duration": "1h"}))]
fn a_room_that_is_created_again_after_its_end_is_over_and_not_rejected(#[case] spec: Value) {
    let window = validated(spec).unwrap().window;
    assert_eq!(window.until, moment("2029-12-01T10:00:00Z"));
    assert!(window.is_over(moment(CREATED)));
}

#[test]
fn a_window_without_length_is_over_even_for_a_clock_that_is_behind() {
    let window = validated(json!({"validUntil": "2029-12-31T23:59:59Z"})).unwrap().window;
    assert!(window.is_over(moment("2029-12-31T23:59:50Z")));
}

#[rstest]
#[case(json!({}), json!({}), Ok(350))]
#[case(json!({"maxParticipants": 20}), json!({}), Ok(20))]
#[case(json!({}), json!({"limits": {"maxParticipants": 50}}), Ok(50))]
#[case(json!({"maxParticipants": 50}), json!({"limits": {"maxParticipants": 50}}), Ok(50))]
#[case(json!({"maxParticipants": 51}), json!({"limits": {"maxParticipants": 50}}), Err(Reason::TooManyParticipants))]
#[case(json!({"maxParticipants": 351}), json!({"limits": {"maxParticipants": 400}}), Err(Reason::TooManyParticipants))]
fn capacity_is_that_of_the_room_within_the_class_within_350(
    #[case] spec: Value,
    #[case] limits: Value,
    #[case] expected: Result<usize, Reason>,
) {
    let valid = judged(&room_from(spec), &class(limits));
    assert_eq!(valid.map(|room| room.max_participants).map_err(|rejection| rejection.reason), expected);
}

#[rstest]
#[case(350, None)]
#[case(351, Some(Reason::TooManyParticipants))]
fn more_people_than_places_may_be_invited_but_not_more_than_350(#[case] people: usize, #[case] reason: Option<Reason>) {
    let participants: Vec<_> = (0..people).map(|number| json!({"name": format!("p{number}")})).collect();
    let valid = validated(json!({"maxParticipants": 2, "participants": participants}));
    assert_eq!(valid.err().map(|rejection| rejection.reason), reason);
}

#[test]
fn people_get_every_default_filled_in() {
    let spec = json!({"participants": [
        {"name": "ada"},
        {"name": "bob", "displayName": "", "role": "Presenter", "suspended": true, "inviteGeneration": 3},
        {"name": "cy", "displayName": "Cy"},
    ]});
    let person = |name: &str, display_name: &str, role, suspended, generation| Person {
        name: name.into(),
        display_name: display_name.into(),
        role,
        suspended,
        generation,
    };
    assert_eq!(
        validated(spec).unwrap().roster.people().cloned().collect::<Vec<_>>(),
        [
            person("ada", "ada", Role::Attendee, false, 0),
            person("bob", "bob", Role::Presenter, true, 3),
            person("cy", "Cy", Role::Attendee, false, 0),
        ]
    );
}

#[rstest]
#[case(json!({}), "standup", ROOM_UID)]
#[case(json!({"displayName": "", "id": "0123456789abcdef"}), "standup", "0123456789abcdef")]
#[case(json!({"displayName": "Daily"}), "Daily", ROOM_UID)]
fn title_and_invite_id_have_defaults(#[case] spec: Value, #[case] title: &str, #[case] invite_id: &str) {
    let valid = validated(spec).unwrap();
    assert_eq!((valid.display_name.as_str(), valid.invite_id.as_str(), valid.class.as_str()), (title, invite_id, "standard"));
}

#[rstest]
#[case::named(Some("b"), vec![named_class("a", Some("true")), named_class("b", None)], Ok("b"))]
#[case::named_but_missing(Some("c"), vec![named_class("a", Some("true"))], Err(Reason::ClassNotFound))]
#[case::default(None, vec![named_class("a", None), named_class("b", Some("true"))], Ok("b"))]
#[case::no_default(None, vec![named_class("a", None), named_class("b", Some("false"))], Err(Reason::NoDefaultClass))]
#[case::no_class(None, vec![], Err(Reason::NoDefaultClass))]
#[case::several(None, vec![named_class("a", Some("true")), named_class("b", Some("true"))], Err(Reason::SeveralDefaultClasses))]
fn a_room_uses_the_class_it_names_or_the_only_default(
    #[case] name: Option<&str>,
    #[case] classes: Vec<RoomClass>,
    #[case] expected: Result<&str, Reason>,
) {
    let room = room_from(json!({"roomClassName": name}));
    let chosen = choose_class(&room, &classes).map_err(|rejection| rejection.reason);
    assert_eq!(chosen.map(|class| class.metadata.name.as_deref().unwrap()), expected);
}

#[rstest]
#[case::absent(Value::Null, Some(json!({})), true)]
#[case::all(json!({"from": "All"}), None, true)]
#[case::label_matches(json!({"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}), Some(json!({"calls": "yes", "more": "x"})), true)]
#[case::label_differs(json!({"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}), Some(json!({"calls": "no"})), false)]
#[case::label_missing(json!({"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}), Some(json!({})), false)]
#[case::namespace_unknown(json!({"from": "Selector", "selector": {"matchLabels": {"calls": "yes"}}}), None, false)]
#[case::expression(json!({"from": "Selector", "selector": {"matchExpressions": [{"key": "stage", "operator": "In", "values": ["a", "b"]}]}}), Some(json!({"stage": "b"})), true)]
#[case::not_in(json!({"from": "Selector", "selector": {"matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["a"]}]}}), Some(json!({"stage": "a"})), false)]
#[case::unknown_operator(json!({"from": "Selector", "selector": {"matchExpressions": [{"key": "stage", "operator": "Like"}]}}), Some(json!({"stage": "a"})), false)]
#[case::empty_selector(json!({"from": "Selector", "selector": {}}), Some(json!({})), true)]
#[case::no_selector(json!({"from": "Selector"}), Some(json!({"calls": "yes"})), false)]
fn a_class_is_open_to_the_namespaces_it_says(#[case] allowed: Value, #[case] labels: Option<Value>, #[case] open: bool) {
    let class = class(json!({"allowedNamespaces": allowed}));
    let labels: Option<BTreeMap<String, String>> = labels.map(|labels| serde_json::from_value(labels).unwrap());
    let room = room_from(json!({"roomClassName": "standard"}));
    let accepted = accept(&room, roster(&room), [&class], NamespaceView::Labels(labels.as_ref()));
    let reason = accepted.err().map(|rejection| rejection.reason);
    assert_eq!(reason, (!open).then_some(Reason::NamespaceNotAllowed));
}

const ARGO_CD: &str = "argocd.argoproj.io/tracking-id";
const FLUX: &str = "kustomize.toolkit.fluxcd.io/name";

#[rstest]
#[case::default(json!({}), json!({}), None, Some(86_400))]
#[case::of_the_class(json!({}), json!({"ttlSecondsAfterExpired": 60}), None, Some(60))]
#[case::of_the_room(json!({"ttlSecondsAfterExpired": 5}), json!({"ttlSecondsAfterExpired": 60}), None, Some(5))]
#[case::at_once(json!({"ttlSecondsAfterExpired": 0}), json!({}), None, Some(0))]
#[case::argo_cd(json!({}), json!({"ttlSecondsAfterExpired": 60}), Some(ARGO_CD), None)]
#[case::flux_kustomize(json!({}), json!({}), Some(FLUX), None)]
#[case::flux_helm(json!({}), json!({}), Some("helm.toolkit.fluxcd.io/namespace"), None)]
#[case::helm(json!({}), json!({}), Some("meta.helm.sh/release-name"), None)]
#[case::tracked_with_own_ttl(json!({"ttlSecondsAfterExpired": 5}), json!({}), Some(FLUX), Some(5))]
#[case::other_key(json!({}), json!({}), Some("example.org/toolkit.fluxcd.io"), Some(86_400))]
#[case::key_without_prefix(json!({}), json!({}), Some("argocd"), Some(86_400))]
fn a_room_is_kept_after_its_end_as_room_gitops_tool_and_class_want_it(
    #[case] spec: Value,
    #[case] class_spec: Value,
    #[case] key: Option<&str>,
    #[case] seconds: Option<u64>,
) {
    let class = class(class_spec);
    let metadata = key.map(|key| BTreeMap::from([(key.to_owned(), "x".to_owned())]));
    let mut by_label = room_from(spec);
    let mut by_annotation = by_label.clone();
    by_label.metadata.labels.clone_from(&metadata);
    by_annotation.metadata.annotations = metadata;
    for room in [by_label, by_annotation] {
        assert_eq!(judged(&room, &class).unwrap().ttl, seconds.map(Duration::from_secs));
    }
}

#[rstest]
#[case("name")]
#[case("namespace")]
#[case("uid")]
fn a_room_that_the_api_server_has_not_seen_is_rejected(#[case] field: &str) {
    let mut room = serde_json::to_value(room_from(json!({}))).unwrap();
    room["metadata"].as_object_mut().unwrap().remove(field);
    let rejection = judged(&serde_json::from_value(room).unwrap(), &class(json!({}))).unwrap_err();
    assert_eq!(rejection.message, format!("metadata.{field}: is missing"));
}

#[test]
fn labels_and_annotations_for_invites_are_taken_over() {
    let metadata = json!({"labels": {"team": "a"}, "annotations": {"note": "b"}});
    let valid = validated(json!({"inviteTemplate": {"metadata": metadata}})).unwrap();
    assert_eq!(
        serde_json::to_value((&valid.invite_metadata.labels, &valid.invite_metadata.annotations)).unwrap(),
        json!([{"team": "a"}, {"note": "b"}])
    );
}
