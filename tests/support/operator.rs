//! Roomkeeper itself, as its binary runs in a cluster: each role under its own ServiceAccount.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{Leashed, free_port};
use super::{eventually, http};

/// How long a role may take to start. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long some sweeps may take, of which one comes every three seconds.
const SWEPT: Duration = Duration::from_mins(2);

/// A running role of Roomkeeper.
pub struct Role {
    /// The process.
    pub process: Leashed,
    /// Port of `/metrics` and the probes.
    pub metrics_port: u16,
    /// Port that people join at; none of the controller.
    pub port: u16,
}

impl Role {
    /// Starts the only controller and waits until it is ready. Join links begin with `gateway_url`. It needs no election: the
    /// Lease of one that a test has killed would only hold it up.
    pub async fn controller(kubeconfig: &Path, gateway_url: &str) -> Self {
        Self::controller_with(kubeconfig, gateway_url, &["--leader-elect=false"]).await
    }

    /// The same with other flags.
    pub async fn controller_with(kubeconfig: &Path, gateway_url: &str, flags: &[&str]) -> Self {
        Self::start("controller", kubeconfig, &[&["--gateway-url", gateway_url], flags].concat(), 0).await
    }

    /// Starts a gateway and waits until it is ready.
    pub async fn gateway(kubeconfig: &Path, port: u16) -> Self {
        Self::gateway_with(kubeconfig, port, &[]).await
    }

    /// The same with more flags.
    pub async fn gateway_with(kubeconfig: &Path, port: u16, flags: &[&str]) -> Self {
        let listen = format!("127.0.0.1:{port}");
        Self::start("gateway", kubeconfig, &[&["--listen", listen.as_str()], flags].concat(), port).await
    }

    /// Runs a role that is not expected to become ready.
    pub fn doomed(role: &str, kubeconfig: &Path, arguments: &[&str]) -> Leashed {
        Self::doomed_at(role, kubeconfig, arguments, free_port())
    }

    /// The same with a port of its own for `/metrics`.
    pub fn doomed_at(role: &str, kubeconfig: &Path, arguments: &[&str], metrics_port: u16) -> Leashed {
        Self::launch(role, kubeconfig, arguments, 0, metrics_port).process
    }

    /// Whether it says that it is ready, and that it is alive.
    pub async fn probes(&self) -> (bool, bool) {
        let ok = async |path| self.get(path).await.is_ok_and(|answer| answer.status == 200);
        (ok("/readyz").await, ok("/healthz").await)
    }

    /// The value of one line of `/metrics`, labels included in its name.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.metrics().await;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a controller has compared its Rooms with those of LiveKit servers so many times more.
    pub async fn sweeps(&self, times: f64) {
        let sweeps = async || {
            let name = "roomkeeper_backend_calls_total{backend=\"livekit\",op=\"sweep\",code=\"OK\"}";
            self.metric(name).await.unwrap_or_default()
        };
        let before = sweeps().await;
        eventually(SWEPT, async || match sweeps().await {
            now if now >= before + times => Ok(()),
            now => Err(format!("{now} sweeps, of which {before} were before")),
        })
        .await;
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.process.log()).expect("its log")
    }

    /// Starts a gateway that is not expected to become ready soon.
    pub fn gateway_that_waits(kubeconfig: &Path, port: u16) -> Self {
        Self::launch("gateway", kubeconfig, &["--listen", &format!("127.0.0.1:{port}")], port, free_port())
    }

    /// Starts a controller with these variables more in its environment, and does not wait for it.
    pub fn controller_in(environment: &[(&str, &str)], kubeconfig: &Path, arguments: &[&str]) -> Self {
        Self::launch_in(environment, "controller", kubeconfig, arguments, 0, free_port())
    }

    /// The same for a gateway at this port.
    pub fn gateway_in(environment: &[(&str, &str)], kubeconfig: &Path, port: u16) -> Self {
        Self::launch_in(environment, "gateway", kubeconfig, &["--listen", &format!("127.0.0.1:{port}")], port, free_port())
    }

    fn launch(role: &str, kubeconfig: &Path, arguments: &[&str], port: u16, metrics_port: u16) -> Self {
        Self::launch_in(&[], role, kubeconfig, arguments, port, metrics_port)
    }

    fn launch_in(environment: &[(&str, &str)], role: &str, kubeconfig: &Path, arguments: &[&str], port: u16, metrics_port: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomkeeper"));
        command.arg(role).args(arguments).args(["--metrics-addr", &format!("127.0.0.1:{metrics_port}")]);
        command.env("KUBECONFIG", kubeconfig).envs(environment.iter().copied());
        Self { process: Leashed::spawn(role, &command), metrics_port, port }
    }

    async fn start(role: &str, kubeconfig: &Path, arguments: &[&str], port: u16) -> Self {
        let Self { mut process, metrics_port, port } = Self::launch(role, kubeconfig, arguments, port, free_port());
        let ready = process.ready(PATIENCE, async || match http::get(("127.0.0.1", metrics_port), "/readyz").await {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(error) => Err(error.to_string()),
        });
        ready.await.unwrap_or_else(|failure| panic!("{failure}"));
        Self { process, metrics_port, port }
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        self.get("/metrics").await.expect("metrics").body
    }

    async fn get(&self, path: &str) -> std::io::Result<http::Response> {
        http::get(("127.0.0.1", self.metrics_port), path).await
    }
}
