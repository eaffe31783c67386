//! The included LiveKit: its settings are those that a real livekit-server takes, and it is left alone as long as they are the same.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::install::rendered;
use crate::support::process::{Leashed, free_port, log_file};
use crate::support::run;
use crate::support::stage::PATIENCE;
use crate::support::tools::tool;

fn pod(arguments: &[&str]) -> Value {
    let objects = rendered("roomkeeper-system", arguments);
    let deployment = objects.iter().find(|object| object["metadata"]["name"] == "roomkeeper-livekit" && object["kind"] == "Deployment");
    deployment.expect("LiveKit")["spec"]["template"].clone()
}

#[test]
fn a_real_livekit_runs_with_the_settings_of_the_chart() {
    run(async {
        let (udp, tcp, http) = (free_port(), free_port(), free_port());
        let ports = format!("livekit.rtc.udpPort={udp},livekit.rtc.tcpPort={tcp},livekit.config.port={http}");
        let container = pod(&["--set", &ports])["spec"]["containers"][0].clone();
        let env = container["env"].as_array().expect("an environment");
        for (variable, (name, field)) in env.iter().zip([("NODE_IP", "hostIPs"), ("HOST_IP", "hostIP"), ("POD_IP", "podIP")]) {
            assert_eq!(*variable, json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": format!("status.{field}")}}}));
        }
        let limit = json!({"containerName": "livekit", "resource": "limits.memory"});
        assert_eq!(env[3], json!({"name": "GOMEMLIMIT", "valueFrom": {"resourceFieldRef": limit}}));
        assert_eq!(env[4]["name"], "LIVEKIT_CONFIG");
        let config = env[4]["value"].as_str().expect("a configuration");
        // At the port of the media browsers would take what comes from there for an answer of the STUN server.
        assert!(config.contains("stun.invalid:3478"), "a name that leads nowhere takes the place of public servers: {config}");
        let keys = log_file("keys").with_extension("yaml");
        fs::write(&keys, "\"key\": \"a secret of thirty-two characters\"\n").expect("a file");
        // What the volume's defaultMode and fsGroup give.
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o440)).expect("permissions");
        assert_eq!(container["args"], json!(["--key-file=/etc/livekit/keys.yaml"]));
        let mut command = Command::new(tool("livekit-server"));
        command.arg(format!("--key-file={}", keys.display())).env("LIVEKIT_CONFIG", config);
        // On a node with both families.
        command.env("NODE_IP", "127.0.0.1,::1");
        // As the kubelet writes 2Gi.
        command.env("GOMEMLIMIT", "2147483648");
        let mut server = Leashed::spawn("livekit-server", &command);
        for port in [http, tcp] {
            let listens = async || TcpStream::connect(("127.0.0.1", port)).await.map(drop);
            server.ready(PATIENCE, listens).await.unwrap_or_else(|failure| panic!("{failure}"));
        }
        let log = fs::read_to_string(server.log()).expect("its log");
        assert!(log.contains("127.0.0.1"), "it does not tell the address of the node: {log}");
        assert!(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, udp)).is_err(), "nobody has the port of the media");
    });
}

#[test]
fn an_upgrade_replaces_livekit_only_when_its_own_settings_change() {
    let before = pod(&[]);
    let of_others = "image.tag=v9.9.9,gateway.replicaCount=3,logs.level=debug,roomClass.spec.limits.maxParticipants=5,crds.keep=false";
    assert_eq!(pod(&["--set", of_others]), before);
    assert!(!before.to_string().contains("0.1.0"), "the version of the chart is in it");
    for own in
        ["livekit.image.tag=v1.13.6", "livekit.rtc.udpPort=30999", "livekit.config.turn.enabled=true", "livekit.rtc.nodeIP=192.0.2.1"]
    {
        assert_ne!(pod(&["--set", own]), before, "{own}");
    }
}
