//! Metrics, and the address that serves them together with the probes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::{Phase, Reason};
use crate::bind::bind;
use crate::observability::watchdog::Watchdog;

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
    joins: Family<ResultLabels, Counter>,
    connections: Gauge,
    signalling_refusals: Family<FailureLabels, Counter>,
    revocations: Histogram,
    leader: Gauge,
    rooms: Family<PhaseLabels, Gauge>,
    phases: Arc<OnceLock<Phases>>,
    calls: Family<CallLabels, Counter>,
    call_durations: Family<OpLabels, Histogram, fn() -> Histogram>,
    sweeps: Family<ClassLabels, Gauge>,
    watchdog: Watchdog,
}

/// Gives the phase of every Room.
type Phases = Box<dyn Fn() -> Vec<Phase> + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    backend: &'static str,
    op: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpLabels {
    backend: &'static str,
    op: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("roomkeeper");
        let reconciles = durations();
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
        let leader = Gauge::default();
        registry.register("leader", "1 while this controller is the leader", leader.clone());
        let rooms = Family::<PhaseLabels, Gauge>::default();
        registry.register("rooms", "Rooms that this controller looks after, by phase", rooms.clone());
        let calls = Family::<CallLabels, Counter>::default();
        registry.register("backend_calls", "Calls to media servers, by what came of them: OK, or the reason of the failure", calls.clone());
        let call_durations = Family::<OpLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        registry.register("backend_call_duration_seconds", "Duration of calls to media servers", call_durations.clone());
        let sweeps = Family::<ClassLabels, Gauge>::default();
        registry.register(
            "last_successful_sweep_timestamp_seconds",
            "When the sessions of a class were last held against the Rooms, in seconds since 1970",
            sweeps.clone(),
        );
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The version that runs", Info::new(version));
        let joins = Family::<ResultLabels, Counter>::default();
        let connections = Gauge::default();
        registry.register("joins", "Joins by how they ended", joins.clone());
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
            joins,
            connections,
            signalling_refusals,
            revocations,
            leader,
            rooms,
            phases: Arc::default(),
            calls,
            call_durations,
            sweeps,
            watchdog: Watchdog::default(),
        }
    }
}

/// From a millisecond to the longest wait for an answer.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl Metrics {
    /// The work under way, by which the liveness probe judges.
    #[must_use]
    pub fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// Has Rooms counted whenever somebody asks for the metrics. Only the first call counts.
    pub fn count_rooms(&self, phases: impl Fn() -> Vec<Phase> + Send + Sync + 'static) {
        let _ = self.phases.set(Box::new(phases));
    }

    /// A media server was called; `code` is OK or one of a closed list of reasons.
    pub fn backend_called(&self, backend: &'static str, op: &'static str, code: String, took: Duration) {
        self.calls.get_or_create(&CallLabels { backend, op, code }).inc();
        self.call_durations.get_or_create(&OpLabels { backend, op }).observe(took.as_secs_f64());
    }

    /// The sessions of a class were held against the Rooms.
    pub fn swept(&self, class: &str, now: Timestamp) {
        self.sweeps.get_or_create(&ClassLabels { class: class.to_owned() }).set(now.as_second());
    }

    /// A class is gone.
    pub fn forget_class(&self, class: &str) {
        let labels = ClassLabels { class: class.to_owned() };
        self.sweeps.remove(&labels);
        self.orphans.remove(&labels);
    }

    /// The process can do its work.
    pub fn ready(&self) {
        self.set_ready(true);
    }

    /// Whether the process can do its work.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// This process is the leader.
    pub fn leads(&self) {
        self.leader.set(1);
    }

    /// A join ended like this, one of a closed list.
    pub fn join_ended(&self, result: &'static str) {
        self.joins.get_or_create(&ResultLabels { result }).inc();
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
    pub async fn serve(self, address: SocketAddr) -> io::Result<()> {
        let (ready, watchdog) = (self.ready.clone(), self.watchdog.clone());
        let is_ready = move || {
            let ready = ready.load(Ordering::Relaxed);
            async move { if ready { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "starting\n") } }
        };
        let router = Router::new()
            .route("/metrics", get(move || std::future::ready(self.render())))
            .route("/healthz", get(move || std::future::ready(alive(watchdog.stalled()))))
            .route("/readyz", get(is_ready));
        let named = |error: io::Error| io::Error::new(error.kind(), format!("--metrics-addr: {address} cannot be listened on: {error}"));
        axum::serve(bind(address).await.map_err(named)?, router).await
    }

    fn render(&self) -> impl IntoResponse + use<> {
        if let Some(phases) = self.phases.get() {
            let phases = phases();
            for phase in Phase::ALL {
                let number = phases.iter().filter(|found| **found == phase).count();
                let labels = PhaseLabels { phase: format!("{phase:?}") };
                self.rooms.get_or_create(&labels).set(i64::try_from(number).unwrap_or(i64::MAX));
            }
        }
        let mut text = String::new();
        let status = if encode(&mut text, &self.registry).is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        (status, [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
    }
}

/// What the liveness probe answers while this work has not moved.
fn alive(stalled: Option<String>) -> (StatusCode, String) {
    match stalled {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(work) => {
            tracing::error!(work, "work has not moved for too long, and the liveness probe fails");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("stalled: {work}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_liveness_probe_fails_and_names_the_work_that_does_not_move() {
        assert_eq!(alive(None).0, StatusCode::OK);
        let (status, text) = alive(Some("a pass over team/call".into()));
        assert_eq!((status, text.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "stalled: a pass over team/call\n"));
    }
}
