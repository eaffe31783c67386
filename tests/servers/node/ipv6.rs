//! A cluster in which nodes, pods and Services have IPv6 alone.

use std::fs;
use std::process::Command;

use super::media::{TURN, WITH_TURN, balance, certificate, ready};
use super::site::{CLINIC, PATIENCE, ROOM, Site};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm::chart;
use crate::support::node::Family;
use crate::support::outside::Outside;
use crate::support::process::Leashed;
use crate::support::run;
use crate::support::tls::Authority;

/// The address of the load balancer (RFC 3849: no network has it).
const BALANCED: &str = "2001:db8::10";

#[test]
fn in_a_cluster_of_ipv6_alone_people_hear_each_other_at_the_node_and_behind_a_load_balancer_and_by_turn() {
    run(async {
        let Some(site) = Site::take_of(Family::IPv6).await else { return };
        let (gateway, host) = site.at_a_node_port();
        let gateway = gateway.each_ref().map(String::as_str);
        site.install(&gateway);
        site.consultation().await;
        let (doctor, patient) = (site.join(&host, "doctor", &["microphone"]).await, site.join(&host, "patient", &["microphone"]).await);
        doctor.event("media-received").await;
        patient.event("media-received").await;
        doctor.close().await;
        patient.close().await;
        site.kubectl(&["delete", "room", "-n", CLINIC, ROOM, "--timeout=60s"]);
        let tested = site.helm(&["test", "roomkeeper", "--logs"]);
        let place = format!("media get through by UDP, to [{}]:30082", site.node.address());
        assert!(tested.contains(&place) && tested.contains("Succeeded"), "{tested}");

        let authority = Authority::new();
        certificate(&site, &authority).await;
        let balanced = "--set=livekit.rtc.service.type=LoadBalancer";
        site.helm(&[&["upgrade", "roomkeeper", &chart().display().to_string(), balanced, WITH_TURN], &gateway[..]].concat());
        balance(&site, BALANCED).await;
        ready(&site);

        let outside = Outside::of(site.node, &[(TURN, BALANCED)], &authority).await;
        let mut command = Command::new("nsenter");
        command.args(outside.enter()).arg(env!("CARGO_BIN_EXE_roomkeeper"));
        command.args(["selftest", "--namespace", OPERATOR_NAMESPACE, "--name=from-outside", "--require-media", "--gateway"]);
        command.arg(format!("http://{host}")).env("KUBECONFIG", site.node.admin_kubeconfig());
        command.env("SSL_CERT_FILE", authority.certificate());
        let mut test = Leashed::spawn("selftest", &command);
        let ended = test.ended(PATIENCE).await;
        let log = fs::read_to_string(test.log()).expect("the log");
        let ways = [
            format!("by UDP, to [{BALANCED}]:30082"),
            format!("by TCP, to [{BALANCED}]:30081"),
            format!("the relay turns:{TURN}:443?transport=tcp gives a place"),
        ];
        assert!(ended.success() && ways.iter().all(|way| log.contains(way)), "{log}");
    });
}
