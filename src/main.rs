//! The `roomkeeper` binary: arguments, start-up, and one call per role.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use roomkeeper::config::{Cli, Command, ControllerArgs, GatewayArgs};
use roomkeeper::metrics::Metrics;
use roomkeeper::{api, cluster, controller, gateway, telemetry};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, log, log_format } = Cli::parse();
    let result = match telemetry::init(&log, log_format) {
        Ok(()) => run(command).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "roomkeeper stops");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Crds => {
            print!("{}", api::crds().yaml()?);
            Ok(())
        }
        Command::Controller(ControllerArgs { operator_namespace, gateway_url, metrics_addr, resync }) => {
            let settings = controller::Settings { operator_namespace, gateway_url, resync: resync.into() };
            let metrics = Metrics::default();
            let work = controller::run(cluster::client().await?, settings, metrics.clone(), shutdown()?);
            beside_metrics(work, metrics, metrics_addr).await
        }
        Command::Gateway(GatewayArgs { listen, gateway_url, operator_namespace, metrics_addr }) => {
            let settings = gateway::Settings { listen, operator_namespace, gateway_url };
            let metrics = Metrics::default();
            let work = gateway::serve(cluster::client().await?, settings, metrics.clone(), shutdown()?);
            beside_metrics(work, metrics, metrics_addr).await
        }
    }
}

/// Runs a role while its metrics are served; ends with whichever ends first.
async fn beside_metrics<E: Error + 'static>(
    work: impl Future<Output = Result<(), E>>,
    metrics: Metrics,
    address: SocketAddr,
) -> Result<(), Box<dyn Error>> {
    tokio::select! {
        result = work => Ok(result?),
        result = metrics.serve(address) => Ok(result?),
    }
}

/// Ends with the first SIGTERM or SIGINT.
fn shutdown() -> std::io::Result<impl Future<Output = ()> + Send + Sync + 'static> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
