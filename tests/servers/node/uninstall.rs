//! Uninstalling, with the definitions kept or not, and installing again.

use super::site::{CLINIC, PATIENCE, ROOM, Site};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::{eventually, run};

/// Kinds of which no object may stay in deletion.
const KINDS: [&str; 6] = ["namespaces", "pods", "secrets", "rooms", "roomclasses", "customresourcedefinitions"];

/// Objects of these kinds that are being deleted.
fn being_deleted(site: &Site, kinds: &[&str]) -> Vec<String> {
    let template = r#"{{range .items}}{{if .metadata.deletionTimestamp}}{{.kind}}/{{.metadata.name}}{{"\n"}}{{end}}{{end}}"#;
    let list = |kind: &&str| site.kubectl(&["get", kind, "-A", "-o", &format!("go-template={template}")]);
    kinds.iter().flat_map(|kind| list(kind).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Runs a function when it is dropped by a failing test.
struct IfItFails<F: Fn()>(F);

impl<F: Fn()> Drop for IfItFails<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}

/// Prints the state of the installation.
fn tell(site: &Site) {
    let objects: [&[&str]; 4] = [
        &["get", "rooms,roomclasses", "-A", "-o", "yaml"],
        &["get", "pods", "-A", "-o", "wide"],
        &["get", "leases,secrets", "-n", OPERATOR_NAMESPACE],
        &["get", "events", "-A", "--sort-by=.metadata.creationTimestamp"],
    ];
    // `Site::kubectl` would panic when kubectl fails, and hide the failure of the test.
    let show = |arguments: &[&str]| {
        let said = site.try_kubectl(arguments).unwrap_or_else(|failure| failure);
        println!("kubectl {}\n{said}", arguments.join(" "));
    };
    objects.into_iter().for_each(show);
    for component in ["controller", "gateway", "livekit"] {
        let pods = format!("app.kubernetes.io/component={component}");
        show(&["logs", "-n", OPERATOR_NAMESPACE, "-l", &pods, "--prefix", "--tail=100"]);
    }
}

#[test]
fn uninstalling_with_rooms_leaves_nothing_stuck_and_a_new_installation_takes_them_up() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let _told = IfItFails(|| tell(&site));
        let (values, host) = site.at_a_node_port();
        let values = values.each_ref().map(String::as_str);
        site.install(&values);
        site.consultation().await;
        let ward = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"ward"}},
            {"apiVersion":"roomkeeper.io/v1alpha1","kind":"Room","metadata":{"name":"round","namespace":"ward"},"spec":{}}]}"#;
        let made = site.node.kubectl(&["create", "-f", "-"], ward);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        site.kubectl(&["wait", "-n", "ward", "--for=condition=Ready", "--timeout=60s", "room/round"]);
        let (id, session) = (site.room(".metadata.uid"), site.room(".status.session"));

        site.helm(&["uninstall", "roomkeeper", "--wait", "--timeout=2m"]);
        let settled = async || {
            let left = being_deleted(&site, &KINDS);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        };
        eventually(PATIENCE, settled).await;
        assert_eq!(site.room(".metadata.name"), ROOM, "Rooms stay");
        assert_eq!(site.kubectl(&["get", "crd", "-o", "name"]).lines().filter(|name| name.ends_with("roomkeeper.io")).count(), 4);
        // Without a controller, Rooms can still be deleted.
        site.kubectl(&["delete", "namespace", "--timeout=120s", "ward", OPERATOR_NAMESPACE]);
        eventually(PATIENCE, settled).await;

        site.install(&values);
        site.kubectl(&["wait", "-n", CLINIC, "--for=jsonpath={.status.phase}=Open", "--timeout=120s", "room/consultation"]);
        assert_eq!(site.room(".metadata.uid"), id);
        let doctor = site.join(&host, "doctor", &["microphone"]).await;
        let patient = site.join(&host, "patient", &[]).await;
        let meeting = IfItFails(|| {
            println!("the session before: {session}\ndoctor: {:?}\npatient: {:?}", doctor.events(), patient.events());
        });
        patient.event("media-received").await;
        drop(meeting);
        doctor.close().await;
        // With a controller, a namespace with Rooms can be deleted, too.
        site.kubectl(&["delete", "namespace", "--timeout=120s", CLINIC]);
        patient.event("disconnected").await;
    });
}

#[test]
fn an_uninstallation_that_keeps_no_definitions_takes_all_rooms_along_and_ends_their_calls() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let (values, host) = site.at_a_node_port();
        site.install(&[&values.each_ref().map(String::as_str)[..], &["--set=crds.keep=false"]].concat());
        site.consultation().await;
        let doctor = site.join(&host, "doctor", &[]).await;
        site.helm(&["uninstall", "roomkeeper", "--wait", "--timeout=2m"]);
        assert_eq!(doctor.event("disconnected").await["reason"], "ROOM_DELETED");
        assert!(!site.kubectl(&["get", "crd", "-o", "name"]).contains("roomkeeper.io"), "the definitions are gone");
        assert_eq!(site.kubectl(&["get", "secrets", "-n", CLINIC, "-o", "name"]), "");
        let settled = async || {
            let left = being_deleted(&site, &["namespaces", "pods", "secrets", "customresourcedefinitions"]);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        };
        eventually(PATIENCE, settled).await;
    });
}
