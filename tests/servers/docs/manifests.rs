//! The manifests in the pages.

use serde_json::Value;

use super::pages::pages;
use crate::support::cluster::Cluster;
use crate::support::run;

/// Groups whose kinds are not installed where the tests run.
const ELSEWHERE: [&str; 4] = ["argoproj.io", "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"];

#[test]
fn every_manifest_is_accepted_by_the_api_server() {
    run(async {
        let cluster = Cluster::shared().await;
        let (mut accepted, mut elsewhere, mut faults) = (0, Vec::new(), Vec::new());
        for page in pages() {
            for block in page.blocks.iter().filter(|block| block.language == "yaml") {
                let at = format!("{}:{}", page.path, block.line);
                for document in block.text.split("\n---\n") {
                    let object: Value = serde_yaml::from_str(document).unwrap_or_else(|error| panic!("{at} is no YAML: {error}"));
                    let Some(kind) = object["kind"].as_str().filter(|_| object["apiVersion"].is_string()) else { continue };
                    let group = object["apiVersion"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
                    // A file for kustomize is no object.
                    if group == "kustomize.config.k8s.io" {
                        continue;
                    }
                    if ELSEWHERE.contains(&group) {
                        elsewhere.push(format!("{at}: {kind}"));
                        continue;
                    }
                    // A namespace that is made by another command of the page is not there in a dry run.
                    let mut object = object;
                    if let Some(metadata) = object["metadata"].as_object_mut() {
                        metadata.remove("namespace");
                    }
                    let tried = cluster.kubectl(&["create", "--dry-run=server", "--validate=strict", "-f", "-"], &object.to_string());
                    if tried.status.success() {
                        accepted += 1;
                    } else {
                        faults.push(format!("{at}: {}", String::from_utf8_lossy(&tried.stderr)));
                    }
                }
            }
        }
        println!("accepted: {accepted}; of kinds that are not installed here: {elsewhere:?}");
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        assert!(accepted > 10, "only {accepted} manifests");
    });
}
