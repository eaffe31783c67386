//! Upgrades of a release that somebody else had a hand in.

use serde_json::json;

use super::releases::{cluster, install, kubectl, on, typed};
use crate::docs::pages::page;
use crate::support::cluster::Cluster;
use crate::support::helm::{chart, manifests};
use crate::support::run;

/// Namespace of the release.
const NAMESPACE: &str = "calls";

/// Upgrades the release `roomkeeper`; what Helm says.
fn upgrade(cluster: &Cluster, values: &[&str]) -> String {
    let chart = chart().display().to_string();
    on(cluster, &[&["upgrade", "roomkeeper", &chart, "--namespace", NAMESPACE], values].concat()).expect("upgraded")
}

#[test]
fn an_upgrade_leaves_the_number_of_gateways_to_whoever_scales_them() {
    const LEFT_OUT: &str = "gateway.replicaCount=";
    run(async {
        let cluster = cluster().await;
        install(&cluster, NAMESPACE, &["--set", LEFT_OUT]).expect("installed");
        let gateway = ["deployment/roomkeeper-gateway", "-n", NAMESPACE];
        let replicas = || kubectl(&cluster, &[&["get"], &gateway[..], &["-o", "jsonpath={.spec.replicas}"]].concat(), "");
        let scale = |number: &str| kubectl(&cluster, &[&["scale"], &gateway[..], &["--replicas", number]].concat(), "");
        assert_eq!(replicas(), "1");
        scale("6");
        upgrade(&cluster, &["--set", LEFT_OUT, "--set", "gateway.podLabels.a=b"]);
        assert_eq!(replicas(), "6");
        // As Argo CD does.
        let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-"];
        kubectl(&cluster, &apply, &manifests(NAMESPACE, &["--set", LEFT_OUT, "--no-hooks"]));
        assert_eq!(replicas(), "6");
        // A release that said a number first, and stops doing so after an autoscaler has said another.
        upgrade(&cluster, &["--force-conflicts", "--set", "gateway.replicaCount=2"]);
        assert_eq!(replicas(), "2");
        scale("5");
        upgrade(&cluster, &["--force-conflicts", "--set", LEFT_OUT]);
        assert_eq!(replicas(), "5");
    });
}

#[test]
fn after_a_change_of_the_class_the_notes_tell_how_only_one_is_the_default() {
    run(async {
        let cluster = cluster().await;
        install(&cluster, NAMESPACE, &[]).expect("installed");
        // As the controllers of two releases have made them.
        for (name, controller) in [("livekit", "roomkeeper.io/controller"), ("foreign", "roomkeeper.io/other")] {
            let class = json!({
                "apiVersion": "roomkeeper.io/v1alpha1",
                "kind": "RoomClass",
                "metadata": {"name": name, "annotations": {"roomclass.roomkeeper.io/is-default-class": "true"}},
                "spec": {"controllerName": controller, "backend": {"liveKit": {"url": "http://livekit", "credentialsSecretRef": {"name": "livekit"}}}},
            });
            kubectl(&cluster, &["apply", "-f", "-"], &class.to_string());
        }
        let command = |notes: &str| notes.lines().find_map(|line| line.trim().strip_prefix("kubectl annotate ").map(str::to_owned));
        assert_eq!(command(&upgrade(&cluster, &[])), None);
        let notes = upgrade(&cluster, &["--set", "roomClass.name=meet"]);
        assert!(notes.contains("The RoomClass livekit is a default class besides meet."), "{notes}");
        let told = command(&notes).unwrap_or_else(|| panic!("no command: {notes}"));
        kubectl(&cluster, &[&["annotate"], &told.split(' ').collect::<Vec<_>>()[..]].concat(), "");
        assert_eq!(command(&upgrade(&cluster, &["--set", "roomClass.name=meet"])), None);
    });
}

#[test]
fn definitions_that_are_there_already_are_taken_over_as_the_documentation_says() {
    run(async {
        let cluster = cluster().await;
        let (chart, crds) = (chart().display().to_string(), concat!(env!("CARGO_MANIFEST_DIR"), "/crds"));
        let guide = page("docs/guides/helm.md");
        let by_hand = guide.blocks.iter().find(|block| block.text.starts_with("definitions=")).expect("the commands");
        let fresh = || kubectl(&cluster, &["apply", "--server-side", "-f", crds], "");
        let install = |release: &str, namespace: &str, more: &[&str]| {
            let install = ["install", release, &chart, "--namespace", namespace, "--create-namespace"];
            let refusal = on(&cluster, &install).expect_err("it is accepted");
            assert!(refusal.contains("invalid ownership metadata"), "{refusal}");
            if more.is_empty() {
                typed(&cluster, &by_hand.text);
            }
            on(&cluster, &[&install[..], more].concat()).unwrap_or_else(|error| panic!("{release} in {namespace}: {error}"));
            on(&cluster, &["uninstall", release, "--namespace", namespace, "--no-hooks"]).expect("uninstalled");
            assert_eq!(kubectl(&cluster, &["get", "crds", "-o", "name"], "").lines().count(), 4, "they stay");
        };
        fresh();
        install("roomkeeper", "roomkeeper-system", &[]);
        kubectl(&cluster, &["delete", "-f", crds], "");
        fresh();
        install("roomkeeper", "first", &["--take-ownership"]);
        // What stayed of a release that was called otherwise.
        install("meet", "second", &["--take-ownership"]);
    });
}
