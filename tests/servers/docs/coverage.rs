//! What the pages list is what there is.

use std::fs;

use clap::CommandFactory;
use roomkeeper::args::Cli;

use super::pages::{in_repository, page};

/// The words of a source file that come after `before` and end with `after`.
fn words(text: &str, before: &str, after: char) -> Vec<String> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).map(str::to_owned).collect()
}

fn source(path: &str) -> String {
    fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn missing(path: &str, all: &[String], entry: impl Fn(&str) -> String) {
    let text = page(path).text;
    let missing: Vec<&String> = all.iter().filter(|name| !text.contains(&entry(name))).collect();
    assert!(missing.is_empty(), "{path} has no entry for {missing:?}");
}

/// The names of an enum's variants.
fn variants(file: &str, name: &str) -> Vec<String> {
    let text = source(file);
    let body = text.split(&format!("pub enum {name} {{")).nth(1).and_then(|rest| rest.split("\n}").next()).expect("the enum");
    let is_name = |line: &&str| line.chars().next().is_some_and(char::is_uppercase);
    body.lines().map(str::trim).filter(is_name).map(|line| line.trim_end_matches(',').to_owned()).collect()
}

#[test]
fn every_reason_is_in_the_troubleshooting_page() {
    let reasons = variants("src/api/conditions.rs", "Reason");
    assert!(reasons.len() > 30, "{reasons:?}");
    missing("docs/troubleshooting.md", &reasons, |reason| format!("| `{reason}` |"));
}

#[test]
fn every_condition_is_explained() {
    let types = variants("src/api/conditions.rs", "ConditionType");
    assert!(types.len() >= 7, "{types:?}");
    missing("docs/reference/conditions.md", &types, |kind| format!("`{kind}`"));
}

#[test]
fn every_metric_is_in_the_monitoring_page() {
    let text = source("src/observability/metrics.rs").split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let metrics = words(&text, "register(\"", '"');
    assert!(metrics.len() > 8, "{metrics:?}");
    missing("docs/guides/monitoring.md", &metrics, |name| format!("`roomkeeper_{name}"));
}

#[test]
fn every_problem_is_in_the_http_api() {
    let problems = source("src/gateway/http/problem.rs").split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let named = words(&problems, "new(\"", '"');
    assert!(named.len() > 8, "{named:?}");
    missing("docs/reference/http-api.md", &named, |name| format!("`{name}`"));
}

#[test]
fn every_setting_is_in_the_settings_page_with_its_variable() {
    let settings = page("docs/reference/settings.md").text;
    let cli = Cli::command();
    let mut seen = 0;
    for command in [&cli].into_iter().chain(cli.get_subcommands()) {
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| !["help", "version"].contains(flag)) else { continue };
            seen += 1;
            assert!(settings.contains(&format!("`--{flag}`")), "--{flag} of {} is not in the settings page", command.get_name());
            if let Some(variable) = argument.get_env().map(|name| name.to_string_lossy()) {
                assert!(settings.contains(&format!("`{variable}`")), "{variable} is not in the settings page");
            }
        }
    }
    assert!(seen > 12, "only {seen} settings");
}

#[test]
fn every_alert_has_a_runbook() {
    let alerts = words(&source("charts/roomkeeper/files/alerts.yaml"), "alert: ", '\n');
    assert!(alerts.len() > 5, "{alerts:?}");
    missing("docs/runbooks.md", &alerts, |alert| format!("\n### {alert}\n"));
}
