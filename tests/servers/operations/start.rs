//! What is wrong at the start is said in one line, and the process ends.

use std::fs;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::helm;
use crate::support::operator::Role;
use crate::support::process::{Leashed, free_port, log_file};
use crate::support::stage::{Lent, PATIENCE, Stage};
use crate::support::{eventually, run};

/// Both roles, with the flags that they need.
const ROLES: [(&str, &[&str]); 2] = [("controller", &["--gateway-url=http://127.0.0.1"]), ("gateway", &["--listen=127.0.0.1:0"])];

/// Until a role that is told to end has ended, whatever it waits for.
const SOON: Duration = Duration::from_secs(5);

/// Waits until a process has failed, and gives the lines of its log that are errors.
async fn last_words(mut process: Leashed, patience: Duration) -> Vec<String> {
    let status = process.ended(patience).await;
    assert!(!status.success(), "{status}");
    let log = fs::read_to_string(process.log()).expect("its log");
    errors(&log)
}

fn errors(log: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
}

fn said(errors: &[String], words: &[&str]) {
    assert_eq!(errors.len(), 1, "one clear line: {errors:?}");
    for word in words {
        assert!(errors[0].contains(word), "{word:?} is not in {}", errors[0]);
    }
}

#[test]
fn without_an_api_server_a_role_says_so_every_half_minute_waits_and_works_when_it_is_there() {
    run(async {
        let mut cluster = Lent::new().await;
        let accounts = [cluster.account_kubeconfig("roomkeeper-controller").await, cluster.account_kubeconfig("roomkeeper-gateway").await];
        stop(&mut cluster).await;
        let environment = &[("RUST_LOG", "info")];
        let flags = ["--gateway-url=http://127.0.0.1", "--leader-elect=false"];
        let controller = Role::controller_in(environment, &accounts[0], &flags);
        let mut roles = [controller, Role::gateway_in(environment, &accounts[1], free_port())];
        for role in &mut roles {
            eventually(Duration::from_mins(1), async || match errors(&role.log()) {
                errors if errors.is_empty() => Err("nothing said".to_owned()),
                errors => {
                    said(&errors, &["the API server of the cluster has not answered for 30s"]);
                    Ok(())
                }
            })
            .await;
            assert!(role.process.exited().is_none() && role.probes().await == (false, true), "{}", role.log());
        }
        cluster.signal_api_server("CONT");
        for role in &roles {
            eventually(PATIENCE, async || match role.probes().await {
                (true, true) => Ok(()),
                probes => Err(format!("{probes:?}")),
            })
            .await;
        }
    });
}

/// Stops the API server: it takes every connection and answers none.
async fn stop(cluster: &mut Lent) {
    cluster.signal_api_server("STOP");
    eventually(PATIENCE, async || {
        let asked = cluster.kubectl(&["get", "--raw", "/readyz", "--request-timeout=1s"], "");
        if asked.status.success() { Err("it answers") } else { Ok(()) }
    })
    .await;
}

#[test]
fn an_address_that_is_taken_is_named() {
    run(async {
        let stage = Stage::shared().await;
        let account = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let holder = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let taken = holder.local_addr().expect("its address");
        let doomed = Role::doomed_at("gateway", &account, &["--listen=127.0.0.1:0"], taken.port());
        said(&last_words(doomed, PATIENCE).await, &["--metrics-addr", &taken.to_string(), "cannot be listened on"]);
        let listen = format!("--listen={taken}");
        let doomed = Role::doomed("gateway", &account, &[&listen]);
        said(&last_words(doomed, PATIENCE).await, &[&taken.to_string(), "cannot be listened on"]);
        drop(holder);
    });
}

