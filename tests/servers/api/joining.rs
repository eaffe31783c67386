//! How people join: policy, shared link, and when the session is made.

use rstest::rstest;
use serde_json::{Value, json};

use super::objects::Objects;
use crate::support::run;

#[rstest]
#[case::policy(json!({"joinPolicy": "AnyoneWithLink"}))]
#[case::link(json!({"joinPolicy": "AnyoneWithLink", "link": {"role": "Consumer", "generation": 3}}))]
#[case::empty_link(json!({"joinPolicy": "AnyoneWithLink", "link": {}}))]
#[case::session(json!({"session": {"provision": "OnFirstJoin", "closeWhenEmptyAfter": "4320h"}}))]
fn a_way_to_join_is_accepted(#[case] spec: Value) {
    run(async { drop(Objects::rooms().await.accepts(spec).await) });
}

#[rstest]
#[case::unknown_policy(json!({"joinPolicy": "Everybody"}), &["joinPolicy", "Everybody"])]
#[case::link_without_policy(json!({"link": {"role": "Attendee"}}), &["spec.link", "AnyoneWithLink", "InviteOnly"])]
#[case::link_of_invited_people(json!({"joinPolicy": "InviteOnly", "link": {}}), &["spec.link", "InviteOnly"])]
#[case::unknown_role(json!({"joinPolicy": "AnyoneWithLink", "link": {"role": "Chief"}}), &["role", "Chief"])]
#[case::negative_generation(json!({"joinPolicy": "AnyoneWithLink", "link": {"generation": -1}}), &["generation", "-1"])]
#[case::unknown_provision(json!({"session": {"provision": "Never"}}), &["provision", "Never"])]
#[case::empty_after_nothing(json!({"session": {"closeWhenEmptyAfter": "0s"}}), &["closeWhenEmptyAfter", "0s"])]
#[case::empty_after_too_long(json!({"session": {"closeWhenEmptyAfter": "4321h"}}), &["closeWhenEmptyAfter", "4321h", "4320h"])]
fn a_way_to_join_that_cannot_be_is_refused_by_field_and_value(#[case] spec: Value, #[case] words: &[&str]) {
    run(async { Objects::rooms().await.refuses(spec, words).await });
}

#[test]
fn the_policy_never_changes_and_the_generation_of_a_link_never_shrinks() {
    run(async {
        let rooms = Objects::rooms().await;
        let open = json!({"joinPolicy": "AnyoneWithLink", "link": {"generation": 2}});
        let room = rooms.accepts(open).await;
        rooms.refuses_change(&room, json!({"spec": {"joinPolicy": "InviteOnly", "link": null}}), &["spec.joinPolicy", "immutable"]).await;
        rooms.refuses_change(&room, json!({"spec": {"link": {"generation": 1}}}), &["spec.link.generation", "is 1 and was 2"]).await;
        rooms.refuses_change(&room, json!({"spec": {"link": {"generation": null}}}), &["spec.link.generation", "is 0 and was 2"]).await;
        rooms.refuses_change(&room, json!({"spec": {"link": null}}), &["spec.link", "taken away"]).await;
        rooms.accepts_change(&room, json!({"spec": {"link": {"generation": 3, "role": "Consumer"}}})).await;
        let invited = rooms.accepts(json!({})).await;
        rooms.accepts_change(&invited, json!({"spec": {"joinPolicy": "InviteOnly"}})).await;
        rooms.refuses_change(&invited, json!({"spec": {"joinPolicy": "AnyoneWithLink"}}), &["spec.joinPolicy", "immutable"]).await;
    });
}
