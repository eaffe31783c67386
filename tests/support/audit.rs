//! What the audit log of an API server says of a request.

use serde_json::Value;

/// The account of the controller that the chart installs.
const CONTROLLER: &str = "system:serviceaccount:roomkeeper-system:roomkeeper-controller";

/// Whether the controller has sent it.
pub fn is_of_controller(event: &Value) -> bool {
    event["user"]["username"] == CONTROLLER
}

/// Verb, resource and subresource; the path, where it is about no resource. A dry run stores nothing, and is told apart.
pub fn request(event: &Value) -> String {
    let (object, path) = (&event["objectRef"], event["requestURI"].as_str().unwrap_or_default());
    let verb = if path.contains("dryRun=All") { "dry-run" } else { event["verb"].as_str().unwrap_or_default() };
    let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
    format!("{verb} {}{subresource}", object["resource"].as_str().unwrap_or(path))
}
