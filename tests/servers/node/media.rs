//! Media reach people outside of the cluster, by every way in that the chart has.

use std::process::Stdio;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::site::{CLINIC, PATIENCE, ROOM, Site};
use crate::page::browser::Browser;
use crate::page::files::{OUTSIDE, run_file_outside};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::chart;
use crate::support::livekit::Client as Caller;
use crate::support::outside::Outside;
use crate::support::process::{Leashed, log_file};
use crate::support::redis::Redis;
use crate::support::stage::set_secret;
use crate::support::tls::Authority;
use crate::support::{at_full_length, eventually, run_browsers};

/// The addresses that the load balancer has, one after the other (RFC 5737: no network has them).
const FIRST: &str = "203.0.113.10";
const SECOND: &str = "203.0.113.11";
/// Name of LiveKit's own TURN server, and what the chart is told of it.
pub const TURN: &str = "turn.example.org";
pub const WITH_TURN: &str = "--set=livekit.turn.enabled=true,livekit.turn.domain=turn.example.org,livekit.turn.secretName=turn-tls";
/// What our own TURN server and LiveKit know.
const TURN_SECRET: &str = "a secret of our TURN server";
/// Its port.
const TURN_PORT: u16 = 3478;

/// What a network lets out beside the page, and by what media then come.
struct Network {
    name: &'static str,
    lets_out: Vec<String>,
    way: &'static str,
}

impl Network {
    fn open(way: &'static str) -> Self {
        Self { name: "UDP open", lets_out: Vec::new(), way }
    }

    /// One that lets out this, to the site's node: the page and, for the tests' own requests, the API server.
    fn closed(name: &'static str, site: &Site, lets_out: &[&str], way: &'static str) -> Self {
        let node = site.node.address();
        let page = ["30080", "6443"].map(|port| format!("-p tcp -d {node} --dport {port}"));
        Self { name, lets_out: page.into_iter().chain(lets_out.iter().map(|&rule| rule.to_owned())).collect(), way }
    }
}

/// An installation on a node, and people outside of it.
struct Ways {
    site: Site,
    outside: Outside,
    host: String,
}

impl Ways {
    /// Installs, or upgrades to these values, and does not wait.
    fn install(&self, values: &[&str]) {
        let (gateway, _) = self.site.at_a_node_port();
        let [kind, port, _] = gateway.each_ref().map(String::as_str);
        let url = format!("--set=gateway.url={OUTSIDE}");
        let chart = chart().display().to_string();
        self.site.helm(&[&["upgrade", "--install", "roomkeeper", &chart, kind, port, &url], values].concat());
    }

    /// Waits until the class says this of its media, as `STATUS REASON`.
    async fn media(&self, wanted: &str) {
        let path =
            r#"jsonpath={.status.conditions[?(@.type=="MediaReachable")].status} {.status.conditions[?(@.type=="MediaReachable")].reason}"#;
        eventually(PATIENCE, async || match self.site.try_kubectl(&["get", "roomclass", "livekit", "-o", path]) {
            Ok(told) if told == wanted => Ok(()),
            other => Err(format!("{other:?} is not {wanted}")),
        })
        .await;
    }

    /// Two people in such a network hear each other, or one is told why nobody is heard.
    async fn heard(&self, network: &Network, browser: Browser) {
        let rules: Vec<&str> = network.lets_out.iter().map(String::as_str).collect();
        self.outside.let_out(&rules);
        let places = format!("UDP 30082 ({FIRST}), TCP 30081 ({FIRST})");
        let variables = [("NETWORK", network.name), ("WAY", network.way), ("PLACES", &places), ("TRUSTS_ANY_CERTIFICATE", "yes")];
        run_file_outside(browser, "network.test.mjs", (&self.outside, self.site.node), &self.host, &variables).await;
    }

    /// What LiveKit runs with: the address that its pod was given.
    async fn told(&self) -> Option<String> {
        let config_maps = Api::<ConfigMap>::namespaced(self.site.admin.clone(), OPERATOR_NAMESPACE);
        config_maps.get_opt("roomkeeper-livekit").await.expect("an answer")?.data?.remove("nodeIP")
    }
}

