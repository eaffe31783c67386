//! The chart with many kinds of values on a real API server, in a namespace that lets only `restricted` pods in.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use roomkeeper::args::Cli;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::helm::{chart, helm, manifests, objects, said};
use crate::support::process::log_file;
use crate::support::run;

/// Kinds whose CustomResourceDefinitions belong to others: what is rendered of them is looked at in `others.rs`.
const FOREIGN: [&str; 4] = ["Certificate", "HTTPRoute", "PrometheusRule", "ServiceMonitor"];

/// The files of `tests/servers/chart/values`, and the values for platforms among the examples.
pub fn variants() -> Vec<PathBuf> {
    let of = |directory: &str| {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
        let files = fs::read_dir(directory).expect("the values").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<PathBuf> = files.collect();
        files.sort();
        assert!(files.len() >= 5, "only {files:?}");
        files
    };
    [of("tests/servers/chart/values"), of("examples/platforms")].concat()
}

/// What the chart renders, as objects.
pub fn rendered(namespace: &str, arguments: &[&str]) -> Vec<Value> {
    objects(&manifests(namespace, arguments))
}

/// The objects of a kind.
pub fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The pod that a rendered object leads to.
pub fn pod(object: &Value) -> Option<Value> {
    match object["kind"].as_str()? {
        "Pod" => Some(json!({"metadata": {"labels": object["metadata"]["labels"]}, "spec": object["spec"]})),
        "Deployment" | "Job" => Some(object["spec"]["template"].clone()),
        _ => None,
    }
}

#[test]
fn the_chart_passes_the_lint_with_all_kinds_of_values() {
    let chart = chart().display().to_string();
    for file in variants() {
        let output = said(&helm(None, &["lint", "--strict", &chart, "--values", &file.display().to_string()]));
        assert!(output.contains("1 chart(s) linted, 0 chart(s) failed"), "{output}");
        assert!(!output.contains("[WARNING]") && !output.contains("[INFO]"), "{output}");
    }
}

#[test]
fn every_container_has_arguments_that_the_program_takes() {
    for file in variants() {
        let objects = rendered("calls", &["--values", &file.display().to_string()]);
        let pods: Vec<Value> = objects.iter().filter_map(pod).collect();
        let containers = pods.iter().map(|pod| &pod["spec"]["containers"][0]).filter(|container| container["name"] != "livekit");
        let mut seen = 0;
        for container in containers {
            let arguments = container["args"].as_array().expect("arguments").iter().map(|argument| argument.as_str().expect("text"));
            let parsed = Cli::try_parse_from(["roomkeeper"].into_iter().chain(arguments));
            assert!(parsed.is_ok(), "{}: {}: {}", file.display(), container["name"], parsed.expect_err("an error"));
            seen += 1;
        }
        assert!(seen >= 2, "{}: only {seen} containers", file.display());
    }
}

#[test]
fn all_that_is_rendered_is_accepted_and_every_pod_is_restricted() {
    run(async {
        let cluster = Cluster::empty(&log_file("cluster").with_extension("d")).await;
        let apply = |objects: &[Value]| {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
            let applied = cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &list.to_string());
            (applied.status.success(), String::from_utf8_lossy(&applied.stderr).into_owned())
        };
        let namespace = |name: &str| {
            let labels = json!({"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"});
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        };
        for name in ["team-a", "team-b"] {
            assert_eq!(apply(&[namespace(name)]), (true, String::new()));
        }
        for (number, file) in variants().into_iter().enumerate() {
            let name = format!("variant-{number}");
            assert_eq!(apply(&[namespace(&name)]), (true, String::new()));
            // Each variant stays, and no two can have the same ports on the nodes. Kubernetes gives none of the first 86 to Services that name none.
            let ports = format!("livekit.rtc.udpPort={},livekit.rtc.tcpPort={}", 30_000 + number, 30_040 + number);
            let objects = rendered(&name, &["--values", &file.display().to_string(), "--set", &ports]);
            let (crds, others): (Vec<Value>, Vec<Value>) = objects
                .into_iter()
                .filter(|object| !FOREIGN.iter().any(|kind| object["kind"] == *kind))
                .partition(|object| object["kind"] == "CustomResourceDefinition");
            if !crds.is_empty() {
                assert_eq!(apply(&crds), (true, String::new()), "{}", file.display());
            }
            assert!(others.len() >= 5, "{}: only {} objects", file.display(), others.len());
            assert_eq!(apply(&others), (true, String::new()), "{}", file.display());
            // Made by Kubernetes a moment after the namespace; no pod is accepted before.
            let waited = cluster.kubectl(&["wait", "--for=create", "--timeout=30s", "-n", &name, "serviceaccount/default"], "");
            assert!(waited.status.success(), "{}", String::from_utf8_lossy(&waited.stderr));
            // Deployments are accepted whatever their pods are, with a warning at most.
            let mut pods = 0;
            for (at, mut pod) in others.iter().filter_map(pod).enumerate() {
                pod["apiVersion"] = "v1".into();
                pod["kind"] = "Pod".into();
                pod["metadata"]["name"] = format!("pod-{at}").into();
                pod["metadata"]["namespace"] = name.clone().into();
                assert_eq!(apply(&[pod.clone()]), (true, String::new()), "{}: {pod}", file.display());
                // That the check is there at all: the same pod with a little more is refused.
                pod["metadata"]["name"] = "too-much".into();
                pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
                let (accepted, errors) = apply(&[pod]);
                assert!(!accepted && errors.contains("violates PodSecurity"), "{errors}");
                pods += 1;
            }
            // Without RBAC there are no hooks.
            assert!(pods >= 2, "{}: only {pods} pods", file.display());
        }
    });
}
