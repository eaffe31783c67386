//! Sets up logs and traces for the process.

use std::io::IsTerminal;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::args::LogFormat;
use crate::observability::traces::{self, TracesError};

/// Target of the audit log: one line for each join, refusal, removal, change of role and end. Its fields say who, where, and with what
/// result; never an invite or a media token.
pub const AUDIT: &str = "roomkeeper::audit";

/// Why there are no logs or traces.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be read.
    #[error("--log: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Traces cannot be sent.
    #[error("--otlp-endpoint: {0}")]
    Traces(#[from] TracesError),
}

/// The sender of traces, if an endpoint is set.
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sends what has not been sent yet.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            tracing::debug!(%error, "the last traces could not be sent");
        }
    }
}

/// Sends logs to standard error, and traces to the OTLP/HTTP receiver at `otlp_endpoint` if there is one. `filter` is a level
/// such as `info`, or directives such as `roomkeeper=debug,kube=warn`; it is for logs alone.
///
/// # Errors
/// When the filter cannot be read, or traces cannot be sent.
pub fn init(filter: &str, format: LogFormat, otlp_endpoint: Option<&str>, role: &str) -> Result<Telemetry, TelemetryError> {
    // kube's client logs every failed request; callers log it again and know what it was for. The client of relays tells of each of its steps.
    let filter = EnvFilter::try_new(filter)?
        .add_directive("kube_client::client::builder=off".parse()?)
        .add_directive("turn_client_proto=off".parse()?)
        .add_directive("stun_proto=off".parse()?);
    let provider = otlp_endpoint.map(|endpoint| traces::provider(endpoint, role)).transpose()?;
    let spans = Targets::new().with_target("roomkeeper", LevelFilter::DEBUG);
    let traced =
        provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(traces::tracer(provider)).with_filter(spans).boxed());
    // Files and collectors would keep the codes of colours.
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let layer = match format {
        LogFormat::Text => tracing_subscriber::Layer::boxed(layer),
        LogFormat::Json => tracing_subscriber::Layer::boxed(layer.json().flatten_event(true).with_span_list(false)),
    };
    // A layer that is not there would have every span made, whatever the filter of the other says.
    let layers: Vec<_> = traced.into_iter().chain([layer.with_filter(filter).boxed()]).collect();
    // A subscriber that is set already, as in tests, stays.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(Telemetry(provider))
}
