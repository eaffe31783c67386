//! Upgrades of a release that somebody else had a hand in.

use super::releases::{cluster, install, kubectl, on};
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
