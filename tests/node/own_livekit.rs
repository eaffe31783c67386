//! An installation with a media server of the user's.

use crate::site::Site;
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::run;
use crate::support::stage::make_class;
use serde_json::json;

#[test]
fn a_livekit_outside_of_the_cluster_is_used() {
    run(async {
        let Some(site) = Site::take().await else { return };
        let livekit = LiveKitServer::start(Options { address: site.node.our_address(), ..Options::default() }).await;
        let (values, host) = site.at_a_node_port();
        let [kind, port, url] = values.each_ref().map(String::as_str);
        site.install(&["--set=livekit.enabled=false", "--set=roomClass.create=false", kind, port, url]);
        assert!(site.pods("livekit").await.is_empty(), "no LiveKit in the cluster");
        make_class(&site.admin, "ours", &livekit, json!({}), true).await;
        site.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", "roomclass/ours"]);
        site.consultation().await;
        let _doctor = site.join(&host, "doctor", &["microphone"]).await;
        let patient = site.join(&host, "patient", &[]).await;
        patient.event("media-received").await;
    });
}
