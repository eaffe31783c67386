//! One step gives a working system.

use std::process::{Command, Stdio};

use super::site::{Site, seconds_since};
use crate::docs::reader::path;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::chart;
use crate::support::{now, run};

/// Runs the commands for a first call that the chart's notes show, and returns what the last one prints.
fn first_call(site: &Site, notes: &str) -> String {
    let (_, after) = notes.split_once("Make a first call:").expect("the notes have a first call");
    let commands: Vec<&str> = after.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let (last, before) = commands.split_last().expect("commands");
    assert!(before.len() >= 3, "{notes}");
    // The port-forward prints too, so the output of the last command is captured on its own. Then the link is tried.
    let script = format!(
        r#"set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
{{
{}
}} >&2
link=$({last})
curl --silent --show-error --fail --retry 10 --retry-all-errors --retry-delay 1 \
    --header "Authorization: Bearer ${{link#*#}}" "${{link%%/#*}}/v1/room" >&2
echo "$link"
"#,
        before.join("\n")
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env("KUBECONFIG", site.node.admin_kubeconfig()).env("PATH", path()).stdin(Stdio::null());
    let output = command.output().expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn one_helm_install_gives_rooms_that_can_be_joined() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let began = now();
        let notes = site.helm(&["install", "roomkeeper", &chart().display().to_string(), "--create-namespace"]);
        site.consultation().await;
        let ready = seconds_since(began);

        // Before the port-forward of the calls below, because the notes have a port of their own.
        site.kubectl(&["rollout", "status", "-n", OPERATOR_NAMESPACE, "--timeout=120s", "deployment/roomkeeper-gateway"]);
        let typed = now();
        let said = first_call(&site, &notes);
        assert!(said.lines().last().is_some_and(|link| link.starts_with("http://localhost:8080/#")), "{said}");
        site.kubectl(&["delete", "room", "hello", "-n", OPERATOR_NAMESPACE, "--timeout=60s"]);
        let typing = seconds_since(typed);

        let (_forward, host) = site.forward().await;
        let doctor = site.join(&host, "doctor", &["microphone", "camera"]).await;
        let joined = seconds_since(began) - typing;
        let patient = site.join(&host, "patient", &["microphone"]).await;
        doctor.event("media-received").await;
        patient.event("media-received").await;
        println!("from helm install to a Ready Room {ready:.1} s, to the first person in its call {joined:.1} s");

        assert!(notes.contains("kubectl port-forward -n roomkeeper-system svc/roomkeeper-gateway 8080:80"), "{notes}");
        let tested = site.helm(&["test", "roomkeeper", "--logs"]);
        assert!(tested.contains("Succeeded"), "{tested}");
        assert_eq!(site.kubectl(&["get", "rooms", "-n", OPERATOR_NAMESPACE, "-o", "name"]), "", "the Room of the test is deleted");

        for component in ["controller", "gateway"] {
            let sizes: Vec<String> =
                site.pods(component).await.iter().map(|pod| format!("{} kB", site.resident_bytes(pod) / 1000)).collect();
            assert_eq!(sizes.len(), 2, "replicas of the {component}");
            println!("resident memory of the {component}s: {}", sizes.join(", "));
        }
        // The network of this node knows no policies: that they let everything through that is needed cannot be seen here.
        let policies = site.kubectl(&["get", "networkpolicies", "-n", OPERATOR_NAMESPACE, "-o", "name"]);
        assert_eq!(policies.lines().count(), 3, "{policies}");
    });
}
