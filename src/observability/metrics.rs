//! What is counted and measured. Labels take their values from closed lists, so that no Room or person adds a series.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::api::{Phase, Reason};

/// The metrics of one process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    phases: Arc<OnceLock<Phases>>,
    controller: ControllerMetrics,
    gateway: GatewayMetrics,
    media_servers: MediaServerMetrics,
    unusable_keys: Gauge,
    silence: Arc<OnceLock<Silence>>,
    silence_gauge: Gauge,
}

/// Gives the phase of every Room.
type Phases = Box<dyn Fn() -> Vec<Phase> + Send + Sync>;

/// Gives how long the quietest watch has been silent.
type Silence = Box<dyn Fn() -> Duration + Send + Sync>;

#[derive(Clone)]
struct ControllerMetrics {
    reconciles: Histogram,
    failures: Family<FailureLabels, Counter>,
    left_behind: Counter,
    end_lag: Histogram,
    orphans: Family<ClassLabels, Gauge>,
    leader: Gauge,
    shards: Gauge,
    rooms: Family<PhaseLabels, Gauge>,
    sweeps: Family<ClassLabels, Gauge>,
}

#[derive(Clone)]
struct GatewayMetrics {
    joins: Family<ResultLabels, Counter>,
    connections: Gauge,
    signalling_refusals: Family<FailureLabels, Counter>,
    revocations: Histogram,
}

#[derive(Clone)]
struct MediaServerMetrics {
    calls: Family<CallLabels, Counter>,
    call_durations: Family<OpLabels, Histogram, fn() -> Histogram>,
}

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
        let controller = ControllerMetrics::register(&mut registry);
        let gateway = GatewayMetrics::register(&mut registry);
        let media_servers = MediaServerMetrics::register(&mut registry);
        let unusable_keys = Register(&mut registry).register(
            "unusable_invite_keys",
            "Entries of the Secret with the invite signing keys that are no key",
            Gauge::default(),
        );
        let silence_gauge = Register(&mut registry).register(
            "watch_silence_seconds",
            "For how long nothing has been heard of that watch of the API server which is silent for longest",
            Gauge::default(),
        );
        registry.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self {
            registry: Arc::new(registry),
            phases: Arc::default(),
            controller,
            gateway,
            media_servers,
            unusable_keys,
            silence: Arc::default(),
            silence_gauge,
        }
    }
}

impl ControllerMetrics {
    fn register(registry: &mut Registry) -> Self {
        let mut register = Register(registry);
        let end_lag = Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0]);
        Self {
            reconciles: register.register(
                "reconcile_duration_seconds",
                "Duration of the reconciliations of a Room that finished",
                durations(),
            ),
            failures: register.register(
                "reconcile_failures",
                "Reconciliations that did not bring a Room to what its spec wants, by reason",
                Family::default(),
            ),
            left_behind: register.register(
                "sessions_left_behind",
                "Rooms that were deleted although their cleanup did not finish",
                Counter::default(),
            ),
            end_lag: register.register("end_lag_seconds", "Time from the end of a window to the end of its session", end_lag),
            orphans: register.register(
                "orphaned_sessions",
                "Sessions on the media server that belong to no Room, as of the last sweep",
                Family::default(),
            ),
            leader: register.register("leader", "1 while this controller is the leader", Gauge::default()),
            shards: register.register("shards", "How many controllers are to work at the same time", Gauge::default()),
            rooms: register.register("rooms", "Rooms that this controller looks after, by phase", Family::default()),
            sweeps: register.register(
                "last_successful_sweep_timestamp_seconds",
                "When the sessions of a class were last compared with the Rooms, in seconds since 1970",
                Family::default(),
            ),
        }
    }
}

impl GatewayMetrics {
    fn register(registry: &mut Registry) -> Self {
        let mut register = Register(registry);
        Self {
            joins: register.register("joins", "Joins by how they ended", Family::default()),
            connections: register.register(
                "proxied_connections",
                "Signalling connections that go through this gateway now",
                Gauge::default(),
            ),
            signalling_refusals: register.register(
                "signalling_refusals",
                "Signalling requests that were refused, by the name of the problem",
                Family::default(),
            ),
            revocations: register.register(
                "revocation_lag_seconds",
                "From the moment the gateway knew that somebody may not stay to the end of their signalling connection",
                Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0]),
            ),
        }
    }
}

impl MediaServerMetrics {
    fn register(registry: &mut Registry) -> Self {
        let mut register = Register(registry);
        let call_durations = Family::<OpLabels, Histogram, fn() -> Histogram>::new_with_constructor(durations);
        Self {
            calls: register.register(
                "backend_calls",
                "Calls to media servers, by what came of them: OK, or the reason of the failure",
                Family::default(),
            ),
            call_durations: register.register("backend_call_duration_seconds", "Duration of calls to media servers", call_durations),
        }
    }
}

