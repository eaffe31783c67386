//! Somebody with rights in one namespace, and what they ask the API server for.

use axum::http::Request;
use kube::Client;
use serde_json::Value;

use crate::support::cluster::client;
use crate::support::stage::Stage;

/// Makes a ServiceAccount in a namespace, binds it to a ClusterRole there, and gives a client of theirs.
pub async fn with_role(stage: &Stage, namespace: &str, name: &str, role: &str) -> Client {
    let (role, account) = (format!("--clusterrole={role}"), format!("--serviceaccount={namespace}:{name}"));
    for arguments in
        [&["create", "serviceaccount", name, "-n", namespace][..], &["create", "rolebinding", name, "-n", namespace, &role, &account]]
    {
        let output = stage.cluster.kubectl(arguments, "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    client(&stage.cluster.account_kubeconfig_in(namespace, name).await).await
}

/// Sends a request as somebody, with a body unless that is null. A patch is a JSON patch if it is a list, else a merge patch.
pub async fn send(client: &Client, method: &str, path: &str, body: &Value) -> kube::Result<String> {
    let kind = match (method, body.is_array()) {
        ("PATCH", true) => "application/json-patch+json",
        ("PATCH", false) => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header("content-type", kind).body(body).expect("a request");
    client.request_text(request).await
}
