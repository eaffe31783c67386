//! What is said of a pod is said of every kind of pod that the chart has, those of its hooks included: quotas and meshes ask it of all.

use serde_json::json;

use super::install::{pod, rendered};
use crate::support::cluster::OPERATOR_NAMESPACE;

/// The keys of the values of pods, with the component that the pods have as a label.
const PODS: [(&str, &str); 5] =
    [("controller", "controller"), ("gateway", "gateway"), ("livekit", "livekit"), ("selftest", "selftest"), ("uninstallHook", "release")];

#[test]
fn resources_labels_and_annotations_of_the_values_are_those_of_every_kind_of_pod() {
    let own = |key: &str| {
        json!({
            "resources": {"limits": {"cpu": "123m"}},
            "podLabels": {"example.org/of": key},
            "podAnnotations": {"example.org/note": key},
        })
    };
    let sets: Vec<String> = PODS.iter().map(|(key, _)| format!("{key}={}", own(key))).collect();
    let arguments: Vec<&str> = sets.iter().flat_map(|set| ["--set-json", set]).collect();
    let objects = rendered(OPERATOR_NAMESPACE, &arguments);
    let mut pods = 0;
    for object in &objects {
        let Some(pod) = pod(object) else { continue };
        pods += 1;
        let labels = &pod["metadata"]["labels"];
        let component = labels["app.kubernetes.io/component"].as_str().expect("a component");
        let (key, _) = PODS.iter().find(|(_, own)| *own == component).unwrap_or_else(|| panic!("nothing is said of {component}"));
        assert_eq!(labels["example.org/of"], **key, "{component}");
        // A Pod that is no part of anything has the annotations itself.
        let annotations = if object["kind"] == "Pod" { &object["metadata"] } else { &pod["metadata"] };
        assert_eq!(annotations["annotations"]["example.org/note"], **key, "{component}");
        for container in pod["spec"]["containers"].as_array().expect("containers") {
            assert_eq!(container["resources"]["limits"]["cpu"], "123m", "{component}");
        }
    }
    assert_eq!(pods, PODS.len());
}
