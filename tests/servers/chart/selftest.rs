//! `helm test`: the command that its pod runs, under the account that the hook makes.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use kube::Api;
use roomkeeper::api::Room;
use serde_json::json;

use super::install::rendered;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::process::{Leashed, free_port};
use crate::support::stage::{PATIENCE, Stage};
use crate::support::tls::Authority;
use crate::support::{eventually, run};

/// Name of the test's account, and of its Room.
const NAME: &str = "roomkeeper-selftest";

/// Makes the account as the hook does, and gives its kubeconfig together with the arguments of the pod.
async fn account(stage: &Stage) -> (PathBuf, Vec<String>) {
    let objects = rendered(OPERATOR_NAMESPACE, &[]);
    let hooks = objects.into_iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"] == "test");
    let (pods, accounts): (Vec<_>, Vec<_>) = hooks.partition(|object| object["kind"] == "Pod");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": accounts});
    let applied = stage.cluster.kubectl(&["apply", "-f", "-"], &list.to_string());
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let args = pods[0]["spec"]["containers"][0]["args"].as_array().expect("arguments").clone();
    let args = args.iter().map(|arg| arg.as_str().expect("text").to_owned()).collect();
    (stage.cluster.account_kubeconfig_in(OPERATOR_NAMESPACE, NAME).await, args)
}

/// Runs the pod's command, with the gateway at a port of this machine.
fn spawn(kubeconfig: &Path, args: &[String], port: u16) -> Leashed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomkeeper"));
    command.args(args.iter().filter(|arg| !arg.starts_with("--gateway="))).arg(format!("--gateway=http://127.0.0.1:{port}"));
    command.env("KUBECONFIG", kubeconfig);
    Leashed::spawn("selftest", &command)
}

async fn until_ended(test: &mut Leashed) -> bool {
    test.ended(PATIENCE).await.success()
}

#[test]
fn the_test_of_an_installation_goes_step_by_step_and_leaves_nothing() {
    run(async {
        let stage = Stage::start().await;
        let (kubeconfig, args) = account(&stage).await;
        let rooms = Api::<Room>::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE);
        let mut test = spawn(&kubeconfig, &args, stage.gateway.port);
        assert!(until_ended(&mut test).await, "{}", test.log_tail());
        let log = std::fs::read_to_string(test.log()).expect("the log");
        let steps = [
            "made the Room roomkeeper-system/roomkeeper-selftest",
            "the Room is Open and Ready",
            "read the invite",
            "joined through http://127.0.0.1",
            "the media server takes the participant",
            "media get through by UDP, to ",
            "media get through by TCP, to ",
            "deleted the Room",
            "the test has passed",
        ];
        let told: Vec<&str> = log.lines().collect();
        assert_eq!(told.len(), steps.len(), "{log}");
        for (line, step) in told.iter().zip(steps) {
            assert!(line.contains(step), "{line} does not say: {step}");
        }
        assert!(rooms.get_opt(NAME).await.expect("the API server answers").is_none());

        // Stopped while nobody answers at the gateway's address: it fails, and the Room is gone all the same.
        let mut test = spawn(&kubeconfig, &args, free_port());
        eventually(PATIENCE, async || {
            let log = std::fs::read_to_string(test.log()).unwrap_or_default();
            if log.contains("read the invite") { Ok(()) } else { Err(log) }
        })
        .await;
        test.signal("TERM");
        assert!(!until_ended(&mut test).await, "{}", test.log_tail());
        let log = std::fs::read_to_string(test.log()).expect("the log");
        assert!(log.contains("deleted the Room") && log.contains("the test was stopped"), "{log}");
        assert!(rooms.get_opt(NAME).await.expect("the API server answers").is_none());

        // No packet gets to where this media server says that its media are.
        let nowhere = Some(Ipv4Addr::new(192, 0, 2, 1));
        let livekit = LiveKitServer::start(Options { media_address: nowhere, ..Options::default() }).await;
        stage.class("nowhere", &livekit, json!({})).await;
        let args: Vec<String> =
            args.into_iter().filter(|arg| !arg.starts_with("--room-class=")).chain(["--room-class=nowhere".into()]).collect();
        let mut test = spawn(&kubeconfig, &args, stage.gateway.port);
        assert!(!until_ended(&mut test).await, "{}", test.log_tail());
        let log = std::fs::read_to_string(test.log()).expect("the log");
        for told in
            ["by UDP there is no answer from 192.0.2.1:", "by TCP there is no answer from 192.0.2.1:", "media reach this process by no way"]
        {
            assert!(log.contains(told), "{log}");
        }

        let allowed = stage.cluster.audit().into_iter().filter(|event| {
            event["user"]["username"] == "system:serviceaccount:roomkeeper-system:roomkeeper-selftest"
                && event["responseStatus"]["code"] == 403
        });
        assert_eq!(allowed.count(), 0, "the account lacks a permission");
    });
}

#[test]
fn relays_that_are_set_up_wrong_are_told_and_fail_the_test_of_an_installation() {
    run(async {
        let stage = Stage::start().await;
        let (kubeconfig, args) = account(&stage).await;
        let (port, closed, authority) = (free_port(), free_port(), Authority::new());
        let by_tls: u16 = authority.before("http://127.0.0.1:1").rsplit_once(':').expect("a port").1.parse().expect("a port");
        let relay = |port: u16, protocol: &str| json!({"host": "127.0.0.1", "port": port, "protocol": protocol, "username": "nobody", "credential": "wrong"});
        let relays = vec![relay(port, "udp"), relay(by_tls, "tls"), relay(closed, "tcp")];
        let livekit = LiveKitServer::start(Options { relay_port: Some(port), relays, ..Options::default() }).await;
        stage.class("relays", &livekit, json!({})).await;
        let others = args.into_iter().filter(|arg| !arg.starts_with("--room-class="));
        let args: Vec<String> = others.chain(["--room-class=relays".into()]).collect();
        let mut test = spawn(&kubeconfig, &args, stage.gateway.port);
        assert!(!until_ended(&mut test).await, "{}", test.log_tail());
        let log = std::fs::read_to_string(test.log()).expect("the log");
        for told in [
            format!("the relay turn:127.0.0.1:{port}?transport=udp gives a place"),
            format!("the relay turn:127.0.0.1:{port}?transport=udp gives no place: its credentials are wrong"),
            format!("the relay turn:127.0.0.1:{closed}?transport=tcp does not answer"),
            format!("the certificate of the relay turns:127.0.0.1:{by_tls}?transport=tcp is not trusted"),
            "relays that people in closed networks need do not work".to_owned(),
        ] {
            assert!(log.contains(&told), "not told: {told}\n{log}");
        }
    });
}