#[test]
fn without_the_crds_or_a_permission_a_role_names_what_is_missing() {
    run(async {
        let mut cluster = Lent::new().await;
        cluster.retire();
        let accounts = [cluster.account_kubeconfig("roomkeeper-controller").await, cluster.account_kubeconfig("roomkeeper-gateway").await];
        let kubectl = |arguments: &[&str]| {
            let answer = cluster.kubectl(arguments, "");
            assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        };
        // A right that a role lives from.
        let strangers = cluster.account_kubeconfig_in("default", "default").await;
        for (role, flags) in ROLES {
            let errors = last_words(Role::doomed(role, &strangers, flags), PATIENCE).await;
            said(&errors, &["a permission is missing", "rooms.roomkeeper.io is forbidden", "system:serviceaccount:default:default"]);
        }
        // The right to elect, and then all that the controller may do in its own namespace.
        let granted = cluster.kubectl(&["-n", OPERATOR_NAMESPACE, "get", "role", "roomkeeper-controller", "-o", "json"], "");
        let granted: Value = serde_json::from_slice(&granted.stdout).expect("JSON");
        let mut rest = granted["rules"].as_array().expect("rules").clone();
        rest.retain(|rule| !rule["resources"].as_array().is_some_and(|kinds| kinds.contains(&json!("leases"))));
        assert!(json!(rest) != granted["rules"] && !rest.is_empty(), "{granted}");
        let allow = |rules: &Value| {
            let patch = json!({"rules": rules}).to_string();
            kubectl(&["-n", OPERATOR_NAMESPACE, "patch", "role", "roomkeeper-controller", "--type=merge", "-p", &patch]);
        };
        let (role, flags) = ROLES[0];
        for (rules, words) in [
            (json!(rest), ["the Lease roomkeeper-controller in namespace roomkeeper-system cannot be used", "is forbidden"]),
            (json!([]), ["a permission is missing", "secrets is forbidden"]),
        ] {
            allow(&rules);
            let errors = last_words(Role::doomed(role, &accounts[0], flags), PATIENCE).await;
            said(&errors, &words);
        }
        allow(&granted["rules"]);
        // A field of this version that the cluster takes off every object.
        let older =
            json!([{"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/invitesRevision"}]);
        kubectl(&["patch", "crd", "rooms.roomkeeper.io", "--type=json", "-p", &older.to_string()]);
        for ((role, flags), account) in ROLES.into_iter().zip(&accounts) {
            let errors = last_words(Role::doomed(role, account, flags), PATIENCE).await;
            said(&errors, &["the CustomResourceDefinition of Room is older than this program and lacks status.invitesRevision"]);
        }
        for kind in ["roomremovals.roomkeeper.io", "roomguests.roomkeeper.io"] {
            kubectl(&["delete", "crd", kind]);
            for ((role, flags), account) in ROLES.into_iter().zip(&accounts) {
                let errors = last_words(Role::doomed(role, account, flags), PATIENCE).await;
                said(&errors, &[&format!("the cluster knows no {kind}"), "install the CustomResourceDefinitions"]);
            }
        }
    });
}

#[test]
fn a_role_that_waits_for_the_api_server_at_its_start_ends_when_it_is_told_to() {
    run(async {
        let mut cluster = Lent::new().await;
        let accounts = [cluster.account_kubeconfig("roomkeeper-controller").await, cluster.account_kubeconfig("roomkeeper-gateway").await];
        stop(&mut cluster).await;
        for ((role, flags), account) in ROLES.into_iter().zip(&accounts) {
            let port = free_port();
            let mut waiting = Role::doomed_at(role, account, flags, port);
            // Who serves metrics takes signals already.
            eventually(PATIENCE, async || TcpStream::connect(("127.0.0.1", port)).await.map(drop)).await;
            waiting.signal("TERM");
            let status = waiting.ended(SOON).await;
            assert!(status.success(), "the {role}: {status}");
            let log = fs::read_to_string(waiting.log()).expect("its log");
            assert!(!log.contains("has started"), "it was at its start: {log}");
        }
        cluster.signal_api_server("CONT");
    });
}

#[test]
fn a_secret_of_signing_keys_without_a_usable_key_ends_the_controller_and_keeps_the_gateway_unready() {
    run(async {
        let mut stage = Stage::start().await;
        let secrets = Api::<Secret>::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE);
        let mut secret = secrets.get("roomkeeper-invite-keys").await.expect("the keys");
        secret.data.iter_mut().flatten().for_each(|(_, pem)| *pem = ByteString(b"not a key".to_vec()));
        secrets.replace("roomkeeper-invite-keys", &PostParams::default(), &secret).await.expect("spoilt");
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let doomed = Role::doomed("controller", &account, &["--gateway-url=http://127.0.0.1", "--leader-elect=false"]);
        let mut doomed = doomed;
        let status = doomed.ended(PATIENCE).await;
        assert!(!status.success());
        let log = fs::read_to_string(doomed.log()).expect("its log");
        assert!(log.contains("the Secret roomkeeper-invite-keys in namespace roomkeeper-system has no usable invite signing key"), "{log}");
        assert!(!log.contains("not a key"), "what stands in the Secret is nobody's business: {log}");
        // The gateway that knew good keys goes by them; a new one is not ready and says why, until there are some.
        assert_eq!(stage.gateway.probes().await, (true, true));
        let account = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let fresh = Role::gateway_that_waits(&account, free_port());
        eventually(PATIENCE, async || if fresh.log().contains("the gateway has started") { Ok(()) } else { Err(fresh.log()) }).await;
        assert!(fresh.log().contains("there is no invite signing key"), "{}", fresh.log());
        assert_eq!(fresh.probes().await, (false, true));
        secrets.delete("roomkeeper-invite-keys", &DeleteParams::default()).await.expect("deleted");
        stage.restart_controller().await;
        eventually(PATIENCE, async || if fresh.probes().await == (true, true) { Ok(()) } else { Err(fresh.log()) }).await;
    });
}

