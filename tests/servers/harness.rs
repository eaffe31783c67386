//! The harness of the other tests: what it starts must not outlive it, whatever happens to it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::process::{Leashed, free_port};
use crate::support::{eventually, run, within};

const SOON: Duration = Duration::from_secs(10);

/// Starts a server that does nothing but tell its process ID, and waits for that.
async fn server() -> (Leashed, String) {
    server_that("echo $$; exec sleep 1000").await
}

async fn server_that(script: &str) -> (Leashed, String) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let server = Leashed::spawn("idle", &command);
    let pid = eventually(SOON, async || match fs::read_to_string(server.log()) {
        Ok(log) if log.ends_with('\n') => Ok(log.trim().to_owned()),
        other => Err(format!("{other:?}")),
    })
    .await;
    (server, pid)
}

fn lives(pid: &str) -> bool {
    let probe = Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status();
    probe.expect("kill").success()
}

async fn gone(pid: &str) {
    eventually(SOON, async || if lives(pid) { Err("it lives") } else { Ok(()) }).await;
}

#[test]
fn a_server_lives_as_long_as_its_handle() {
    run(async {
        let (server, pid) = server().await;
        assert!(lives(&pid));
        drop(server);
        assert!(!lives(&pid), "dropping waits for the end");
    });
}

#[test]
fn a_server_gets_signals_and_its_end_is_seen() {
    run(async {
        let (mut server, pid) = server().await;
        assert_eq!(server.exited(), None);
        server.signal("STOP");
        server.signal("CONT");
        assert!(lives(&pid));
        server.signal("TERM");
        let status = server.ended(SOON).await;
        assert_eq!(status.code(), Some(128 + 15));
        gone(&pid).await;
    });
}

#[test]
fn a_server_that_fails_to_start_says_where_its_log_is_and_how_it_ends() {
    run(async {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such setting >&2; exit 7"]);
        let failure = Leashed::spawn("failing", &command).ready(SOON, async || Err("not yet")).await.expect_err("it failed");
        for part in ["failing did not start", "exit status: 7", "failing-", ".log ends with:\nno such setting"] {
            assert!(failure.contains(part), "{failure}");
        }
    });
}

#[test]
fn a_server_ends_when_the_test_process_is_killed() {
    run(async {
        let (mut test, pid) = test_process_with_a_server();
        test.kill().expect("SIGKILL");
        test.wait().expect("the end of the other test process");
        gone(&pid).await;
    });
}

#[test]
fn a_server_that_takes_its_time_ends_when_the_test_process_and_all_it_started_are_asked_to_end() {
    run(async {
        let (mut test, pid) = test_process_with_a_server();
        let group = Command::new("kill").args(["-s", "TERM", "--", &format!("-{}", test.id())]).status();
        assert!(group.expect("kill").success());
        test.wait().expect("the end of the other test process");
        gone(&pid).await;
    });
}

/// A test process in a process group of its own, and the process ID of the server it has started, which minds no signal but SIGKILL.
fn test_process_with_a_server() -> (Child, String) {
    let mut test = Command::new(std::env::current_exe().expect("this program"));
    let test = test.args(["--exact", "harness::holds_a_server_until_it_is_killed", "--ignored", "--nocapture"]).process_group(0);
    let mut test = test.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("this program once more");
    let lines = std::io::BufRead::lines(std::io::BufReader::new(test.stdout.take().expect("its output")));
    let pid = lines.map_while(Result::ok).find_map(|line| line.split_once("the server is ").map(|(_, pid)| pid.to_owned()));
    let pid = pid.expect("the process ID of its server");
    assert!(lives(&pid));
    (test, pid)
}

#[test]
#[ignore = "a part of the tests above"]
fn holds_a_server_until_it_is_killed() {
    run(async {
        let (_server, pid) = server_that("trap '' TERM; echo $$; exec sleep 1000").await;
        println!("the server is {pid}");
        std::future::pending::<()>().await;
    });
}

#[test]
fn waiting_in_vain_tells_what_was_seen_last() {
    run(async {
        let mut looks = 0;
        let failure = within::<(), _>(Duration::from_millis(200), async || {
            looks += 1;
            Err(format!("look {looks}"))
        });
        let last = failure.await.expect_err("there is nothing to find");
        assert_eq!(last, format!("look {looks}"));
        assert!(looks > 1);
    });
}

#[test]
fn free_ports_are_all_different() {
    let mut ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 50);
}
