//! Alerts and dashboard ask for metrics that exist, with labels that they have: a real Prometheus reads a real controller and a real
//! gateway, and evaluates every query.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use roomkeeper::api::Phase;
use roomkeeper::backend::MediaCredentials;
use serde_json::{Value, json};

use crate::support::helm::chart;
use crate::support::livekit::Client;
use crate::support::process::{Leashed, free_port, log_file};
use crate::support::stage::{Place, Stage, in_seconds};
use crate::support::{eventually, now, run};

const PATIENCE: Duration = Duration::from_mins(1);

fn alerts() -> Vec<Value> {
    let text = fs::read_to_string(chart().join("files/alerts.yaml")).expect("the alerts");
    let file: Value = serde_yaml::from_str(&text).expect("YAML");
    file["groups"][0]["rules"].as_array().expect("rules").clone()
}

/// Title and query of each panel's queries, with Grafana's variables filled in.
fn panels() -> Vec<(String, String)> {
    let text = fs::read_to_string(chart().join("files/dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("queries") {
            let query = target["expr"].as_str().expect("a query").replace("$namespace", ".*").replace("$__rate_interval", "1m");
            assert!(!query.contains('$'), "{query} has a variable that nobody fills in");
            queries.push((panel["title"].as_str().expect("a title").to_owned(), query));
        }
    }
    assert!(queries.len() > 15, "only {} queries", queries.len());
    queries
}

/// The metrics that a query names.
fn metrics(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("roomkeeper_")).map(str::to_owned).collect()
}

/// A program of Prometheus, or none with a loud word about what is not tested; with `ROOMKEEPER_REQUIRE_PROMETHEUS` that is a failure.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let required = std::env::var_os("ROOMKEEPER_REQUIRE_PROMETHEUS").is_some();
        assert!(!required, "alerts and dashboard cannot be tried without {name} (Debian: prometheus)");
        // Not by a macro: what those write of a test that passes nobody sees.
        let told = writeln!(
            std::io::stderr(),
            "\nWARNING: ALERTS AND DASHBOARD ARE NOT TRIED WITH PROMETHEUS: install {name} (Debian: prometheus)"
        );
        told.expect("stderr");
    }
    found
}

