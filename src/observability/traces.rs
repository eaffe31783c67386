//! Traces: which spans belong together, and where they are sent.
//!
//! All reconciliations of a Room are one trace whose id is the Room's UID, so that the life of a Room can be looked up by what
//! `kubectl get` shows. A request is a trace of its own, or part of its caller's, with a link to the Room's.

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use opentelemetry_sdk::{Resource, runtime};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Header that carries the caller's trace (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// TLS cannot be set up.
    #[error("traces cannot be sent: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("traces cannot be sent: {0}")]
    Http(#[from] reqwest::Error),
    /// The address cannot be used.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Sends spans in batches to the OTLP/HTTP receiver at `endpoint`, such as http://collector:4318.
///
/// # Errors
/// When the address or the TLS of the system cannot be used. A receiver that does not answer is no error.
pub fn provider(endpoint: &str, role: &str) -> Result<SdkTracerProvider, TracesError> {
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(crate::tls::client()?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_http_client(http).with_endpoint(url).build()?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let attributes = [
        KeyValue::new("service.name", format!("roomkeeper-{role}")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", host),
    ];
    let batches = BatchSpanProcessor::builder(exporter, runtime::Tokio).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(batches)
        .with_resource(Resource::builder().with_attributes(attributes).build())
        .build())
}

/// The tracer of this crate.
#[must_use]
pub fn tracer(provider: &SdkTracerProvider) -> SdkTracer {
    provider.tracer("roomkeeper")
}

/// The id of a Room's trace: its UID without the hyphens. Empty for a UID that is none.
#[must_use]
pub fn room_trace_id(uid: &str) -> String {
    room_context(uid).map(|context| context.trace_id().to_string()).unwrap_or_default()
}

/// Makes a new span part of a Room's trace.
pub fn join_room_trace(span: &Span, uid: &str) {
    if let Some(room) = room_context(uid) {
        // Fails only where no traces are sent.
        let _ = span.set_parent(Context::new().with_remote_span_context(room));
    }
}

/// Links the current span to a Room's trace.
pub fn link_room_trace(uid: &str) {
    if let Some(room) = room_context(uid) {
        Span::current().add_link(room);
    }
}

/// Makes a new span part of its caller's trace, if there is a valid `traceparent`, and writes the id of its trace into its field
/// `trace_id`.
pub fn join_callers_trace(span: &Span, traceparent: Option<&str>) {
    let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
    let called_in = caller.span().span_context().trace_id();
    if caller.span().span_context().is_valid() {
        let _ = span.set_parent(caller);
    }
    let own = span.context().span().span_context().trace_id();
    let id = if own == TraceId::INVALID { called_in } else { own };
    if id != TraceId::INVALID {
        span.record("trace_id", id.to_string());
    }
}

/// The parent of all spans in a Room's trace. Its span id is the first half of the UID; a span of that id is never sent.
fn room_context(uid: &str) -> Option<SpanContext> {
    let hex: String = uid.chars().filter(|c| *c != '-').collect();
    let trace = TraceId::from_hex(&hex).ok().filter(|_| hex.len() == 32)?;
    let span = SpanId::from_hex(hex.get(..16)?).ok()?;
    let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
    context.is_valid().then_some(context)
}

/// The one header that a trace is taken from.
struct Header<'a>(Option<&'a str>);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key.eq_ignore_ascii_case(TRACEPARENT))
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rooms_trace_has_its_uid_and_no_other_text_makes_one() {
        assert_eq!(room_trace_id("0f9a1c9e-7b1d-4c3e-9a51-1f0b1c2d3e4f"), "0f9a1c9e7b1d4c3e9a511f0b1c2d3e4f");
        for uid in
            ["", "not-a-uid", "00000000-0000-0000-0000-000000000000", "0f9a1c9e-7b1d-4c3e-9a51", "0f9a1c9e-7b1d-4c3e-9a51-1f0b1c2d3e4fff"]
        {
            assert_eq!(room_trace_id(uid), "", "{uid}");
        }
    }
}
