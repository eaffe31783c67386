//! The examples of Argo CD and Flux: they name what there is, and their expressions hold when they should.

use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use super::states::STATES;
use super::verdicts::{folder, read};
use super::{in_repository, printed};
use crate::support::tools::tool;

/// The documents of a file.
fn documents(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(in_repository(file)).expect("the example");
    text.split("\n---\n").map(|document| serde_yaml::from_str(document).expect("YAML")).collect()
}

/// Whether a CEL expression holds of an object, as Flux evaluates it.
fn holds(expression: &str, object: &Value) -> bool {
    use std::io::Write;
    let mut command = Command::new(tool("kstatus"));
    let command = command.arg(expression).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool");
    child.stdin.take().expect("its input").write_all(object.to_string().as_bytes()).expect("it reads");
    let said = printed(&child.wait_with_output().expect("it ends"));
    said.trim().parse().unwrap_or_else(|_| panic!("{expression}: {said}"))
}

#[test]
fn health_checks_name_kinds_and_versions_that_there_are() {
    for file in ["gitops/flux/rooms.yaml", "gitops/flux/rooms-open.yaml"] {
        let kustomization = documents(file).into_iter().find(|object| object["kind"] == "Kustomization").expect("a Kustomization");
        let spec = &kustomization["spec"];
        let checks: Vec<Value> =
            ["healthChecks", "healthCheckExprs"].iter().flat_map(|field| spec[field].as_array().cloned().unwrap_or_default()).collect();
        assert!(!checks.is_empty(), "{file}");
        for check in checks {
            assert_eq!(check["apiVersion"], "roomkeeper.io/v1alpha1", "{file}");
            assert!(STATES.iter().any(|state| check["kind"] == state.kind), "{file}: {check}");
        }
    }
    let application = &documents("gitops/argo-cd/application.yaml")[0];
    assert_eq!((&application["apiVersion"], &application["kind"]), (&"argoproj.io/v1alpha1".into(), &"Application".into()));
}

#[test]
fn expressions_hold_of_objects_in_the_states_that_they_are_for() {
    #[derive(Deserialize)]
    struct Expressions {
        kind: String,
        current: String,
        failed: Option<String>,
    }
    let kustomization = documents("gitops/flux/rooms-open.yaml").remove(0);
    let all: Vec<Expressions> = serde_json::from_value(kustomization["spec"]["healthCheckExprs"].clone()).expect("expressions");
    for Expressions { kind, current, failed } in &all {
        for state in STATES.iter().filter(|state| state.kind == kind) {
            let object: Value = read(&folder(kind).join("testdata").join(format!("{}.yaml", state.name)));
            let good = matches!(state.name, "open" | "invited" | "over");
            assert_eq!(holds(current, &object), good, "{kind} {}: {current}", state.name);
            if let Some(failed) = failed {
                assert_eq!(holds(failed, &object), state.kstatus == "Failed", "{kind} {}: {failed}", state.name);
            }
        }
    }
    assert_eq!(all.len(), 2);
}

#[test]
fn what_the_guide_puts_into_argocd_cm_is_our_scripts() {
    let guide = std::fs::read_to_string(in_repository("docs/guides/gitops.md")).expect("the guide");
    let block = guide.split("# argocd-cm.yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the entries");
    let config: Value = serde_yaml::from_str(block).expect("YAML");
    for kind in ["Room", "RoomClass", "RoomGuest"] {
        let script = std::fs::read_to_string(folder(kind).join("health.lua")).expect("the script");
        assert_eq!(config["data"][format!("resource.customizations.health.roomkeeper.io_{kind}")], script.as_str(), "{kind}");
    }
}
