//! The security context of pods, where another than the chart's own is wanted.

use serde_json::{Value, json};

use super::install::{pod, rendered};
use crate::support::cluster::OPERATOR_NAMESPACE;

/// What the pods of three Deployments, of the Job and of the test say for all of their containers, with these values.
fn contexts(values: &str) -> Vec<Value> {
    let objects = rendered(OPERATOR_NAMESPACE, &["--set", values]);
    let pods: Vec<Value> = objects.iter().filter_map(pod).collect();
    assert_eq!(pods.len(), 5);
    for container in pods.iter().flat_map(|pod| pod["spec"]["containers"].as_array().expect("containers")) {
        let own = container["securityContext"].as_object().expect("a context");
        assert!(own.keys().all(|key| !key.starts_with("runAs")), "{container}");
    }
    pods.into_iter().map(|mut pod| pod["spec"]["securityContext"].take()).collect()
}

#[test]
fn the_values_for_openshift_leave_the_ids_of_all_pods_to_it_and_nothing_else() {
    for empty in ["", "null"] {
        let ids = ["runAsUser", "runAsGroup", "fsGroup"].map(|id| format!("podSecurityContext.{id}={empty}"));
        for context in contexts(&ids.join(",")) {
            assert_eq!(context, json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}), "{empty}");
        }
    }
}

#[test]
fn a_security_context_that_is_null_is_left_out_of_all_pods_and_one_that_is_said_is_in_all() {
    assert!(contexts("podSecurityContext=null").iter().all(Value::is_null));
    for context in contexts("podSecurityContext.runAsUser=1000700000,podSecurityContext.fsGroup=1000700000") {
        assert_eq!((&context["runAsUser"], &context["fsGroup"]), (&json!(1_000_700_000), &json!(1_000_700_000)));
    }
}
