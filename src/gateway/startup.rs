//! Starts the gateway: the watches it lives from, and the address it listens on.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, stream};
use ipnet::IpNet;
use kube::api::ListParams;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::api::{Room, RoomClass, RoomGuest};
use crate::backend::Registry;
use crate::bind::bind;
use crate::clock;
use crate::cluster::{
    OtherClasses, OwnSecrets, PreflightError, Scope, installation, may_read, sync_backends, watch_classes, watch_own_secrets, watch_scope,
};
use crate::gateway::http::client_ip::TrustedProxies;
use crate::gateway::http::listener::listen;
use crate::gateway::http::rate_limit::RateLimits;
use crate::gateway::http::staleness::CacheStaleness;
use crate::gateway::signalling::connections::Connections;
use crate::gateway::{AdmissionService, ApiWriter, AppState, Stores, Upstream, UpstreamError, router};
use crate::observability::metrics::Metrics;

/// How long the gateway goes on serving after it was asked to stop.
const LINGER: Duration = Duration::from_secs(2);

/// What the gateway is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Namespace of the operator, where signing keys and credentials are.
    pub operator_namespace: String,
    /// Where the Rooms are.
    pub scope: Scope,
    /// Which classes are used.
    pub controller_name: String,
    /// Address of the gateway as people reach it; where requests say that they came to, if not set.
    pub gateway_url: Option<String>,
    /// Networks of proxies that say truly where requests come from.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins that may show the page in a frame.
    pub frame_ancestors: Vec<String>,
    /// Requests a second from one address.
    pub rate_limit_per_address: NonZeroU32,
    /// How long the gateway goes by what it knew when the API server does not answer.
    pub longest_silence: Duration,
}

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The cluster is not there, or does not allow what is needed.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// A watch ended before it had listed its objects.
    #[error("a watch ended before it had listed its objects")]
    Watch(#[from] reflector::store::WriterDropped),
    /// A watch, or what else keeps the door up to date, has ended.
    #[error("a watch has ended; the log says why")]
    Ended,
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Media servers cannot be reached.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// Serves until `shutdown`, then lets the requests under way finish.
///
/// # Errors
/// When it cannot start.
pub async fn serve(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (address, frame_ancestors) = (settings.listen, settings.frame_ancestors.clone());
    let shutdown = shutdown.shared();
    let (door, mut watches) = tokio::select! {
        opened = open(client, settings, &metrics) => opened?,
        () = shutdown.clone() => return Ok(()),
    };
    let listener = bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    // Without keys nobody can be let in; once there are some, they stay.
    let (probes, mut keys) = (metrics.clone(), door.lobby.keys());
    let ready = tokio::spawn(async move {
        if keys.wait_for(Option::is_some).await.is_ok() {
            probes.ready();
        }
    });
    tracing::info!(%address, "the gateway has started");
    let trust = door.trust.clone();
    let leaving = async {
        shutdown.await;
        // Whoever spreads people over gateways by the probe learns of it before this one stops to listen.
        ready.abort();
        metrics.set_ready(false);
        sleep(LINGER).await;
    };
    tokio::select! {
        () = listen(listener, router(&door, &frame_ancestors), trust, leaving) => Ok(()),
        // None of them ends but by a fault, and without it the door would go by what is not true any more.
        _ = watches.join_next() => Err(ServeError::Ended),
    }
}

/// Everything that requests need, once it is there, and what keeps it up to date.
async fn open(client: Client, settings: Settings, metrics: &Metrics) -> Result<(AppState, JoinSet<()>), ServeError> {
    let Settings {
        listen: _,
        operator_namespace,
        scope,
        controller_name,
        gateway_url,
        trusted_proxies,
        rate_limit_per_address,
        frame_ancestors: _,
        longest_silence,
    } = settings;
    may_read(&client, &scope, &operator_namespace).await?;
    let installation = installation(&client, &operator_namespace).await?;
    let backends = Arc::new(Registry::default());
    let mut watches = JoinSet::new();
    let (rooms, room_writer) = reflector::store::<Room>();
    let (guests, guest_writer) = reflector::store::<RoomGuest>();
    let (classes, class_writer) = reflector::store::<RoomClass>();
    let clerk = Arc::new(ApiWriter::new(client.clone()));
    let (secrets, secret_changes) = watch_own_secrets(client.clone(), &operator_namespace);
    let room_changes = watch_scope(&client, &scope, rooms.clone(), room_writer);
    let guest_changes = watch_scope(&client, &scope, guests.clone(), guest_writer);
    let class_changes = watch_classes(&client, &controller_name, OtherClasses::default(), class_writer).map(|_| ());
    let connections = Arc::new(Connections::new(clock::now, metrics.clone()));
    let (sender, news) = mpsc::unbounded_channel();
    let class_news = sender.clone();
    let changes_of_calls = stream::select(
        room_changes.filter_map(|event| ready(event.ok().and_then(|event| Change::of(event, ObjectRef::from_obj)))),
        guest_changes.filter_map(|event| ready(event.ok().and_then(|event| Change::of(event, room_of)))),
    );
    watches.spawn(changes_of_calls.for_each(move |change| {
        // Nobody listens until the lobby is open, and nobody is connected before that either.
        let _ = sender.send(change);
        ready(())
    }));
    let recipe_changes = stream::select(class_changes, secret_changes);
    watches.spawn(keep(recipe_changes, backends.clone(), classes.clone(), secrets.clone(), metrics.clone(), class_news));
    secrets.ready().await?;
    let stores = Stores { rooms, guests, classes: classes.clone() };
    let lobby = Arc::new(AdmissionService::open(stores, installation, secrets.keys.clone(), backends.clone(), clerk, clock::now).await?);
    watches.spawn(guard(news, connections.clone(), lobby.clone()));
    watches.spawn(connections.clone().keep_time(lobby.clone()));
    // Whoever comes first must not come before the task that does this at each change.
    sync_backends(&backends, &classes, &secrets, metrics, &mut HashMap::new());
    let upstream = Upstream::new()?;
    let freshness = CacheStaleness::default();
    let (probes, keys) = (metrics.clone(), secrets.keys.clone());
    let asking = move || answers(client.clone());
    watches.spawn(freshness.clone().keep(longest_silence, asking, move |stale| probes.set_ready(!stale && keys.borrow().is_some())));
    let door = AppState {
        lobby,
        backends,
        connections,
        upstream,
        clock: clock::now,
        metrics: metrics.clone(),
        limits: Arc::new(RateLimits::new(rate_limit_per_address)),
        freshness,
        trust: TrustedProxies::new(&trusted_proxies),
        gateway_url: gateway_url.map(Into::into),
    };
    Ok((door, watches))
}

/// Whether the API server answers a small question, one that the account may ask.
async fn answers(client: Client) -> bool {
    Api::<RoomClass>::all(client).list(&ListParams::default().limit(1)).await.is_ok()
}

/// What may have put somebody out.
enum Change {
    /// Of one Room.
    Room(ObjectRef<Room>),
    /// Of something that all Rooms depend on.
    Everything,
}

impl Change {
    fn of<K>(event: Event<K>, room: fn(&K) -> ObjectRef<Room>) -> Option<Self> {
        match event {
            Event::Apply(object) | Event::Delete(object) => Some(Self::Room(room(&object))),
            Event::InitDone => Some(Self::Everything),
            // Not in the store yet.
            Event::Init | Event::InitApply(_) => None,
        }
    }
}

/// The Room of a guest.
fn room_of(guest: &RoomGuest) -> ObjectRef<Room> {
    ObjectRef::new(&guest.spec.room_name).within(guest.metadata.namespace.as_deref().unwrap_or_default())
}

/// Puts out whoever a change leaves without a place in the call.
async fn guard(mut changes: mpsc::UnboundedReceiver<Change>, connections: Arc<Connections>, lobby: Arc<AdmissionService>) {
    while let Some(change) = changes.recv().await {
        match change {
            Change::Room(room) => connections.room_changed(&lobby, &room),
            Change::Everything => connections.everything_changed(&lobby),
        }
    }
}

/// Keeps the backends in line with classes and credentials.
async fn keep(
    changes: impl Stream<Item = ()> + Send,
    backends: Arc<Registry>,
    classes: Store<RoomClass>,
    secrets: OwnSecrets,
    metrics: Metrics,
    news: mpsc::UnboundedSender<Change>,
) {
    let mut known = HashMap::new();
    let mut changes = std::pin::pin!(changes);
    while changes.next().await.is_some() {
        sync_backends(&backends, &classes, &secrets, &metrics, &mut known);
        // Nobody listens when the gateway ends.
        let _ = news.send(Change::Everything);
    }
}
