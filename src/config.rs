//! Settings: flags, each with an environment variable of the same name.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kube::core::Duration;

/// Declarative call rooms for Kubernetes.
#[derive(Parser, Debug)]
#[command(name = "roomkeeper", version)]
pub struct Cli {
    /// The role to run.
    #[command(subcommand)]
    pub command: Command,

    /// Log filter: a level such as info, or directives such as roomkeeper=debug,kube=warn.
    #[arg(long, global = true, env = "ROOMKEEPER_LOG", default_value = "info")]
    pub log: String,

    /// Form of the log lines.
    #[arg(long, global = true, env = "ROOMKEEPER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// The roles.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Keeps sessions and invites equal to what the Rooms say.
    Controller(ControllerArgs),
    /// Lets invited people in.
    Gateway(GatewayArgs),
    /// Prints the CustomResourceDefinitions as YAML.
    Crds,
}

/// Form of log lines.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Settings of the controller.
#[derive(Args, Debug)]
pub struct ControllerArgs {
    /// Namespace that Roomkeeper runs in; holds the invite signing keys and the credentials of media servers.
    #[arg(long, env = "ROOMKEEPER_OPERATOR_NAMESPACE", default_value = "roomkeeper-system")]
    pub operator_namespace: String,

    /// Address of the gateway as people reach it, for example https://meet.example.org: the base of join links.
    #[arg(long, env = "ROOMKEEPER_GATEWAY_URL", value_parser = gateway_url)]
    pub gateway_url: String,

    /// Address that serves /metrics, /healthz and /readyz.
    #[arg(long, env = "ROOMKEEPER_METRICS_ADDR", default_value = "0.0.0.0:9090")]
    pub metrics_addr: SocketAddr,

    /// How often the invite Secrets of every Room are looked at, so that deleted ones come back.
    #[arg(long, env = "ROOMKEEPER_RESYNC", default_value = "1h", value_parser = resync)]
    pub resync: Duration,
}

/// Settings of the gateway.
#[derive(Args, Debug)]
pub struct GatewayArgs {
    /// Address to listen on.
    #[arg(long, env = "ROOMKEEPER_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Address of the gateway as people reach it, for example https://meet.example.org: where clients find the signalling
    /// that goes through it. Without it, the host that each request names.
    #[arg(long, env = "ROOMKEEPER_GATEWAY_URL", value_parser = gateway_url)]
    pub gateway_url: Option<String>,

    /// Namespace that Roomkeeper runs in; holds the invite signing keys and the credentials of media servers.
    #[arg(long, env = "ROOMKEEPER_OPERATOR_NAMESPACE", default_value = "roomkeeper-system")]
    pub operator_namespace: String,

    /// Address that serves /metrics, /healthz and /readyz.
    #[arg(long, env = "ROOMKEEPER_METRICS_ADDR", default_value = "0.0.0.0:9090")]
    pub metrics_addr: SocketAddr,
}

fn gateway_url(value: &str) -> Result<String, String> {
    let scheme = value.starts_with("https://") || value.starts_with("http://");
    if scheme && !value.contains(['?', '#', ' ']) {
        return Ok(value.to_owned());
    }
    Err("must be a URL such as https://meet.example.org, without query and fragment".into())
}

fn resync(value: &str) -> Result<Duration, String> {
    let duration: Duration = value.parse().map_err(|error| format!("{error}"))?;
    let at_least = std::time::Duration::from_secs(10);
    if duration.is_negative() || std::time::Duration::from(duration) < at_least {
        return Err("must be at least 10s".into());
    }
    Ok(duration)
}
