//! What the chart renders for the software of others, whose kinds the API server of the tests does not know: by hand against the
//! documented shape of HTTPRoute (Gateway API v1), ServiceMonitor and PrometheusRule (Prometheus operator v1).

use serde_json::{Value, json};

use super::install::{of_kind, rendered};
use crate::support::helm::{said, template};

const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/chart/values/everything.yaml");

fn everything() -> Vec<Value> {
    rendered("roomkeeper-system", &["--values", EVERYTHING])
}

/// The objects of a kind, of which there has to be one.
fn some<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = of_kind(objects, kind);
    assert!(!found.is_empty(), "no {kind}");
    found
}

/// Whether all labels of a selector are among others.
fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().expect("a selector").iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[test]
fn the_route_leads_from_its_gateways_to_the_service() {
    let objects = everything();
    let route = some(&objects, "HTTPRoute")[0];
    assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1");
    assert_eq!(route["spec"]["parentRefs"], json!([{"name": "public", "namespace": "gateways", "sectionName": "https"}]));
    assert_eq!(route["spec"]["hostnames"], json!(["meet.example.org"]));
    assert_eq!(
        route["spec"]["rules"],
        json!([{
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "timeouts": {"request": "0s", "backendRequest": "0s"},
            "backendRefs": [{"name": "roomkeeper-gateway", "port": 80}],
        }])
    );
    let service = objects.iter().find(|object| object["kind"] == "Service" && object["metadata"]["name"] == "roomkeeper-gateway");
    assert_eq!(service.expect("the Service")["spec"]["ports"][0]["port"], 80);
}

#[test]
fn each_monitor_finds_one_service_and_this_the_pods_of_one_role() {
    let objects = everything();
    let monitors = some(&objects, "ServiceMonitor");
    assert_eq!(monitors.len(), 2);
    for monitor in monitors {
        assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
        assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
        let services = some(&objects, "Service");
        let found: Vec<_> = services
            .iter()
            .filter(|service| selects(&monitor["spec"]["selector"]["matchLabels"], &service["metadata"]["labels"]))
            .collect();
        assert_eq!(found.len(), 1, "{monitor}");
        assert_eq!(found[0]["metadata"]["namespace"], monitor["metadata"]["namespace"]);
        let endpoint = &monitor["spec"]["endpoints"][0];
        let port = found[0]["spec"]["ports"].as_array().expect("ports").iter().find(|port| port["name"] == endpoint["port"]);
        let port = port.expect("the port of the endpoint");
        let deployments = some(&objects, "Deployment");
        let pods: Vec<&Value> = deployments
            .iter()
            .map(|deployment| &deployment["spec"]["template"])
            .filter(|pod| selects(&found[0]["spec"]["selector"], &pod["metadata"]["labels"]))
            .collect();
        assert_eq!(pods.len(), 1, "{monitor}");
        let ports = pods[0]["spec"]["containers"][0]["ports"].as_array().expect("ports");
        assert!(ports.iter().any(|known| known["name"] == port["targetPort"]), "{port}");
    }
}

#[test]
fn services_policies_and_budgets_select_the_pods_of_one_role_each() {
    let objects = everything();
    let deployments = some(&objects, "Deployment");
    let selectors = objects.iter().filter_map(|object| match object["kind"].as_str()? {
        "Service" => Some(&object["spec"]["selector"]),
        "NetworkPolicy" => Some(&object["spec"]["podSelector"]["matchLabels"]),
        "PodDisruptionBudget" | "Deployment" => Some(&object["spec"]["selector"]["matchLabels"]),
        _ => None,
    });
    let mut seen = 0;
    for selector in selectors {
        let pods = deployments.iter().filter(|deployment| selects(selector, &deployment["spec"]["template"]["metadata"]["labels"]));
        assert_eq!(pods.count(), 1, "{selector}");
        seen += 1;
    }
    assert_eq!(seen, 14, "6 Services, 3 policies, 2 budgets, 3 Deployments");
}

#[test]
fn the_same_values_give_the_same_manifests() {
    // What is random, or asked of the cluster, would be a change at every look of a GitOps tool.
    let render = || said(&template(&["--values", EVERYTHING]));
    assert_eq!(render(), render());
}
