//! Another controller becomes leader when the leader is gone.

use std::time::Duration;

use jiff::Timestamp;

use super::site::{PATIENCE, Site, kill, seconds_since};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::{eventually, now, repetitions, run};

/// Longest time without a leader after one was killed, whether its container is started again or another takes over.
const KILLED: Duration = Duration::from_secs(15);
/// Longest time without a leader after one was stopped by SIGTERM.
const STOPPED: Duration = Duration::from_secs(2);
/// How often each is tried, by `make test` and by `make soak`.
const RUNS: [usize; 2] = [1, 10];

/// Waits until `leads` says that somebody leads who did not before, and returns the seconds since `began`.
async fn succession(began: Timestamp, longest: Duration, leads: impl AsyncFn() -> bool) -> f64 {
    eventually(PATIENCE, async || if leads().await { Ok(()) } else { Err("nobody else leads") }).await;
    let took = seconds_since(began);
    assert!(took <= longest.as_secs_f64(), "somebody leads after {took} seconds, which is more than {longest:?}");
    took
}

/// Waits until both controllers are ready, and returns the leader and its pod.
async fn complete(site: &Site) -> (String, String) {
    site.kubectl(&["rollout", "status", "-n", OPERATOR_NAMESPACE, "--timeout=120s", "deployment/roomkeeper-controller"]);
    eventually(PATIENCE, async || site.leader().await.ok_or("nobody leads")).await
}

#[test]
fn a_leader_that_is_gone_is_replaced_in_time() {
    run(async {
        let Some(site) = Site::take().await else { return };
        site.install(&["--set=gateway.replicaCount=1"]);
        let (mut killed, mut stopped) = (Vec::new(), Vec::new());
        let [short, long] = RUNS;
        for _ in 0..repetitions(short, long) {
            let (leader, pod) = complete(&site).await;
            let began = now();
            site.kubectl(&["delete", "pod", "-n", OPERATOR_NAMESPACE, "--wait=false", &pod]);
            let is_another = async || site.leader().await.is_some_and(|(holder, _)| holder != leader);
            stopped.push(succession(began, STOPPED, is_another).await);

            let (_, pod) = complete(&site).await;
            let processes = site.node.processes(&site.pod(&pod).await);
            assert!(!processes.is_empty(), "no process of {pod} is found");
            processes.into_iter().for_each(kill);
            // What was killed renews nothing from here on.
            let began = now();
            let is_renewed = async || site.renewed_at().await > Some(began);
            killed.push(succession(began, KILLED, is_renewed).await);
        }
        println!("seconds until somebody leads: killed {killed:.1?}, stopped {stopped:.1?}");
        // The last leader reconciles.
        site.consultation().await;
    });
}
