//! The end of an installation, and its return.

use crate::site::{CLINIC, PATIENCE, ROOM, Site};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::{eventually, run};

/// Kinds of which nothing may be left on its way out.
const KINDS: [&str; 6] = ["namespaces", "pods", "secrets", "rooms", "roomclasses", "customresourcedefinitions"];

/// Objects that are being deleted, and are still there.
fn on_their_way_out(site: &Site) -> Vec<String> {
    let template = r#"{{range .items}}{{if .metadata.deletionTimestamp}}{{.kind}}/{{.metadata.name}}{{"\n"}}{{end}}{{end}}"#;
    let list = |kind: &&str| site.kubectl(&["get", kind, "-A", "-o", &format!("go-template={template}")]);
    KINDS.iter().flat_map(|kind| list(kind).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn uninstalling_with_rooms_leaves_nothing_stuck_and_a_new_installation_takes_them_up() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let (values, host) = site.at_a_node_port();
        let values = values.each_ref().map(String::as_str);
        site.install(&values);
        site.consultation().await;
        let ward = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ward"}},
            {"apiVersion":"roomkeeper.io/v1alpha1","kind":"Room","metadata":{"name":"round","namespace":"ward"},"spec":{}}]}"#;
        let made = site.node.kubectl(&["create", "-f", "-"], ward);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        site.kubectl(&["wait", "-n", "ward", "--for=condition=Ready", "--timeout=60s", "room/round"]);
        let id = site.room(".metadata.uid");

        site.helm(&["uninstall", "roomkeeper", "--wait", "--timeout=2m"]);
        let settled = async || {
            let left = on_their_way_out(&site);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        };
        eventually(PATIENCE, settled).await;
        assert_eq!(site.room(".metadata.name"), ROOM, "Rooms stay");
        assert_eq!(site.kubectl(&["get", "crd", "-o", "name"]).lines().filter(|name| name.ends_with("roomkeeper.io")).count(), 3);
        // Nobody looks after Rooms now, and still they can be deleted.
        site.kubectl(&["delete", "namespace", "--timeout=120s", "ward", OPERATOR_NAMESPACE]);
        eventually(PATIENCE, settled).await;

        site.install(&values);
        site.kubectl(&["wait", "-n", CLINIC, "--for=jsonpath={.status.phase}=Open", "--timeout=120s", "room/consultation"]);
        assert_eq!(site.room(".metadata.uid"), id);
        let doctor = site.join(&host, "doctor", &["microphone"]).await;
        let patient = site.join(&host, "patient", &[]).await;
        patient.event("media-received").await;
        doctor.close().await;
        // With a controller there a namespace with Rooms goes, too.
        site.kubectl(&["delete", "namespace", "--timeout=120s", CLINIC]);
        patient.event("disconnected").await;
    });
}