/// Registers metrics and gives them back, so that each is named in one place.
struct Register<'a>(&'a mut Registry);

impl Register<'_> {
    fn register<M: Metric + Clone>(&mut self, name: &str, text: &str, metric: M) -> M {
        self.0.register(name, text, metric.clone());
        metric
    }
}

/// From a millisecond to the longest wait for an answer.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// A number of things as gauges take it.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Metrics {
    /// Has Rooms counted whenever somebody asks for the metrics. Only the first call counts.
    pub fn count_rooms(&self, phases: impl Fn() -> Vec<Phase> + Send + Sync + 'static) {
        let _ = self.phases.set(Box::new(phases));
    }

    /// Has the silence of watches told whenever somebody asks for the metrics. Only the first call counts.
    pub fn watch_silence(&self, silence: impl Fn() -> Duration + Send + Sync + 'static) {
        let _ = self.silence.set(Box::new(silence));
    }

    /// A media server was called; `code` is OK or one of a closed list of reasons.
    pub fn backend_called(&self, backend: &'static str, op: &'static str, code: String, took: Duration) {
        self.media_servers.calls.get_or_create(&CallLabels { backend, op, code }).inc();
        self.media_servers.call_durations.get_or_create(&OpLabels { backend, op }).observe(took.as_secs_f64());
    }

    /// The sessions of a class were compared with the Rooms.
    pub fn swept(&self, class: &str, now: Timestamp) {
        self.controller.sweeps.get_or_create(&ClassLabels { class: class.to_owned() }).set(now.as_second());
    }

    /// A sweep found this many orphans.
    pub fn orphans(&self, class: &str, count: usize) {
        self.controller.orphans.get_or_create(&ClassLabels { class: class.to_owned() }).set(number(count));
    }

    /// A class is gone, and with it the series that it has.
    pub fn forget_class(&self, class: &str) {
        let labels = ClassLabels { class: class.to_owned() };
        self.controller.sweeps.remove(&labels);
        self.controller.orphans.remove(&labels);
    }

    /// So many entries of the Secret with the invite signing keys are no key.
    pub fn unusable_keys(&self, count: usize) {
        self.unusable_keys.set(number(count));
    }

    /// This process is the leader, until it ends.
    pub fn leads(&self) {
        self.controller.leader.set(1);
    }

    /// So many controllers are to work at the same time.
    pub fn shards(&self, count: u32) {
        self.controller.shards.set(i64::from(count));
    }

    /// A reconciliation finished.
    pub fn reconciled(&self, took: SignedDuration) {
        self.controller.reconciles.observe(took.as_secs_f64());
    }

    /// A reconciliation failed.
    pub fn failed(&self, reason: Reason) {
        self.controller.failures.get_or_create(&FailureLabels { reason: reason.to_string() }).inc();
    }

    /// A Room was deleted although its cleanup did not finish.
    pub fn left_behind(&self) {
        self.controller.left_behind.inc();
    }

    /// A session was closed this long after the end of its window.
    pub fn ended(&self, lag: SignedDuration) {
        self.controller.end_lag.observe(lag.as_secs_f64());
    }

    /// A join ended like this, one of a closed list.
    pub fn join_ended(&self, result: &'static str) {
        self.gateway.joins.get_or_create(&ResultLabels { result }).inc();
    }

    /// A signalling connection was made.
    pub fn connection_opened(&self) {
        self.gateway.connections.inc();
    }

    /// A signalling connection has ended.
    pub fn connection_closed(&self) {
        self.gateway.connections.dec();
    }

    /// A signalling request was refused with this problem, one of a closed list.
    pub fn signalling_refused(&self, problem: &'static str) {
        self.gateway.signalling_refusals.get_or_create(&FailureLabels { reason: problem.to_owned() }).inc();
    }

    /// Somebody who may not stay is out, this long after that was known.
    pub fn revoked(&self, lag: SignedDuration) {
        self.gateway.revocations.observe(lag.as_secs_f64());
    }

    /// All of them as OpenMetrics text.
    ///
    /// # Errors
    /// When a metric cannot be written.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        if let Some(silence) = self.silence.get() {
            self.silence_gauge.set(i64::try_from(silence().as_secs()).unwrap_or(i64::MAX));
        }
        if let Some(phases) = self.phases.get() {
            let phases = phases();
            for phase in Phase::ALL {
                let count = phases.iter().filter(|found| **found == phase).count();
                self.controller.rooms.get_or_create(&PhaseLabels { phase: format!("{phase:?}") }).set(number(count));
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
