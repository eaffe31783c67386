//! Runs the browser tests of `web/tests`: each file in a process of its own, all of them against one installation.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::browser::Browser;
use super::build::{packages, web};
use super::controls::serve;
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::node::Node;
use crate::support::operator::Role;
use crate::support::outside::Outside;
use crate::support::process::{free_port, target};
use crate::support::run_browsers;
use crate::support::stage::Stage;

/// Where people outside of a node have the gateway: on their own machine, because browsers give a microphone to nobody else without TLS.
pub const OUTSIDE: &str = "http://127.0.0.1:18080";
/// How long the tests of one file may take together.
const PATIENCE: Duration = Duration::from_mins(10);

/// Node.js with one file of tests, and what these need to know of the installation.
fn node(browser: Browser, file: &str, stage: &Stage) -> Command {
    let gateway = format!("http://127.0.0.1:{}", stage.gateway.port);
    let mut node = Command::new("node");
    with_tests(&mut node, browser, file, &gateway, &stage.cluster.admin_kubeconfig());
    node.env("LIVEKIT_URL", stage.livekit.url());
    node
}

/// Gives Node.js one file of tests, for the installation whose gateway browsers find there.
fn with_tests(node: &mut Command, browser: Browser, file: &str, gateway: &str, kubeconfig: &Path) {
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(env::var("PAGE_TESTS").map(|pattern| format!("--test-name-pattern={pattern}")))
        .arg(web().join("tests").join(file))
        .current_dir(web())
        .env("GATEWAY_URL", gateway)
        .env("LIVEKIT_URL", gateway)
        .env("KUBECONFIG", kubeconfig)
        .env("PAGE_BROWSER", browser.name())
        .env("CHROMIUM", Browser::Chromium.program())
        .env("FIREFOX", Browser::Firefox.program())
        .env("SCREENSHOTS", target().join("screenshots"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
}

/// Runs one file of tests in the network of people outside of a node, from where the gateway is at `upstream`; with these variables.
pub async fn run_file_outside(
    browser: Browser,
    file: &str,
    (outside, node): (&Outside, &Node),
    upstream: &str,
    variables: &[(&str, &str)],
) {
    packages();
    let mut command = Command::new("nsenter");
    command.args(outside.enter()).arg("node");
    with_tests(&mut command, browser, file, OUTSIDE, &node.admin_kubeconfig());
    command.env("UPSTREAM", upstream).envs(variables.iter().copied());
    report(browser, file, command).await;
}

/// Runs the tests of one file to their end. Their report is shown when one of them fails.
async fn report(browser: Browser, file: &str, mut node: Command) {
    let report = tokio::time::timeout(PATIENCE, node.output()).await;
    let report = report.unwrap_or_else(|_| panic!("{file} took longer than {PATIENCE:?}"));
    let report = report.expect("install Node.js 20 or newer (Debian: nodejs): there is no node on PATH");
    let said = format!("{}{}", String::from_utf8_lossy(&report.stdout), String::from_utf8_lossy(&report.stderr));
    assert!(report.status.success(), "{file} in {}:\n{said}", browser.name());
    tell_what_was_left_out(browser, &said);
    print!("{said}");
}

/// Says what of a file was not run, and why.
fn tell_what_was_left_out(browser: Browser, said: &str) {
    // Not by `eprintln!`, whose output is hidden when the test passes.
    let mut stderr = std::io::stderr();
    for line in said.lines().filter(|line| line.contains("in Chromium alone: ")) {
        let told = writeln!(stderr, "\nNOT TESTED in {}: {}", browser.name(), line.trim());
        told.expect("stderr");
    }
}

/// Runs one file of tests.
pub fn run_file(browser: Browser, file: &str) {
    packages();
    run_browsers(async {
        let stage = Stage::shared().await;
        report(browser, file, node(browser, file, stage)).await;
    });
}

/// Runs one file of tests with a second gateway, which was told a name and a path of its own.
pub fn run_file_with_named_gateway(browser: Browser, file: &str) {
    packages();
    run_browsers(async {
        let stage = Stage::shared().await;
        let port = free_port();
        let url = format!("http://meet.localhost:{port}/meet");
        let kubeconfig = stage.cluster.account_kubeconfig("roomkeeper-gateway").await;
        let _gateway = Role::gateway_with(&kubeconfig, port, &["--gateway-url", &url]).await;
        let mut node = node(browser, file, stage);
        node.env("NAMED_GATEWAY_URL", url);
        report(browser, file, node).await;
    });
}

/// Runs one file of tests that may restart the media server of a class that is theirs alone.
pub fn run_file_with_controls(browser: Browser, file: &str) {
    packages();
    run_browsers(async {
        let stage = Stage::shared().await;
        let livekit = LiveKitServer::start(Options::default()).await;
        // Others restart theirs at the same time.
        let class = format!("page-restarted-{}", browser.name());
        stage.class(&class, &livekit, json!({})).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut node = node(browser, file, stage);
        node.env("RESTARTED_CLASS", class);
        node.env("CONTROLS", listener.local_addr().expect("an address").to_string());
        tokio::select! {
            () = report(browser, file, node) => {}
            () = serve(listener, livekit) => unreachable!("it serves until the tests end"),
        }
    });
}
