//! Starts the gateway: the watches it lives from, what requests need, and the address it listens on.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use kube::Client;
use kube::runtime::reflector::{self, store};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::admission::{AdmissionService, ApiWriter, CallObserver, ConnectionChecks, InviteKeys, LiveRooms, ModerationService};
use super::http::{self, BasePath, LinkTurns, PublicAddress, RateLimits, TrustedProxies, listen, tell_staleness};
use super::room_changes::{Change, follow_classes, forward, of_room_objects, of_rooms, recheck_connections};
use super::router::{AppState, router};
use super::signalling::{Connections, SignallingProxy, Upstream, UpstreamError};
use super::wall_clock::WallClock;
use super::webhooks::Webhooks;
use crate::api::{RoomClass, RoomGuest, RoomRemoval};
use crate::args::GatewayArgs;
use crate::backend::{Registry, WorkloadIdentity};
use crate::bind::bind;
use crate::clock;
use crate::cluster::{
    BackendFactory, OtherClasses, OwnSecrets, PreflightError, Scope, SessionRecords, WatchAges, installation, may_read, sync_backends,
    watch_classes, watch_own_secrets, watch_room_objects, watch_rooms,
};
use crate::observability::health::Health;
use crate::observability::metrics::Metrics;

/// How long the gateway goes on serving after it was asked to stop.
const LINGER: Duration = Duration::from_secs(2);

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The cluster is not there, or does not allow what is needed.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    #[error("a watch ended before it had listed its objects")]
    Watch(#[from] reflector::store::WriterDropped),
    /// A watch, or what else keeps the gateway up to date, has ended.
    #[error("a watch has ended; the log says why")]
    Ended,
    #[error("{address} cannot be listened on: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// Serves until `shutdown`, then lets the requests under way finish.
///
/// # Errors
/// When it cannot start.
pub async fn serve(
    (client, ages): (Client, WatchAges),
    args: GatewayArgs,
    metrics: Metrics,
    health: Health,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let shutdown = shutdown.shared();
    let silence = ages.clone();
    metrics.watch_silence(move || silence.oldest(clock::uptime()));
    let mut tasks = JoinSet::new();
    let cluster = tokio::select! {
        watched = watch_cluster(&client, ages.clone(), &args, &metrics, &mut tasks) => watched?,
        () = shutdown.clone() => return Ok(()),
    };
    let mut keys = cluster.secrets.keys.clone();
    let state = app_state(client, &args, &metrics, &health, cluster, &mut tasks)?;
    let address = args.listen;
    let listener = bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    // Without keys nobody can be let in.
    let probes = health.clone();
    let ready = tokio::spawn(async move {
        if keys.wait_for(Option::is_some).await.is_ok() {
            probes.set_ready(true);
        }
    });
    tracing::info!(%address, "the gateway has started");
    let leaving = async {
        shutdown.await;
        // Load balancers learn from the probe that this gateway leaves, before it stops accepting connections.
        ready.abort();
        health.set_ready(false);
        sleep(LINGER).await;
    };
    let trusted_proxies = state.trusted_proxies.clone();
    let base = BasePath::of(args.gateway_url.as_deref());
    tokio::select! {
        () = listen(listener, router(state, &args.frame_ancestors), base, trusted_proxies, leaving) => Ok(()),
        // A task ends only by a fault, and without it the gateway would go by what is not true any more.
        _ = tasks.join_next() => Err(ServeError::Ended),
    }
}

/// What the gateway knows of the cluster, kept up to date by tasks.
struct Cluster {
    rooms: LiveRooms,
    secrets: OwnSecrets,
    backends: Arc<Registry>,
    changes: UnboundedReceiver<Change>,
}

/// Watches the cluster, and returns when everything has been listed.
async fn watch_cluster(
    client: &Client,
    ages: WatchAges,
    args: &GatewayArgs,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> Result<Cluster, ServeError> {
    let GatewayArgs { operator_namespace, controller_name, .. } = args;
    let scope = &Scope::new(&args.watch_namespaces);
    may_read(client, scope, operator_namespace).await?;
    let installation = installation(client, operator_namespace).await?;
    let backends = Arc::new(Registry::default());
    let (sender, changes) = unbounded_channel();
    let (secrets, secret_changes) = watch_own_secrets(client.clone(), operator_namespace, metrics.clone());
    let (rooms, room_changes) = watch_rooms(client, scope);
    let (classes, class_writer) = store::<RoomClass>();
    let (guests, guest_changes) = watch_room_objects::<RoomGuest>(client, scope);
    let (removals, removal_changes) = watch_room_objects::<RoomRemoval>(client, scope);
    let class_changes = watch_classes(client, controller_name, OtherClasses::default(), class_writer).map(|_| ());
    tasks.spawn(forward(of_rooms(room_changes), sender.clone()));
    tasks.spawn(forward(of_room_objects(guest_changes), sender.clone()));
    tasks.spawn(forward(of_room_objects(removal_changes), sender.clone()));
    let records = SessionRecords::read_only(client.clone(), operator_namespace);
    let workload_identity = args.azure.identity().map(WorkloadIdentity::from);
    let factory = BackendFactory { metrics: metrics.clone(), records, workload_identity };
    let follow_both = stream::select(class_changes, secret_changes);
    tasks.spawn(follow_classes(follow_both, backends.clone(), classes.clone(), secrets.clone(), factory.clone(), sender));
    secrets.ready().await?;
    let live = LiveRooms::new(rooms, guests, removals, classes.clone(), installation, InviteKeys::new(secrets.keys.clone()), ages);
    live.ready().await?;
    // Fill the backends before serving: the watch task may not have run yet.
    sync_backends(&backends, &classes, &secrets, &factory, &mut HashMap::new());
    Ok(Cluster { rooms: live, secrets, backends, changes })
}

/// Builds what requests need, and starts what judges connections and the age of the cache.
fn app_state(
    client: Client,
    args: &GatewayArgs,
    metrics: &Metrics,
    health: &Health,
    cluster: Cluster,
    tasks: &mut JoinSet<()>,
) -> Result<AppState, ServeError> {
    let Cluster { rooms, secrets, backends, changes } = cluster;
    let clock = WallClock::new(clock::now);
    let connections = Arc::new(Connections::new(rooms.clone(), backends.clone(), clock.clone(), metrics.clone()));
    tasks.spawn(recheck_connections(changes, connections.clone()));
    tasks.spawn(connections.clone().end_calls_on_time(health.watchdog().begin("the ends of calls".into())));
    let (probes, known_keys) = (health.clone(), secrets.keys.clone());
    tasks.spawn(tell_staleness(rooms.ages().clone(), move |stale| probes.set_ready(!stale && known_keys.borrow().is_some())));
    let keys = InviteKeys::new(secrets.keys.clone());
    let calls = CallObserver::new(backends.clone(), clock.clone());
    let admission = Arc::new(AdmissionService::new(rooms.clone(), calls.clone(), keys.clone(), clock.clone()));
    let writer = Arc::new(ApiWriter::new(client));
    let checks = ConnectionChecks::new(rooms.clone(), calls.clone(), clock.clone());
    let moderation = ModerationService::new(rooms.clone(), keys.clone(), calls, writer, clock.clone());
    let limits = Arc::new(RateLimits::new(args.rate_limit_per_address));
    let trusted_proxies = TrustedProxies::new(&args.trusted_proxies);
    let api = http::Api {
        admission: admission.clone(),
        moderation: Arc::new(moderation),
        checks: Arc::new(checks),
        keys,
        rooms: rooms.clone(),
        limits: limits.clone(),
        turns: LinkTurns::default(),
        trusted_proxies: trusted_proxies.clone(),
        address: PublicAddress::new(args.gateway_url.clone(), trusted_proxies.clone()),
        metrics: metrics.clone(),
    };
    let webhooks = Webhooks { rooms: rooms.clone(), backends: backends.clone(), clock: clock.clone() };
    let upstream = Upstream::new()?;
    let proxy = SignallingProxy { rooms: rooms.clone(), admission, backends, connections, upstream, clock, metrics: metrics.clone() };
    Ok(AppState { api, proxy, webhooks, rooms, limits, trusted_proxies })
}
