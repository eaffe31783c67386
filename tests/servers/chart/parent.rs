//! The chart as a part of another, whose values it then gets.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::install::of_kind;
use crate::support::helm::{chart, helm, objects, said};
use crate::support::process::log_file;

/// A chart that this one is a part of, with what its own values say.
fn parent(values: &Value) -> PathBuf {
    let directory = log_file("parent").with_extension("d");
    fs::create_dir_all(&directory).expect("a directory");
    let repository = format!("file://{}", chart().display());
    let part = json!({"name": "roomkeeper", "version": ">=0.0.0-0", "repository": repository, "condition": "roomkeeper.enabled", "tags": ["calls"]});
    let own = json!({"apiVersion": "v2", "name": "parent", "version": "0.1.0", "dependencies": [part]});
    fs::write(directory.join("Chart.yaml"), own.to_string()).expect("a chart");
    fs::write(directory.join("values.yaml"), values.to_string()).expect("values");
    said(&helm(None, &["dependency", "build", &directory.display().to_string()]));
    directory
}

#[test]
fn a_chart_that_it_is_a_part_of_switches_it_on_and_off_and_takes_values_away() {
    let parent = parent(&json!({
        "global": {"imageRegistry": "registry.example.org"},
        "roomkeeper": {
            "enabled": true,
            "gateway": {"url": "https://meet.example.org", "replicaCount": ""},
            "podSecurityContext": {"runAsUser": "", "runAsGroup": "", "fsGroup": ""},
        },
    }));
    let parent = parent.display().to_string();
    let rendered = |more: &[&str]| objects(&said(&helm(None, &[&["template", "all", &parent, "--namespace", "calls"], more].concat())));
    let on = rendered(&[]);
    let gateway = of_kind(&on, "Deployment").into_iter().find(|object| object["metadata"]["name"] == "all-roomkeeper-gateway");
    let spec = &gateway.expect("the gateway")["spec"];
    assert!(spec["replicas"].is_null(), "{}", spec["replicas"]);
    assert_eq!(spec["template"]["spec"]["securityContext"], json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}));
    assert_eq!(of_kind(&on, "CustomResourceDefinition").len(), 4);
    assert_eq!(rendered(&["--set", "tags.calls=false"]), on, "the condition goes before the tags");
    assert_eq!(rendered(&["--set", "roomkeeper.enabled=false"]), Vec::<Value>::new());
}
