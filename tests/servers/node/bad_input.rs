//! An installation with unusable Secrets says so.

use super::site::{PATIENCE, Site};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::chart;
use crate::support::{eventually, run};

#[test]
fn unusable_signing_keys_are_named_by_the_pods() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let secret = "roomkeeper-invite-keys";
        site.kubectl(&["create", "secret", "generic", "-n", OPERATOR_NAMESPACE, secret, "--from-literal=first.pem=not a key"]);
        site.helm(&["install", "roomkeeper", &chart().display().to_string()]);
        // Each controller becomes leader, logs why it cannot work, and exits. A gateway keeps running, and waits for usable keys.
        said_by(&site, "controller", "has no usable invite signing key", secret).await;
        said_by(&site, "gateway", "there is no invite signing key", secret).await;
        let ended = "{.items[*].status.containerStatuses[*].lastState.terminated.exitCode}";
        let pods = |component: &str, path: &str| {
            let label = format!("app.kubernetes.io/component={component}");
            site.kubectl(&["get", "pods", "-n", OPERATOR_NAMESPACE, "-l", &label, "-o", &format!("jsonpath={path}")])
        };
        eventually(PATIENCE, async || {
            let codes = pods("controller", ended);
            if codes.split(' ').any(|code| code == "1") { Ok(()) } else { Err(format!("the controllers ended with {codes:?}")) }
        })
        .await;
        assert_eq!(pods("gateway", ended), "", "gateways do not end");
        assert_eq!(pods("gateway", "{.items[*].status.containerStatuses[*].ready}"), "false false", "and get no requests");
        // Once it is deleted the controller makes a new one, and all pods recover by themselves.
        site.kubectl(&["delete", "secret", "-n", OPERATOR_NAMESPACE, secret]);
        site.consultation().await;
        for component in ["controller", "gateway"] {
            let deployment = format!("deployment/roomkeeper-{component}");
            site.kubectl(&["rollout", "status", "-n", OPERATOR_NAMESPACE, "--timeout=120s", &deployment]);
        }
    });
}

#[test]
fn unusable_keys_of_livekit_are_named_by_the_class() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let secret = "roomkeeper-livekit";
        site.kubectl(&["create", "secret", "generic", "-n", OPERATOR_NAMESPACE, secret, "--from-literal=apiKey=key"]);
        site.helm(&["install", "roomkeeper", &chart().display().to_string()]);
        let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")]}"#;
        eventually(PATIENCE, async || {
            let ready = site.try_kubectl(&["get", "roomclass", "livekit", "-o", path])?;
            if ready.contains(r#""status":"False""#) && ready.contains(secret) { Ok(()) } else { Err(ready) }
        })
        .await;
    });
}

/// Waits until a pod of the component has logged this about the Secret in one line, in its present or its last container.
async fn said_by(site: &Site, component: &str, complaint: &str, secret: &str) {
    eventually(PATIENCE, async || {
        let mut said = String::new();
        for pod in site.pods(component).await.iter().filter_map(|pod| pod.metadata.name.as_deref()) {
            for more in [&[][..], &["--previous"]] {
                said += &site.try_kubectl(&[&["logs", "-n", OPERATOR_NAMESPACE, pod], more].concat()).unwrap_or_default();
            }
        }
        if said.lines().any(|line| line.contains(complaint) && line.contains(secret)) { Ok(()) } else { Err(said) }
    })
    .await;
}
