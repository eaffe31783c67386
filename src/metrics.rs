//! Metrics, and the address that serves them together with the probes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::SignedDuration;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::api::Reason;

/// The metrics of one process.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    ready: Arc<AtomicBool>,
    reconciles: Histogram,
    failures: Family<FailureLabels, Counter>,
    left_behind: Counter,
    end_lag: Histogram,
    orphans: Family<ClassLabels, Gauge>,
    connections: Gauge,
    signalling_refusals: Family<FailureLabels, Counter>,
    revocations: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("roomkeeper");
        let reconciles = Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        let failures = Family::<FailureLabels, Counter>::default();
        let left_behind = Counter::default();
        let end_lag = Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0]);
        let orphans = Family::<ClassLabels, Gauge>::default();
        registry.register("reconcile_duration_seconds", "Duration of passes over a Room that were finished", reconciles.clone());
        registry.register(
            "reconcile_failures",
            "Passes over a Room that did not bring it to what its spec wants, by reason",
            failures.clone(),
        );
        registry.register("sessions_left_behind", "Rooms that were deleted although their cleanup did not finish", left_behind.clone());
        registry.register("end_lag_seconds", "Time from the end of a window to the end of its session", end_lag.clone());
        registry.register(
            "orphaned_sessions",
            "Sessions on the media server that belong to no Room, as of the last sweep",
            orphans.clone(),
        );
        let connections = Gauge::default();
        let signalling_refusals = Family::<FailureLabels, Counter>::default();
        let revocations = Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0]);
        registry.register("proxied_connections", "Signalling connections that go through this gateway now", connections.clone());
        registry.register(
            "signalling_refusals",
            "Signalling requests that were refused, by the name of the problem",
            signalling_refusals.clone(),
        );
        registry.register(
            "revocation_lag_seconds",
            "From the moment the gateway knew that somebody may not stay to the end of their signalling connection",
            revocations.clone(),
        );
        Self {
            registry: Arc::new(registry),
            ready: Arc::default(),
            reconciles,
            failures,
            left_behind,
            end_lag,
            orphans,
            connections,
            signalling_refusals,
            revocations,
        }
    }
}

impl Metrics {
    /// The process can do its work.
    pub fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
    }

    /// A pass was finished.
    pub fn reconciled(&self, took: SignedDuration) {
        self.reconciles.observe(took.as_secs_f64());
    }

    /// A pass failed. The reason is one of a closed list.
    pub fn failed(&self, reason: Reason) {
        self.failures.get_or_create(&FailureLabels { reason: reason.to_string() }).inc();
    }

    /// A Room was deleted although its cleanup did not finish.
    pub fn left_behind(&self) {
        self.left_behind.inc();
    }

    /// A session was closed this long after the end of its window.
    pub fn ended(&self, lag: SignedDuration) {
        self.end_lag.observe(lag.as_secs_f64());
    }

    /// A sweep found this many orphans.
    pub fn orphans(&self, class: &str, number: usize) {
        self.orphans.get_or_create(&ClassLabels { class: class.to_owned() }).set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// A signalling connection was made.
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// A signalling connection has ended.
    pub fn connection_closed(&self) {
        self.connections.dec();
    }

    /// A signalling request was refused with this problem, one of a closed list.
    pub fn signalling_refused(&self, problem: &'static str) {
        self.signalling_refusals.get_or_create(&FailureLabels { reason: problem.to_owned() }).inc();
    }

    /// Somebody who may not stay is out, this long after that was known.
    pub fn revoked(&self, lag: SignedDuration) {
        self.revocations.observe(lag.as_secs_f64());
    }

    /// Serves `/metrics`, `/healthz` and `/readyz`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(self, address: SocketAddr) -> std::io::Result<()> {
        let ready = self.ready.clone();
        let is_ready = move || {
            let ready = ready.load(Ordering::Relaxed);
            async move { if ready { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "starting\n") } }
        };
        let router = Router::new()
            .route("/metrics", get(move || std::future::ready(self.render())))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(is_ready));
        axum::serve(tokio::net::TcpListener::bind(address).await?, router).await
    }

    fn render(&self) -> impl IntoResponse + use<> {
        let mut text = String::new();
        let status = if encode(&mut text, &self.registry).is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        (status, [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
    }
}
