//! An installation that uses LiveKit servers outside of the cluster.

use serde_json::json;

use super::site::{PATIENCE, Site};
use crate::support::livekit::{Client as Caller, LiveKitServer, Options};
use crate::support::redis::Redis;
use crate::support::stage::set_credentials;
use crate::support::{eventually, run};

/// The Secret with the credentials of the media servers.
const CREDENTIALS: &str = "media";

#[test]
fn a_livekit_cluster_outside_of_kubernetes_has_one_call_for_people_at_different_servers() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let address = site.node.our_address();
        let redis = Redis::start(address).await;
        let options = Options { address, redis: Some(redis.address.clone()), ..Options::default() };
        let (first, second) = tokio::join!(LiveKitServer::start(options.clone()), LiveKitServer::start(options.clone()));
        set_credentials(&site.admin, CREDENTIALS, &options.api_key, &options.api_secret).await;
        let backend = json!({"liveKit": {"url": first.url(), "credentialsSecretRef": {"name": CREDENTIALS}}});
        let class = format!("--set-json=roomClass.spec.backend={backend}");
        let (values, host) = site.at_a_node_port();
        let [kind, port, url] = values.each_ref().map(String::as_str);
        site.install(&["--set=livekit.enabled=false", &class, kind, port, url]);
        assert!(site.pods("livekit").await.is_empty(), "no LiveKit in the cluster");
        site.kubectl(&["wait", "--for=create", "--timeout=60s", "roomclass/livekit"]);
        site.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", "roomclass/livekit"]);
        let named = site.kubectl(&["get", "roomclass", "livekit", "-o", "jsonpath={.spec.backend.liveKit.url}"]);
        assert_eq!(named, first.url(), "the class is as the values have it");
        site.consultation().await;

        // Through the gateway, which knows the first server only.
        let doctor = site.join(&host, "doctor", &["microphone"]).await;
        // With media credentials from the gateway, but directly at the second server, which knows the call through Redis only.
        let admitted = eventually(PATIENCE, async || match site.ask_to_join(&host, "patient").await {
            Ok(answer) if answer.status == 200 => Ok(answer.credentials()),
            other => Err(format!("{other:?}")),
        });
        let mut credentials = admitted.await;
        credentials.url = Some(second.url().replacen("http", "ws", 1));
        let patient = Caller::join(&credentials, &["microphone"]).await.unwrap_or_else(|status| panic!("refused with {status}"));
        for (client, other) in [(&doctor, "patient"), (&patient, "doctor")] {
            client.wait_for(other, |event| event["event"] == "media-received" && event["identity"] == other).await;
        }
        let (here, there) = (doctor.event("connected").await, patient.event("connected").await);
        assert_eq!(here["roomSid"], there["roomSid"], "one call");
    });
}