/// Waits until all of the installation is ready.
pub fn ready(site: &Site) {
    for component in ["livekit", "controller", "gateway"] {
        let deployment = format!("deployment/roomkeeper-{component}");
        site.kubectl(&["rollout", "status", "-n", OPERATOR_NAMESPACE, "--timeout=120s", &deployment]);
    }
    site.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", "roomclass/livekit"]);
}

/// The load balancer of the media gets an address, as a provider would give it.
pub async fn balance(site: &Site, address: &str) {
    let services = Api::<Service>::namespaced(site.admin.clone(), OPERATOR_NAMESPACE);
    let status = Patch::Merge(json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}));
    services.patch_status("roomkeeper-livekit-media", &PatchParams::default(), &status).await.expect("the status of the Service");
}

/// The certificate of LiveKit's TURN server.
pub async fn certificate(site: &Site, authority: &Authority) {
    let (certificate, key) = authority.issue(TURN);
    let read = |path| std::fs::read_to_string(path).expect("a file");
    set_secret(&site.admin, "turn-tls", &[("tls.crt", &read(certificate)), ("tls.key", &read(key))]).await;
}

/// A TURN server of our own at the node's address.
async fn turn_server(site: &Site) -> Leashed {
    let address = site.node.address().to_string();
    let mut command = site.node.command("turnserver");
    command.args(["-n", "--log-file=stdout", "--no-cli", "--no-tls", "--no-dtls", "--use-auth-secret", "--realm=example.org"]);
    command.args(["--listening-ip", &address, "--relay-ip", &address, "--listening-port", &TURN_PORT.to_string()]);
    command.args(["--static-auth-secret", TURN_SECRET, "--pidfile"]).arg(log_file("turnserver").with_extension("pid")).stdin(Stdio::null());
    let mut process = Leashed::spawn("turnserver", &command);
    let place = (site.node.address(), TURN_PORT);
    let ready = process.ready(PATIENCE, async || tokio::net::TcpStream::connect(place).await.map(drop)).await;
    ready.unwrap_or_else(|failure| panic!("{failure}"));
    process
}

#[test]
fn people_outside_of_the_cluster_hear_each_other_by_every_way_in() {
    run_browsers(async {
        let Some(site) = Site::take().await else { return };
        let authority = Authority::new();
        let outside = Outside::of(site.node, &[(TURN, FIRST)], &authority).await;
        let (_, host) = site.at_a_node_port();
        certificate(&site, &authority).await;
        let ways = Ways { site, outside, host };
        by_a_load_balancer(&ways).await;
        by_a_turn_server_of_our_own(&ways).await;
        by_the_network_of_the_node(&ways).await;
    });
}

