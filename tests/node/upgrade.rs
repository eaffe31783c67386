//! An upgrade while people talk.

use kube::ResourceExt;

use crate::image;
use crate::site::{PATIENCE, Site, older_chart, restarts};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::livekit::Client as Caller;
use crate::support::{eventually, run};

/// A version before this one.
const OLDER: &str = "0.0.9";

/// How often a client has found back into the call.
fn returns(client: &Caller) -> usize {
    client.events().iter().filter(|event| event["event"] == "reconnected").count()
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

        site.install(&values);
        assert_eq!(image_of(&site.pods("gateway").await).as_deref(), Some(name.as_str()), "the new version runs");
        still_in(&site, [&doctor, &patient], 1).await;
        assert_eq!(site.room(".status.session.id"), session, "the same session");
        assert_eq!(restarts(&site.pods("livekit").await), livekit, "LiveKit has nothing to do with it");
        assert_eq!(site.room(".status.phase"), "Open");

        let before: Vec<String> = site.pods("gateway").await.iter().map(ResourceExt::name_any).collect();
        site.kubectl(&["rollout", "restart", "-n", OPERATOR_NAMESPACE, "deployment/roomkeeper-gateway"]);
        for pod in &before {
            site.kubectl(&["wait", "-n", OPERATOR_NAMESPACE, "--for=delete", "--timeout=120s", &format!("pod/{pod}")]);
        }
        still_in(&site, [&doctor, &patient], 2).await;

        // Through the new gateways: what one begins to send reaches the other.
        doctor.command("publish camera").await;
        patient.wait_for("the doctor's camera", |event| event["event"] == "media-received" && event["source"] == "camera").await;
        for client in [&doctor, &patient] {
            assert!(!client.events().iter().any(|event| event["event"] == "disconnected"), "{:?}", client.events());
        }
    });
}

/// Waits until both have found back, the given number of times at least, and are in the call.
async fn still_in(site: &Site, clients: [&Caller; 2], times: usize) {
    eventually(PATIENCE, async || {
        let seen = clients.map(returns);
        if seen.iter().all(|seen| *seen >= times) { Ok(()) } else { Err(format!("{seen:?} returns")) }
    })
    .await;
    eventually(PATIENCE, async || match site.room(".status.counts.joined").as_str() {
        "2" => Ok(()),
        other => Err(format!("{other} people are in the call")),
    })
    .await;
}
