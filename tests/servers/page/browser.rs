//! Runs the browser tests of `web/tests`: each file in a process of its own, all of them against one installation.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::build::{packages, web};
use super::controls::serve;
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::operator::Role;
use crate::support::process::{free_port, target};
use crate::support::run_browsers;
use crate::support::stage::Stage;

/// How long the tests of one file may take together.
const PATIENCE: Duration = Duration::from_mins(10);

/// The class whose media server tests may restart.
const RESTARTED: &str = "page-restarted";

/// Chromium: `CHROMIUM`, or the first of its names on `PATH`.
fn chromium() -> PathBuf {
    if let Some(path) = env::var_os("CHROMIUM") {
        return path.into();
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file());
    found.expect("install Chromium (Debian: chromium), or name it in CHROMIUM: the page is tested in it")
}

/// Node.js with one file of tests, and what these need to know of the installation.
fn node(file: &str, stage: &Stage) -> Command {
    let screenshots = target().join("screenshots");
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(env::var("PAGE_TESTS").map(|pattern| format!("--test-name-pattern={pattern}")))
        .arg(format!("tests/{file}"))
        .current_dir(web())
        .env("GATEWAY_URL", format!("http://127.0.0.1:{}", stage.gateway.port))
        .env("LIVEKIT_URL", stage.livekit.url())
        .env("KUBECONFIG", stage.cluster.admin_kubeconfig())
        .env("CHROMIUM", chromium())
        .env("SCREENSHOTS", screenshots)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    node
}

/// Runs the tests of one file to their end. Their report is shown when one of them fails.
async fn report(file: &str, mut node: Command) {
    let report = tokio::time::timeout(PATIENCE, node.output()).await;
    let report = report.unwrap_or_else(|_| panic!("{file} took longer than {PATIENCE:?}"));
    let report = report.expect("install Node.js 20 or newer (Debian: nodejs): there is no node on PATH");
    let said = format!("{}{}", String::from_utf8_lossy(&report.stdout), String::from_utf8_lossy(&report.stderr));
    assert!(report.status.success(), "{file}:\n{said}");
    print!("{said}");
}

/// Runs one file of tests.
fn run_file(file: &str) {
    packages();
    run_browsers(async {
        let stage = Stage::shared().await;
        report(file, node(file, stage)).await;
    });
}

/// Runs one file of tests with a second gateway, which was told a name and a path of its own.
fn run_file_with_named_gateway(file: &str) {
    packages();
    run_browsers(async {
        let stage = Stage::shared().await;
        let port = free_port();
        let url = format!("http://meet.localhost:{port}/meet");
        let kubeconfig = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let _gateway = Role::gateway_with(&kubeconfig, port, &["--gateway-url", &url]).await;
        let mut node = node(file, stage);
        node.env("NAMED_GATEWAY_URL", url);
        report(file, node).await;
    });
}

/// Runs one file of tests that may restart the media server of a class that is theirs alone.
fn run_file_with_controls(file: &str) {
    packages();
    run_browsers(async {
        let stage = Stage::shared().await;
        let livekit = LiveKitServer::start(Options::default()).await;
        stage.class(RESTARTED, &livekit, json!({})).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut node = node(file, stage);
        node.env("CONTROLS", listener.local_addr().expect("an address").to_string());
        tokio::select! {
            () = report(file, node) => {}
            () = serve(listener, livekit) => unreachable!("it serves until the tests end"),
        }
    });
}

#[test]
fn the_lobby_tells_and_waits_and_copes_with_devices() {
    run_file("lobby.test.mjs");
}

#[test]
fn people_meet_in_a_call() {
    run_file_with_controls("call.test.mjs");
}

#[test]
fn the_page_works_wherever_it_came_from() {
    run_file_with_named_gateway("addresses.test.mjs");
}

#[test]
fn every_end_of_a_call_is_told_in_words() {
    run_file("endings.test.mjs");
}

#[test]
fn the_page_is_accessible_in_every_state() {
    run_file("accessibility.test.mjs");
}

#[test]
fn the_page_keeps_the_invite_and_asks_no_third_party() {
    run_file("privacy.test.mjs");
}

#[test]
fn all_languages_say_the_same_things() {
    run_file("messages.test.mjs");
}

#[test]
fn presenters_moderate() {
    run_file("moderation.test.mjs");
}

#[test]
fn people_join_by_a_shared_link() {
    run_file("links.test.mjs");
}
