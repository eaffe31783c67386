//! Files of the chart that objects hold: nothing of them is lost or changed on the way, so that what is tested of the files holds for the
//! objects.

use std::fs;

use serde_json::Value;

use super::install::rendered;
use crate::support::helm::chart;

fn file(name: &str) -> String {
    fs::read_to_string(chart().join("files").join(name)).expect("a file of the chart")
}

/// The one object that `is_wanted`, with alerts and dashboard switched on.
fn holder(is_wanted: impl Fn(&Value) -> bool) -> Value {
    let mut objects = rendered("monitoring", &["--set", "prometheusRule.enabled=true,grafanaDashboard.enabled=true"]);
    objects.retain(is_wanted);
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

#[test]
fn the_prometheus_rule_holds_the_alerts_as_they_are_tested() {
    let alerts: Value = serde_yaml::from_str(&file("alerts.yaml")).expect("YAML");
    assert!(alerts["groups"][0]["rules"].as_array().is_some_and(|rules| rules.len() > 5), "{alerts}");
    assert_eq!(holder(|object| object["kind"] == "PrometheusRule")["spec"], alerts);
}

#[test]
fn the_config_map_holds_the_dashboard_as_it_is_tested() {
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let map = holder(|object| object["data"]["roomkeeper.json"].is_string());
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1", "Grafana's sidecar finds it");
    let dashboard = read(map["data"]["roomkeeper.json"].as_str().expect("a file"));
    assert_eq!(dashboard["title"], "Roomkeeper");
    assert_eq!(dashboard, read(&file("dashboard.json")));
}
