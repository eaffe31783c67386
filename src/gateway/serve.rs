//! Starts the gateway: the watches it lives from, and the address it listens on.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::{StreamExt, stream};
use kube::runtime::reflector::{self, Store};
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{ApiClerk, Lobby, router};
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
    let Settings { listen: address, operator_namespace } = settings;
    let backends = Arc::new(Registry::default());
    let mut watches = JoinSet::new();
    let (rooms, room_writer) = reflector::store::<Room>();
    let (guests, guest_writer) = reflector::store::<RoomGuest>();
    let (classes, class_writer) = reflector::store::<RoomClass>();
    let clerk = Arc::new(ApiClerk::new(client.clone()));
    let (secrets, secret_changes) = watch_own_secrets(client.clone(), &operator_namespace);
    watches.spawn(cluster::watch(Api::all(client.clone()), room_writer).for_each(|_| std::future::ready(())));
    watches.spawn(cluster::watch(Api::all(client.clone()), guest_writer).for_each(|_| std::future::ready(())));
    let class_changes = cluster::watch(Api::all(client), class_writer).map(|_| ());
    let changes = stream::select(class_changes, secret_changes);
    watches.spawn(keep(changes, backends.clone(), classes.clone(), secrets.clone()));
    secrets.ready().await?;
    let lobby = Lobby::open(rooms, guests, classes, secrets.keys.clone(), backends, clerk, clock::now).await?;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    metrics.ready();
    tracing::info!(%address, "the gateway has started");
    let served = axum::serve(listener, router(Arc::new(lobby))).with_graceful_shutdown(shutdown);
    served.await.map_err(ServeError::Serve)
}

/// Keeps the backends in line with classes and credentials.
async fn keep(changes: impl futures::Stream<Item = ()> + Send, backends: Arc<Registry>, classes: Store<RoomClass>, secrets: OwnSecrets) {
    let mut known = HashMap::new();
    let mut changes = std::pin::pin!(changes);
    while changes.next().await.is_some() {
        keep_backends(&backends, &classes, &secrets, &mut known);
    }
}