#[test]
fn every_alert_says_what_is_wrong_and_what_to_do() {
    for alert in alerts() {
        let name = alert["alert"].as_str().expect("a name");
        assert!(name.starts_with("Roomkeeper"), "{name}");
        for annotation in ["summary", "description", "runbook"] {
            assert!(alert["annotations"][annotation].as_str().is_some_and(|text| text.len() > 10), "{name} has no {annotation}");
        }
        assert!(["warning", "critical"].map(Value::from).contains(&alert["labels"]["severity"]), "{name} has no severity");
    }
    let Some(promtool) = program("promtool") else { return };
    let output = Command::new(promtool).args(["check", "rules"]).arg(chart().join("files/alerts.yaml")).output().expect("promtool");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// Makes one of each that is counted: a call with somebody in it who is put out, one that ends, refused joins, a Room that fails. Gives
/// the person who is still in the call.
async fn make_one_of_each(stage: &Stage, place: &Place<'_>) -> Client {
    place.apply("call", json!({"participants": [{"name": "ada"}, {"name": "ben", "role": "Presenter"}]})).await;
    place.until_phase("call", Phase::Open).await;
    let invite = place.invite("call", "ada").await;
    let ada = place.joined("call", "ada", &[]).await;
    let ben = place.joined("call", "ben", &[]).await;
    place.edit("call", json!({"participants": [{"name": "ben", "role": "Presenter"}]})).await;
    ada.event("disconnected").await;
    assert_eq!(stage.join(&invite).await.problem(), "invalid-invite");
    let forged = MediaCredentials::by_token(Some(format!("ws://127.0.0.1:{}", stage.gateway.port)), "none".into(), now());
    assert!(Client::join(&forged, &[]).await.is_err());
    let taken = ["create", "secret", "generic", "stuck-invite-ada", "-n", &place.namespace];
    assert!(stage.cluster.kubectl(&taken, "").status.success());
    place.apply("stuck", json!({"participants": [{"name": "ada"}]})).await;
    place.until_not("stuck", "InvitesReady", "NameConflict").await;
    place.apply("over", json!({"participants": [{"name": "ada"}], "validUntil": in_seconds(3)})).await;
    place.until_phase("over", Phase::Open).await;
    place.until_phase("over", Phase::Expired).await;
    ben
}

/// Name and expression of each alert.
fn expressions(alerts: &[Value]) -> Vec<(String, String)> {
    let text = |alert: &Value, key: &str| alert[key].as_str().expect("text").to_owned();
    alerts.iter().map(|alert| (text(alert, "alert"), text(alert, "expr"))).collect()
}

/// What an alert compares, over a minute and of all results; that it compares is what promtool checks.
fn compared(expression: &str) -> String {
    let left = expression.rsplit_once(" > ").map_or(expression, |(left, _)| left);
    let left = left.strip_prefix("absent(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(left);
    let short = left.replace("[10m]", "[1m]").replace("[15m]", "[1m]");
    short.replace(r#"{result="unavailable"}"#, "").replace(r#"{code!="OK"}"#, "")
}

/// A real Prometheus that reads the two roles every second.
struct Prometheus {
    port: u16,
    promtool: PathBuf,
    _server: Leashed,
}

impl Prometheus {
    /// None where it is not installed.
    fn start(stage: &Stage) -> Option<Self> {
        let (prometheus, promtool) = (program("prometheus")?, program("promtool")?);
        let directory = log_file("prometheus").with_extension("d");
        fs::create_dir_all(&directory).expect("a directory");
        // Under the names that the ServiceMonitors give.
        let jobs = [("controller", stage.controller.metrics_port), ("gateway", stage.gateway.metrics_port)].map(|(role, port)| {
            let target = json!({"targets": [format!("127.0.0.1:{port}")], "labels": {"namespace": "roomkeeper-system"}});
            json!({"job_name": format!("roomkeeper-{role}-metrics"), "static_configs": [target]})
        });
        let config = json!({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs});
        fs::write(directory.join("prometheus.yml"), config.to_string()).expect("the configuration");
        let port = free_port();
        let mut command = Command::new(prometheus);
        command.arg(format!("--config.file={}", directory.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", directory.join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Some(Self { port, promtool, _server: Leashed::spawn("prometheus", &command) })
    }

    /// What a query finds now.
    fn ask(&self, query: &str) -> Result<String, String> {
        let mut command = Command::new(&self.promtool);
        let output = command.args(["query", "instant", &format!("http://127.0.0.1:{}", self.port), query]).output().expect("promtool");
        let (found, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(found.trim().to_owned()) } else { Err(errors.into_owned()) }
    }

    /// Waits until a query finds something that is `wanted`.
    async fn finds(&self, title: &str, query: &str, wanted: &str) {
        eventually(PATIENCE, async || match self.ask(query)? {
            found if !found.is_empty() && found.contains(wanted) => Ok(()),
            found => Err(format!("{title}: {query} finds {found:?}")),
        })
        .await;
    }
}

#[test]
fn every_query_of_alerts_and_dashboard_finds_what_a_real_prometheus_has_read() {
    run(async {
        let stage = Stage::start().await;
        let place = stage.place().await;
        let ben = make_one_of_each(&stage, &place).await;
        let alerts = expressions(&alerts());
        every_metric_is_there(&stage, &alerts).await;

        let Some(prometheus) = Prometheus::start(&stage) else { return };
        let watched = alerts.iter().map(|(name, expression)| (name.clone(), compared(expression)));
        for (title, query) in panels().into_iter().chain(watched) {
            prometheus.finds(&title, &query, "").await;
        }
        // The alerts as they are, on an installation that is well but for one Room, which fails once more: none but that of failing Rooms
        // is raised, since nothing else is trouble.
        place.edit("stuck", json!({"displayName": "Still stuck"})).await;
        for (name, expression) in &alerts {
            if name == "RoomkeeperRoomsFail" {
                prometheus.finds(name, expression, "NameConflict").await;
                continue;
            }
            let found = prometheus.ask(expression).expect("an answer");
            assert!(name == "RoomkeeperRoomsPending" || found.is_empty(), "{name} would be raised: {found}");
        }
        // Without a gateway, and without a controller, the two are raised that say so.
        ben.close().await;
        let Stage { controller, gateway, .. } = stage;
        for (role, alert) in [(gateway, "RoomkeeperNoGateway"), (controller, "RoomkeeperNoController")] {
            drop(role);
            let (name, expression) = alerts.iter().find(|(name, _)| name == alert).expect("the alert");
            prometheus.finds(name, expression, "").await;
        }
    });
}

/// Every metric that alerts and dashboard ask for is one that the roles have.
async fn every_metric_is_there(stage: &Stage, alerts: &[(String, String)]) {
    let exposed = format!("{}{}", stage.controller.metrics().await, stage.gateway.metrics().await);
    let lines = exposed.lines().filter(|line| !line.starts_with('#'));
    let known: BTreeSet<&str> = lines.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let mut missing = Vec::new();
    for (title, query) in alerts.iter().cloned().chain(panels()) {
        let unknown = metrics(&query).into_iter().filter(|metric| !known.contains(metric.as_str()));
        missing.extend(unknown.map(|metric| format!("{title} asks for {metric}, which nobody has")));
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
