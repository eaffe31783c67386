//! What invite Secrets may carry besides their own keys.

use rstest::rstest;
use serde_json::{Map, Value, json};

use super::objects::Objects;
use crate::support::run;

fn template(field: &str, entries: Value) -> Value {
    json!({"inviteTemplate": {"metadata": {field: entries}}})
}

#[rstest]
fn keys_that_mean_something_to_other_tools_are_refused(
    #[values("labels", "annotations")] field: &str,
    #[values(
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/namespace",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "roomkeeper.io/room-uid",
        "deep.er.roomkeeper.io/x",
        "helm.sh/chart",
        "meta.helm.sh/release-name"
    )]
    key: &str,
) {
    run(async {
        let path = format!("spec.inviteTemplate.metadata.{field}");
        let rule = [&path, key, "keys of roomkeeper.io, app.kubernetes.io, Argo CD, Flux and Helm are not allowed"];
        Objects::rooms().await.refuses(template(field, json!({"team": "blue", key: "value"})), &rule).await;
    });
}

#[rstest]
fn ordinary_keys_are_accepted(#[values("labels", "annotations")] field: &str) {
    run(async {
        let entries = json!({
            "team": "cardiology", "example.org/cost-center": "42", "Mixed_Case.key": "", "notroomkeeper.io/x": "y",
            "reloader.stakater.com/match": "true", "roomkeeper.io.example.org/x": "y", "app": "calls",
        });
        let room = Objects::rooms().await.accepts(template(field, entries.clone())).await;
        assert_eq!(serde_json::to_value(&room.spec).unwrap(), template(field, entries));
    });
}

#[rstest]
fn keys_that_no_secret_could_carry_are_refused(
    #[values("labels", "annotations")] field: &str,
    #[values("", "-team", "team-", "two words", "a/b/c", "/team", "Upper.Case/team", "example.org/")] key: &str,
) {
    run(async {
        let path = format!("spec.inviteTemplate.metadata.{field}");
        Objects::rooms().await.refuses(template(field, json!({key: "x"})), &[&path, key, "keys must be", "at most 63"]).await;
    });
}

#[rstest]
fn keys_have_a_limit(#[values("labels", "annotations")] field: &str) {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(template(field, json!({"k".repeat(63): "x"}))).await;
        rooms.refuses(template(field, json!({"k".repeat(64): "x"})), &["keys must be", "at most 63", &"k".repeat(64)]).await;
    });
}

#[rstest]
#[case("blue team")]
#[case("-blue")]
#[case("blue_")]
#[case("gr\u{fc}n")]
fn values_that_no_label_could_have_are_refused(#[case] value: &str) {
    run(async {
        let rule = ["spec.inviteTemplate.metadata.labels.team", "should match", value];
        Objects::rooms().await.refuses(template("labels", json!({"team": value})), &rule).await;
        Objects::rooms().await.accepts(template("annotations", json!({"team": value}))).await;
    });
}

#[rstest]
#[case("labels", 63)]
#[case("annotations", 1024)]
fn values_have_a_limit(#[case] field: &str, #[case] limit: usize) {
    run(async {
        let rooms = Objects::rooms().await;
        rooms.accepts(template(field, json!({"team": "v".repeat(limit)}))).await;
        let rule = [&format!("spec.inviteTemplate.metadata.{field}.team"), "Too long", &limit.to_string()];
        rooms
            .refuses(template(field, json!({"team": "v".repeat(limit + 1)})), &rule.map(String::from).each_ref().map(String::as_str))
            .await;
    });
}

#[rstest]
fn there_are_at_most_16(#[values("labels", "annotations")] field: &str) {
    run(async {
        let rooms = Objects::rooms().await;
        let entries = |count: usize| Value::Object((0..count).map(|number| (format!("key-{number}"), json!("x"))).collect::<Map<_, _>>());
        rooms.accepts(template(field, entries(16))).await;
        let path = format!("spec.inviteTemplate.metadata.{field}");
        rooms.refuses(template(field, entries(17)), &[&path, "17", "16"]).await;
    });
}
