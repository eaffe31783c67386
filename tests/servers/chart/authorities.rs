//! Certificates of a company's own authority: those of media servers and of the collector of traces.

use serde_json::{Value, json};

use super::install::rendered;
use crate::operations::traces::receiver;
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::operator::Role;
use crate::support::process::free_port;
use crate::support::stage::{PATIENCE, Stage, ask};
use crate::support::tls::Authority;
use crate::support::{eventually, run};

const DIRECTORIES: &str = "SSL_CERT_DIR";

/// The directories in which the container of a role looks for authorities, as its variable says.
fn directories(objects: &[Value], role: &str) -> String {
    let is_its = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == format!("roomkeeper-{role}").as_str();
    let spec = &objects.iter().find(is_its).expect("the Deployment")["spec"]["template"]["spec"];
    let one = |list: &Value, wanted: &dyn Fn(&&Value) -> bool| list.as_array().expect("a list").iter().find(wanted).expect("one").clone();
    let volume = one(&spec["volumes"], &|volume| volume["configMap"]["name"] == "corporate-ca");
    assert_eq!(volume["configMap"]["items"][0]["key"], "bundle.pem");
    let container = &spec["containers"][0];
    let mount = one(&container["volumeMounts"], &|mount| mount["name"] == volume["name"]);
    let variable = one(&container["env"], &|variable| variable["name"] == DIRECTORIES);
    // The first is the image's, as its Dockerfile has it.
    assert_eq!(variable["value"], format!("/etc/ssl/certs:{}", mount["mountPath"].as_str().expect("a path")));
    variable["value"].as_str().expect("text").to_owned()
}

#[test]
fn servers_with_certificates_of_a_company_are_trusted_by_the_config_map_of_the_values_and_else_the_class_says_why_not() {
    run(async {
        let authority = Authority::new();
        let mut stage = Stage::start().await;
        let url = authority.before(&stage.livekit.url());
        stage.class("company", &stage.livekit, json!({"backend": {"liveKit": {"url": url}}})).await;
        stage.class_reason("company", "Unreachable").await;
        let ready = ["get", "roomclass", "company", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].message}"];
        let message = String::from_utf8(stage.cluster.kubectl(&ready, "").stdout).expect("text");
        assert!(message.contains("the certificate of the media server is not trusted"), "{message}");

        let values = ["--set", "caBundle.configMap=corporate-ca,caBundle.key=bundle.pem"];
        let objects = rendered(OPERATOR_NAMESPACE, &values);
        let here = ["controller", "gateway"].map(|role| directories(&objects, role).replace("/etc/roomkeeper-ca", &authority.trusted()));
        let (collector, spans) = receiver().await;
        let (otlp, port) = (format!("--otlp-endpoint={}", authority.before(&collector)), free_port());
        let accounts =
            [stage.cluster.account_kubeconfig("roomkeeper-controller").await, stage.cluster.account_kubeconfig("roomkeeper-gateway").await];
        stage.controller.process.signal("KILL");
        let flags = ["--gateway-url=http://127.0.0.1", "--leader-elect=false", &otlp];
        let controller = Role::controller_in(&[(DIRECTORIES, &here[0])], &accounts[0], &flags);
        let gateway = Role::gateway_in(&[(DIRECTORIES, &here[1])], &accounts[1], port);
        let place = stage.place().await;
        place.apply("call", json!({"roomClassName": "company", "participants": [{"name": "ada"}]})).await;
        place.until_phase("call", roomkeeper::api::Phase::Open).await;
        let invite = place.invite("call", "ada").await;
        let token = eventually(PATIENCE, async || match ask(port, "POST", "/v1/join", &invite, None).await {
            Ok(answer) if answer.status == 200 => Ok(answer.credentials().token),
            other => Err(format!("{other:?}")),
        });
        let passed = ask(port, "GET", "/rtc/validate", &token.await, None).await.expect("an answer");
        assert_eq!(passed.status, 200, "the signalling goes to LiveKit: {passed:?}");
        let seen = async || if spans.lock().expect("unharmed").is_empty() { Err("no span") } else { Ok(()) };
        eventually(PATIENCE, seen).await;
        drop((controller, gateway));
    });
}
