//! An upgrade while people talk.

use kube::ResourceExt;

use super::image;
use super::site::{CLINIC, PATIENCE, Site, older_chart, restarts};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::livekit::Client as Caller;
use crate::support::{eventually, run};

/// A version before this one.
const OLDER: &str = "0.0.9";

/// How often a client has reconnected.
fn returns(client: &Caller) -> usize {
    client.events().iter().filter(|event| event["event"] == "reconnected").count()
}

/// Whether a client is not reconnecting at the moment.
fn is_back(client: &Caller) -> bool {
    let events = client.events();
    let last = events.iter().rev().find(|event| event["event"] == "reconnecting" || event["event"] == "reconnected");
    last.is_none_or(|event| event["event"] == "reconnected")
}

/// What an upgrade must not change: the content of the invite Secrets, and the Secrets with the keys of invites and of LiveKit, because
/// new keys would make all invites and media tokens worthless.
fn kept(site: &Site) -> [String; 3] {
    let content = r#"jsonpath={range .items[*]}{.metadata.name} {.data}{"\n"}{end}"#;
    let invites = site.kubectl(&["get", "secrets", "-n", CLINIC, "-o", content]);
    assert_eq!(invites.lines().filter(|line| line.contains(r#""invite":"#)).count(), 2, "{invites}");
    let uid = |name: &str| {
        let uid = site.kubectl(&["get", "secret", "-n", OPERATOR_NAMESPACE, name, "-o", "jsonpath={.metadata.uid}"]);
        assert!(!uid.is_empty(), "{name} has no UID");
        uid
    };
    [invites, uid("roomkeeper-invite-keys"), uid("roomkeeper-livekit")]
}

/// The pods of the gateway.
async fn gateways(site: &Site) -> Vec<String> {
    site.pods("gateway").await.iter().map(|pod| format!("pod/{}", pod.name_any())).collect()
}

/// Waits until pods are gone.
fn wait_until_gone(site: &Site, pods: &[String]) {
    for pod in pods {
        site.kubectl(&["wait", "-n", OPERATOR_NAMESPACE, "--for=delete", "--timeout=120s", pod]);
    }
}

#[test]
fn an_upgrade_and_a_restart_of_the_gateway_lose_nothing_of_a_call() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let name = &image::shared().await.0;
        let repository = name.rsplit_once(':').expect("a tag").0;
        site.node.tag(name, &format!("{repository}:v{OLDER}"));
        let (values, host) = site.at_a_node_port();
        let values = values.each_ref().map(String::as_str);
        site.helm(&[&["install", "roomkeeper", &older_chart(OLDER), "--wait", "--timeout=3m"], &values[..]].concat());
        site.consultation().await;
        let mut doctor = site.join(&host, "doctor", &["microphone"]).await;
        let patient = site.join(&host, "patient", &["microphone"]).await;
        patient.event("media-received").await;
        let session = site.room(".status.session.id");
        let livekit = restarts(&site.pods("livekit").await);
        let image_of = |pods: &[k8s_openapi::api::core::v1::Pod]| pods[0].spec.as_ref().and_then(|spec| spec.containers[0].image.clone());
        assert!(image_of(&site.pods("gateway").await).expect("an image").ends_with(OLDER), "the older version runs");
        let secrets = kept(&site);
        let (before, left) = (gateways(&site).await, [&doctor, &patient].map(returns));

        site.install(&values);
        assert_eq!(image_of(&site.pods("gateway").await).as_deref(), Some(name.as_str()), "the new version runs");
        wait_until_gone(&site, &before);
        still_in(&site, [&doctor, &patient], left).await;
        assert_eq!(kept(&site), secrets, "invites and keys stay");
        assert_eq!(site.room(".status.session.id"), session, "the same session");
        assert_eq!(restarts(&site.pods("livekit").await), livekit, "LiveKit has nothing to do with it");
        assert_eq!(site.room(".status.phase"), "Open");

        let (before, left) = (gateways(&site).await, [&doctor, &patient].map(returns));
        site.kubectl(&["rollout", "restart", "-n", OPERATOR_NAMESPACE, "deployment/roomkeeper-gateway"]);
        wait_until_gone(&site, &before);
        still_in(&site, [&doctor, &patient], left).await;

        // Through the new gateways: a new track of one reaches the other.
        doctor.command("publish camera").await;
        patient.wait_for("the doctor's camera", |event| event["event"] == "media-received" && event["source"] == "camera").await;
        for client in [&doctor, &patient] {
            assert!(!client.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", client.events());
        }
        // Once more, after the new controller has reconciled.
        assert_eq!(kept(&site), secrets, "invites and keys stay");
    });
}

/// Waits until both have reconnected at least once more than `before`, and are in the call.
async fn still_in(site: &Site, clients: [&Caller; 2], before: [usize; 2]) {
    eventually(PATIENCE, async || {
        let seen = clients.map(returns);
        let again = seen.iter().zip(&before).all(|(seen, before)| seen > before);
        if again && clients.into_iter().all(is_back) { Ok(()) } else { Err(format!("{seen:?} returns, of which {before:?} were before")) }
    })
    .await;
    eventually(PATIENCE, async || match site.room(".status.counts.joined").as_str() {
        "2" => Ok(()),
        other => Err(format!("{other} people are in the call")),
    })
    .await;
}
