//! Roomkeeper itself, as its binary runs in a cluster: each role under its own ServiceAccount.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::{Leashed, free_port};

/// How long a role may take to start. Generous: it is only used up by failures.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Starts the controller and waits until it is ready. Join links begin with `gateway_url`.
    pub async fn controller(kubeconfig: &Path, gateway_url: &str) -> Self {
        Self::start("controller", kubeconfig, &["--gateway-url", gateway_url], 0).await
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

    async fn start(role: &str, kubeconfig: &Path, arguments: &[&str], port: u16) -> Self {
        let metrics_port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_roomkeeper"));
        command.arg(role).args(arguments).args(["--metrics-addr", &format!("127.0.0.1:{metrics_port}")]);
        command.env("KUBECONFIG", kubeconfig);
        let mut process = Leashed::spawn(role, &command);
        let ready = process.ready(PATIENCE, async || match get(metrics_port, "/readyz").await {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => Ok(()),
            Ok(answer) => Err(answer),
            Err(error) => Err(error.to_string()),
        });
        ready.await.unwrap_or_else(|failure| panic!("{failure}"));
        Self { process, metrics_port, port }
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        get(self.metrics_port, "/metrics").await.expect("metrics")
    }
}

/// The whole answer to a GET.
async fn get(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