#[test]
fn a_class_from_a_file_and_keys_for_livekit_are_made_and_left_alone_afterwards() {
    run(async {
        let stage = Stage::start().await;
        let account = stage.cluster.account_kubeconfig("roomkeeper-controller").await;
        let file = log_file("class").with_extension("yaml");
        let class = |url: &str| {
            json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomClass", "metadata": {"name": "from-file"},
                "spec": {"backend": {"liveKit": {"url": url, "credentialsSecretRef": {"name": "made-along"}}}}})
        };
        fs::write(&file, class("http://127.0.0.1:1").to_string()).expect("a file");
        let path = format!("--room-class-file={}", file.display());
        let flags = ["--leader-elect=false", path.as_str(), "--livekit-keys-secret=made-along"];
        // Only the class that the chart was told of may be made.
        let applied = stage.cluster.kubectl(&["apply", "-f", "-"], &helm::accounts(&["--set", "roomClass.name=from-file"]));
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let url = "http://127.0.0.1";
        drop(Role::controller_with(&account, url, &flags).await);
        let secrets = Api::<Secret>::namespaced(stage.admin.clone(), OPERATOR_NAMESPACE);
        let made = secrets.get("made-along").await.expect("the Secret");
        let text = |key: &str| String::from_utf8(made.data.as_ref().expect("data")[key].0.clone()).expect("text");
        assert_eq!(text("keys.yaml"), format!("\"{}\": \"{}\"\n", text("apiKey"), text("apiSecret")));
        assert!(text("apiSecret").len() >= 32, "as LiveKit asks for");
        let get = async || stage.cluster.kubectl(&["get", "roomclass", "from-file", "-o", "json"], "").stdout;
        let first: Value = serde_json::from_slice(&get().await).expect("the class");
        assert_eq!(first["spec"]["backend"]["liveKit"]["url"], "http://127.0.0.1:1");
        // An administrator's own addition stays, and the file's change comes.
        let classes = Api::<roomkeeper::api::RoomClass>::all(stage.admin.clone());
        let limit = Patch::Merge(json!({"spec": {"limits": {"maxParticipants": 7}}}));
        classes.patch("from-file", &PatchParams::default(), &limit).await.expect("changed");
        fs::write(&file, class("http://127.0.0.1:2").to_string()).expect("a file");
        drop(Role::controller_with(&account, url, &flags).await);
        let second: Value = serde_json::from_slice(&get().await).expect("the class");
        assert_eq!(second["spec"]["backend"]["liveKit"]["url"], "http://127.0.0.1:2");
        assert_eq!(second["spec"]["limits"]["maxParticipants"], 7);
        assert_eq!(secrets.get("made-along").await.expect("the Secret").metadata.uid, made.metadata.uid);
        // What cannot be a class is said, with the file's name.
        fs::write(&file, "kind: RoomClass\nspec: 7\n").expect("a file");
        let errors =
            last_words(Role::doomed("controller", &account, &[&["--gateway-url=http://127.0.0.1"], flags.as_slice()].concat()), PATIENCE)
                .await;
        said(&errors, &["the RoomClass in", "class-"]);
        fs::write(&file, class("ftp://wrong").to_string()).expect("a file");
        let errors =
            last_words(Role::doomed("controller", &account, &[&["--gateway-url=http://127.0.0.1"], flags.as_slice()].concat()), PATIENCE)
                .await;
        said(&errors, &["the RoomClass from-file could not be applied", "spec.backend.liveKit.url"]);
    });
}
