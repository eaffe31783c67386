//! The `roomkeeper` binary: arguments, start-up, and one call per role.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use roomkeeper::args::{Cli, Command};
use roomkeeper::commands::{selftest, uninstall};
use roomkeeper::observability::health::Health;
use roomkeeper::observability::metrics::Metrics;
use roomkeeper::observability::{logs, server};
use roomkeeper::{api, cluster, controller, gateway};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, log, log_format, otlp_endpoint } = Cli::parse();
    let telemetry = match logs::init(&log, log_format, otlp_endpoint.as_deref(), command.role()) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            // There is no log yet.
            let _ = writeln!(std::io::stderr(), "roomkeeper: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = run(command).await;
    if let Err(error) = &result {
        tracing::error!(%error, "roomkeeper stops");
    }
    telemetry.shutdown();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Crds => {
            print!("{}", api::crds().yaml()?);
            Ok(())
        }
        Command::Selftest(args) => Ok(selftest::run(cluster::client().await?, args, shutdown()?).await?),
        Command::Release(args) => Ok(uninstall::run(cluster::client().await?, args).await?),
        Command::Controller(args) => {
            let (address, metrics, health) = (args.metrics_addr, Metrics::default(), Health::default());
            let client = cluster::watching_client().await?;
            let work = Box::pin(controller::run(client, args, metrics.clone(), health.clone(), shutdown()?));
            beside_probes(work, server::serve(address, metrics, health)).await
        }
        Command::Gateway(args) => {
            let (address, metrics, health) = (args.metrics_addr, Metrics::default(), Health::default());
            let client = cluster::watching_client().await?;
            let work = Box::pin(gateway::serve(client, args, metrics.clone(), health.clone(), shutdown()?));
            beside_probes(work, server::serve(address, metrics, health)).await
        }
    }
}

/// Runs a role while its metrics and probes are served; ends with whichever ends first.
async fn beside_probes<E: Error + 'static>(
    work: impl Future<Output = Result<(), E>>,
    probes: impl Future<Output = std::io::Result<()>>,
) -> Result<(), Box<dyn Error>> {
    tokio::select! {
        result = work => Ok(result?),
        result = probes => Ok(result?),
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
