//! Starts the gateway: the watches it lives from, and the address it listens on.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::net::SocketAddr;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connections::Connections;
use super::{ApiClerk, Door, Lobby, Upstream, UpstreamError, router};
use crate::api::{Room, RoomClass, RoomGuest};
use crate::backend::Registry;
use crate::clock;
use crate::cluster::{self, OwnSecrets, keep_backends, watch_own_secrets};
use crate::metrics::Metrics;

/// What the gateway is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Namespace of the operator, where signing keys and credentials are.
    pub operator_namespace: String,
    /// Address of the gateway as people reach it; where requests say that they came to, if not set.
    pub gateway_url: Option<String>,
}

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A watch ended before it had listed its objects.
    #[error("a watch ended before it had listed its objects")]
    Watch(#[from] reflector::store::WriterDropped),
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
    /// The server ended.
    #[error("the server ended: {0}")]
    Serve(std::io::Error),
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
    let Settings { listen: address, operator_namespace, gateway_url } = settings;
    let backends = Arc::new(Registry::default());
    let mut watches = JoinSet::new();
    let (rooms, room_writer) = reflector::store::<Room>();
    let (guests, guest_writer) = reflector::store::<RoomGuest>();
    let (classes, class_writer) = reflector::store::<RoomClass>();
    let clerk = Arc::new(ApiClerk::new(client.clone()));
    let (secrets, secret_changes) = watch_own_secrets(client.clone(), &operator_namespace);
    let room_changes = cluster::watch(Api::all(client.clone()), room_writer);
    let guest_changes = cluster::watch(Api::all(client.clone()), guest_writer);
    let class_changes = cluster::watch(Api::all(client), class_writer).map(|_| ());
    let connections = Arc::new(Connections::new(clock::now, metrics.clone()));
    let (changed, change) = mpsc::unbounded_channel();
    let class_changed = changed.clone();
    let changes_of_calls = stream::select(
        room_changes.filter_map(|event| ready(event.ok().and_then(|event| Change::of(event, ObjectRef::from_obj)))),
        guest_changes.filter_map(|event| ready(event.ok().and_then(|event| Change::of(event, room_of)))),
    );
    watches.spawn(changes_of_calls.for_each(move |change| {
        // Nobody listens until the lobby is open, and nobody is connected before that either.
        let _ = changed.send(change);
        ready(())
    }));
    let changes = stream::select(class_changes, secret_changes);
    watches.spawn(keep(changes, backends.clone(), classes.clone(), secrets.clone(), class_changed));
    secrets.ready().await?;
    let lobby = Arc::new(Lobby::open(rooms, guests, classes, secrets.keys.clone(), backends.clone(), clerk, clock::now).await?);
    watches.spawn(guard(change, connections.clone(), lobby.clone()));
    watches.spawn(connections.clone().keep_time(lobby.clone()));
    let upstream = Upstream::new()?;
    let gateway_url = gateway_url.map(Into::into);
    let door = Door { lobby, backends, connections, upstream, clock: clock::now, metrics: metrics.clone(), gateway_url };
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    metrics.ready();
    tracing::info!(%address, "the gateway has started");
    let served = axum::serve(listener, router(door)).with_graceful_shutdown(shutdown);
    served.await.map_err(ServeError::Serve)
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
async fn guard(mut changes: mpsc::UnboundedReceiver<Change>, connections: Arc<Connections>, lobby: Arc<Lobby>) {
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
    changed: mpsc::UnboundedSender<Change>,
) {
    let mut known = HashMap::new();
    let mut changes = std::pin::pin!(changes);
    while changes.next().await.is_some() {
        keep_backends(&backends, &classes, &secrets, &mut known);
        // Nobody listens when the gateway ends.
        let _ = changed.send(Change::Everything);
    }
}
