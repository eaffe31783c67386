//! Helm, and the chart that it installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::cluster::OPERATOR_NAMESPACE;
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

/// The manifests of the chart for the operator's namespace, with more arguments.
pub fn template(arguments: &[&str]) -> Output {
    let chart = chart();
    helm(None, &[&["template", "roomkeeper", &chart.display().to_string(), "--namespace", OPERATOR_NAMESPACE], arguments].concat())
}

/// The ServiceAccounts of the chart and their permissions, as manifests, with more arguments.
pub fn accounts(arguments: &[&str]) -> String {
    let shown = ACCOUNTS.map(|template| format!("--show-only=templates/{template}.yaml"));
    said(&template(&[&shown.each_ref().map(String::as_str), arguments].concat()))
}
