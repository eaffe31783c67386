//! `values.yaml` as the chart's users read it: keys, defaults and the comments that describe them.

use std::fs;
use std::path::PathBuf;

use crate::in_repository;

/// A key that has a value of its own.
pub struct Value {
    /// Its path, such as `gateway.service.port`.
    pub key: String,
    /// The default, as YAML.
    pub default: String,
    /// What it is for.
    pub description: String,
}

/// The directory of the chart.
pub fn chart() -> PathBuf {
    in_repository("charts/roomkeeper")
}

/// All values in the order of the file.
pub fn values() -> Vec<Value> {
    let text = fs::read_to_string(chart().join("values.yaml")).expect("values.yaml");
    let mut values = Vec::new();
    let mut parents: Vec<&str> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        let content = line.trim_start();
        let depth = (line.len() - content.len()) / 2;
        if let Some(text) = content.strip_prefix("# ") {
            comment.push(text);
            continue;
        }
        if let Some((name, default)) = content.split_once(':') {
            parents.truncate(depth);
            let key = parents.iter().chain([&name]).copied().collect::<Vec<_>>().join(".");
            if default.is_empty() {
                parents.push(name);
            } else {
                assert!(!comment.is_empty(), "values.yaml does not say what {key} is for");
                values.push(Value { key, default: default.trim().to_owned(), description: comment.join(" ") });
            }
        }
        comment.clear();
    }
    assert!(values.len() > 60, "only {} values found", values.len());
    values
}
