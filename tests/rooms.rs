//! Rooms from beginning to end: a real API server, a real LiveKit, and Roomkeeper under its own accounts.

mod support;

use support::run;

#[test]
fn smoke() {
    run(async {
        let dir = support::process::log_file("cluster");
        let cluster = support::cluster::Cluster::start(&dir.with_extension("d")).await;
        println!("{}", String::from_utf8_lossy(&cluster.kubectl(&["get", "ns"], "").stdout));
    });
}
