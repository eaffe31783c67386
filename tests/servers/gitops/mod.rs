//! How GitOps tools and kubectl get along with Roomkeeper: the health that they show, no drift, nothing that comes back, and a
//! prune that ends calls. Argo CD and Flux themselves do not run here; their field managers, their tracking, their libraries do.

mod drift;
mod health;
mod kubectl;
mod kustomize;
mod manifests;
mod pruning;
mod states;
mod verdicts;

use std::path::{Path, PathBuf};
use std::process::Output;

/// A path in the repository.
fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a program printed, which must have succeeded.
fn printed(ran: &Output) -> String {
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout.clone()).expect("text")
}
