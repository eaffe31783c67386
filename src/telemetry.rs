//! Logs.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Target of the audit log: one line for each join, refusal, removal, change of role and end, whose fields say who, where and
/// what came of it. Never an invite or a media token.
pub const AUDIT: &str = "roomkeeper::audit";

/// Sends logs to standard error. `filter` is a level such as `info`, or directives such as `roomkeeper=debug,kube=warn`.
///
/// # Errors
/// When the filter cannot be read.
pub fn init(filter: &str, format: LogFormat) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    // Colours are for people; files and collectors would keep their codes.
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let layer = match format {
        LogFormat::Text => tracing_subscriber::Layer::boxed(layer),
        LogFormat::Json => tracing_subscriber::Layer::boxed(layer.json().flatten_event(true)),
    };
    // A subscriber that is set already is the embedding program's choice.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    Ok(())
}
