//! Runs the browser tests of `web/tests`, one file after the other: two cores carry one call with pictures.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

use super::build::{packages, web};
use super::controls::serve;
use crate::support::process::target;
use crate::support::run;
use crate::support::stage::Stage;
use crate::support::tools::tool;

/// How long the tests of one file may take together.
const PATIENCE: Duration = Duration::from_mins(10);

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

/// The installation that all files share, one at a time.
async fn stage() -> MutexGuard<'static, Option<Stage>> {
    static STAGE: Mutex<Option<Stage>> = Mutex::const_new(None);
    let mut stage = STAGE.lock().await;
    if stage.is_none() {
        *stage = Some(Stage::start().await);
    }
    stage
}

/// Runs one file of tests, whose report is shown when one of them fails.
fn run_file(file: &str) {
    packages();
    let chromium = chromium();
    run(async {
        let mut guard = stage().await;
        let stage = guard.as_mut().expect("a stage");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let controls = listener.local_addr().expect("an address").to_string();
        let screenshots = target().join("screenshots");
        let tests = Command::new("node")
            .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
            .args(env::var("PAGE_TESTS").map(|pattern| format!("--test-name-pattern={pattern}")))
            .arg(format!("tests/{file}"))
            .current_dir(web())
            .env("GATEWAY_URL", format!("http://127.0.0.1:{}", stage.gateway.port))
            .env("LIVEKIT_URL", stage.livekit.url())
            .env("KUBECONFIG", stage.cluster.admin_kubeconfig())
            .env("KUBECTL", tool("kubectl"))
            .env("CHROMIUM", chromium)
            .env("CONTROLS", controls)
            .env("SCREENSHOTS", screenshots)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let report = tokio::select! {
            report = tokio::time::timeout(PATIENCE, tests) => report,
            () = serve(listener, stage) => unreachable!("it serves until the tests end"),
        };
        let report = report.unwrap_or_else(|_| panic!("{file} took longer than {PATIENCE:?}"));
        let report = report.expect("install Node.js 20 or newer (Debian: nodejs): there is no node on PATH");
        let said = format!("{}{}", String::from_utf8_lossy(&report.stdout), String::from_utf8_lossy(&report.stderr));
        assert!(report.status.success(), "{file}:\n{said}");
        print!("{said}");
    });
}

#[test]
fn the_lobby_tells_and_waits_and_copes_with_devices() {
    run_file("lobby.test.mjs");
}

#[test]
fn people_meet_in_a_call() {
    run_file("call.test.mjs");
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