async fn by_a_load_balancer(ways: &Ways) {
    ways.install(&["--set=livekit.rtc.service.type=LoadBalancer", WITH_TURN]);
    ways.site.kubectl(&["wait", "--for=create", "--timeout=60s", "roomclass/livekit"]);
    ways.media("False NoMediaAddress").await;
    balance(&ways.site, FIRST).await;
    ready(&ways.site);
    ways.media("Unknown NobodyJoined").await;

    let site = &ways.site;
    ways.heard(&Network::closed("no way for media", site, &[], "none"), Browser::Chromium).await;
    ways.media("False MediaNotConnected").await;
    let networks = [
        Network::open("udp"),
        Network::closed("UDP blocked", site, &["-p tcp"], "tcp"),
        Network::closed("only TCP 443 open", site, &["-p tcp --dport 443"], "any"),
    ];
    for (index, network) in networks.iter().enumerate() {
        ways.heard(network, Browser::Chromium).await;
        if index == 2 || at_full_length() {
            ways.heard(network, Browser::Firefox).await;
        }
    }
    ways.media("True MediaConnected").await;

    // The load balancer is made again, and has another address.
    balance(&ways.site, SECOND).await;
    eventually(PATIENCE, async || match ways.told().await {
        Some(told) if told == SECOND => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    eventually(PATIENCE, async || {
        let pods = ways.site.pods("livekit").await;
        let annotation =
            |pod: &k8s_openapi::api::core::v1::Pod| pod.metadata.annotations.as_ref()?.get("roomkeeper.io/media-address").cloned();
        if pods.iter().any(|pod| annotation(pod).as_deref() == Some(SECOND)) { Ok(()) } else { Err("LiveKit is not started anew") }
    })
    .await;
    ready(&ways.site);
    ways.heard(&Network::open("udp"), Browser::Chromium).await;
}

async fn by_a_turn_server_of_our_own(ways: &Ways) {
    let site = &ways.site;
    let _server = turn_server(site).await;
    set_secret(&site.admin, "turn-server", &[("secret", TURN_SECRET)]).await;
    let server = json!([{"host": site.node.address(), "port": TURN_PORT, "protocol": "tcp", "secretName": "turn-server"}]);
    // People have no way to the pods but by this server.
    ways.install(&["--set=livekit.rtc.service.type=ClusterIP", &format!("--set-json=livekit.turnServers={server}")]);
    ready(&ways.site);
    let only_turn = format!("-p tcp -d {} --dport {TURN_PORT}", site.node.address());
    let network = Network::closed("only our TURN server", site, &[&only_turn], "any");
    ways.heard(&network, Browser::Chromium).await;
    by_several_servers(ways, &server).await;
    // At the node, without it.
    ways.install(&[]);
    ready(&ways.site);
    ways.heard(&Network::open("udp"), Browser::Chromium).await;
}

/// Two servers have the calls between them, and one that is to end waits for those that it has.
async fn by_several_servers(ways: &Ways, turn_server: &Value) {
    const PASSWORD: &str = "a password: of Redis";
    let Ways { site, host, .. } = ways;
    let redis = Redis::start_with(site.node.our_address(), &["--requirepass", PASSWORD]).await;
    set_secret(&site.admin, "redis", &[("address", redis.address.as_str()), ("password", PASSWORD)]).await;
    let servers = "--set=livekit.replicaCount=2,livekit.redis.secretName=redis,livekit.rtc.service.type=ClusterIP";
    ways.install(&[servers, &format!("--set-json=livekit.turnServers={turn_server}")]);
    ready(&ways.site);
    assert_eq!(site.pods("livekit").await.len(), 2);
    site.consultation().await;
    let (doctor, patient) = (site.join(host, "doctor", &["microphone"]).await, site.join(host, "patient", &["microphone"]).await);
    doctor.event("media-received").await;
    patient.event("media-received").await;

    let session = site.room(".status.session.id");
    let mut found = Vec::new();
    for pod in site.pods("livekit").await {
        let name = pod.metadata.name.expect("a name");
        let log = site.kubectl(&["logs", "-n", OPERATOR_NAMESPACE, &name]);
        // Only the server that has the media says so of a person.
        if log.lines().any(|line| line.contains("participant active") && line.contains(&session)) {
            found.push(name);
        }
    }
    let [server] = &found[..] else { panic!("the call is on {found:?}") };
    site.kubectl(&["delete", "pod", "-n", OPERATOR_NAMESPACE, server, "--wait=false"]);
    // Another one takes its place, and has the calls that begin.
    eventually(PATIENCE, async || {
        let pods = site.pods("livekit").await;
        if pods.len() == 2 { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    })
    .await;
    let left = |client: &Caller| client.events().iter().any(|event| event["event"] == "disconnected");
    let is_there = || site.try_kubectl(&["get", "pod", "-n", OPERATOR_NAMESPACE, server]).is_ok();
    assert!(is_there() && !left(&doctor) && !left(&patient), "it waits for its call");
    doctor.close().await;
    patient.close().await;
    eventually(PATIENCE, async || if is_there() { Err("its call is over") } else { Ok(()) }).await;
    site.kubectl(&["delete", "room", "-n", CLINIC, ROOM, "--timeout=60s"]);
}

async fn by_the_network_of_the_node(ways: &Ways) {
    ways.site.kubectl(&["label", "namespace", OPERATOR_NAMESPACE, "--overwrite", "pod-security.kubernetes.io/enforce=privileged"]);
    ways.install(&["--set=livekit.hostNetwork=true,livekit.rtc.udpPort=7882,livekit.rtc.tcpPort=7881"]);
    ready(&ways.site);
    ways.heard(&Network::open("udp"), Browser::Chromium).await;
    ways.heard(&Network::closed("UDP blocked", &ways.site, &["-p tcp"], "tcp"), Browser::Chromium).await;
}
