//! Helm, and the chart that it installs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock, Mutex};

use kube::api::PostParams;
use kube::{Api, ResourceExt};
use roomkeeper::api::{FINALIZER, Room, RoomSpec};
use serde_json::Value;

use super::cluster::{Cluster, OPERATOR_NAMESPACE};
use super::eventually;
use super::stage::PATIENCE;
use super::tools::tool;

/// The templates that hold the accounts and all that they may do.
const ACCOUNTS: [&str; 6] =
    ["controller/serviceaccount", "controller/rbac", "controller/admissionpolicy", "gateway/serviceaccount", "gateway/rbac", "tenants"];

/// The directory of the chart.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/roomkeeper")
}

/// Runs helm, with the rights of a kubeconfig if it needs any.
pub fn helm(kubeconfig: Option<&Path>, arguments: &[&str]) -> Output {
    // Nothing of who runs the tests: no plugins, repositories or caches.
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let mut command = Command::new(tool("helm"));
    command.args(arguments).env_remove("HELM_NAMESPACE").env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/dev/null")));
    for home in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(home, own.join(home));
    }
    command.output().expect("helm")
}

/// What helm said, or a failure with its errors.
pub fn said(output: &Output) -> String {
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "helm fails: {errors}{said}");
    said.into_owned()
}

/// Renders the chart for the operator's namespace, with more arguments.
pub fn template(arguments: &[&str]) -> Output {
    template_in(OPERATOR_NAMESPACE, arguments)
}

fn template_in(namespace: &str, arguments: &[&str]) -> Output {
    let chart = chart().display().to_string();
    helm(None, &[&["template", "roomkeeper", chart.as_str(), "--namespace", namespace], arguments].concat())
}

/// The manifests of the chart for a namespace, with more arguments. Many tests want the same, so they are rendered once.
pub fn manifests(namespace: &str, arguments: &[&str]) -> Arc<str> {
    type Rendered = HashMap<(String, Vec<String>), Arc<str>>;
    static RENDERED: LazyLock<Mutex<Rendered>> = LazyLock::new(Mutex::default);
    let rendered = || RENDERED.lock().expect("no panic beside");
    let key = (namespace.to_owned(), arguments.iter().map(|&argument| argument.to_owned()).collect());
    if let Some(known) = rendered().get(&key) {
        return known.clone();
    }
    let fresh: Arc<str> = said(&template_in(namespace, arguments)).into();
    rendered().entry(key).or_insert(fresh).clone()
}

/// The ServiceAccounts of the chart and their permissions, as manifests, with more arguments.
pub fn accounts(arguments: &[&str]) -> Arc<str> {
    let shown = ACCOUNTS.map(|template| format!("--show-only=templates/{template}.yaml"));
    manifests(OPERATOR_NAMESPACE, &[&shown.each_ref().map(String::as_str), arguments].concat())
}

/// The objects of rendered manifests.
pub fn objects(manifests: &str) -> Vec<Value> {
    let documents = manifests.split("\n---\n").map(|document| document.trim_start_matches("---\n"));
    documents.map(|document| serde_yaml::from_str(document).expect("YAML")).filter(Value::is_object).collect()
}

/// Has the cluster set the finalizer of new Rooms, as the chart does where there are such policies, and waits until it does.
pub async fn set_finalizers(cluster: &Cluster, rooms: &Api<Room>) {
    let kind = "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";
    let wanted = ["--set", "finalizerPolicy.enabled=true", "--show-only=templates/controller/finalizerpolicy.yaml", kind];
    let applied = cluster.kubectl(&["apply", "-f", "-"], &said(&template(&wanted)));
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    eventually(PATIENCE, async || {
        let made = rooms.create(&dry, &Room::new("dry", RoomSpec::default())).await.map_err(|error| error.to_string())?;
        if made.finalizers() == [FINALIZER] { Ok(()) } else { Err(format!("{:?}", made.finalizers())) }
    })
    .await;
}
