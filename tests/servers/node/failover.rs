//! Another controller becomes leader when the leader is gone.

use std::time::Duration;

use jiff::Timestamp;

use super::site::{PATIENCE, Site, kill, seconds_since};
use crate::support::cluster::OPERATOR_NAMESPACE;
use crate::support::{eventually, now, repetitions, run};

/// Longest time without a leader after one was killed.
const KILLED: Duration = Duration::from_secs(15);
/// Longest time without a leader after one was stopped by SIGTERM.
const STOPPED: Duration = Duration::from_secs(2);
/// How often each is tried, by `make test` and by `make soak`.
const RUNS: [usize; 2] = [1, 10];

/// Waits until another controller leads, and returns the seconds since `began`.
async fn succession(site: &Site, old: &str, began: Timestamp, longest: Duration) -> f64 {
    eventually(PATIENCE, async || match site.leader().await {
        Some((holder, _)) if holder != old => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let took = seconds_since(began);
    assert!(took <= longest.as_secs_f64(), "another leads after {took} seconds, which is more than {longest:?}");
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
            stopped.push(succession(&site, &leader, began, STOPPED).await);

            let (leader, pod) = complete(&site).await;
            let processes = site.node.processes(&site.pod(&pod).await);
            assert!(!processes.is_empty(), "no process of {pod} is found");
            let began = now();
            processes.into_iter().for_each(kill);
            killed.push(succession(&site, &leader, began, KILLED).await);
        }
        println!("seconds until another leads: killed {killed:.1?}, stopped {stopped:.1?}");
        // The last leader reconciles.
        site.consultation().await;
    });
}
