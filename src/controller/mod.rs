//! The controller: keeps sessions and invites equal to what the Rooms say.
//!
//! One pass over a Room is `reconcile`: observe, validate, plan, execute, report. Everything else here decides when a
//! pass is due (`triggers`), looks after the media servers (`class`, `sweep`), or remembers between passes (`newest`,
//! `pace`). The wire formats of backends are not known here.

mod attendance;
mod class;
mod context;
mod execute;
mod guests;
mod invites;
mod newest;
mod observe;
mod pace;
mod reconcile;
mod report;
mod request;
mod sweep;
mod triggers;
mod vigil;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::controller::{Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::{mpsc, watch};

use self::class::{ClassLoops, ClassWatch};
use self::context::Context;
use self::pace::Paces;
use crate::api::{COMPONENT, Room};
use crate::backend::Registry;
use crate::clock;
use crate::cluster::{self, KeysError, OwnSecrets};
use crate::domain::{Installation, KeyRing};
use crate::metrics::Metrics;

/// Rooms that are worked on at the same time.
const ROOMS_AT_ONCE: u16 = 32;

/// What the controller is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the operator, where signing keys and credentials are.
    pub operator_namespace: String,
    /// Base of join links.
    pub gateway_url: String,
    /// How often the invites of each Room are looked at.
    pub resync: Duration,
}

/// Why the controller could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A watch ended before it had listed its objects.
    #[error("a watch ended before it had listed its objects")]
    Watch(#[from] reflector::store::WriterDropped),
    /// The signing keys could not be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The operator's namespace does not exist.
    #[error("there is no namespace {0}; --operator-namespace must name the one that Roomkeeper runs in")]
    NoNamespace(String),
    /// The signing keys are there and cannot be used.
    #[error("the Secret {} has no usable invite signing key", cluster::INVITE_KEYS_SECRET)]
    NoKeys,
}

/// Runs the controller until `shutdown`, then lets the passes under way finish.
///
/// # Errors
/// When it cannot start; later errors are tried again.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), StartError> {
    let (nudges, due) = mpsc::unbounded_channel();
    let watches = triggers::start(&client, &settings.operator_namespace, &nudges);
    let (namespaces, secrets) = (watches.namespaces.clone(), watches.secrets.clone());
    watches.ready().await?;
    let installation = installation(&namespaces, &settings.operator_namespace)?;
    let keys = signing_keys(&client, &secrets, &settings.operator_namespace).await?;
    let context = Arc::new(Context {
        rooms: watches.rooms.clone(),
        guests: watches.guests.clone(),
        classes: watches.classes.clone(),
        namespaces,
        keys,
        backends: Registry::default(),
        attendance: attendance::Attendance::default(),
        vigils: vigil::Vigils::new(clock::now()),
        installation,
        gateway_url: settings.gateway_url.trim_end_matches('/').to_owned(),
        newest: newest::Newest::default(),
        paces: Paces::new(settings.resync),
        recorder: Recorder::new(client.clone(), Reporter { controller: COMPONENT.into(), instance: None }),
        metrics: metrics.clone(),
        nudges,
        client,
    });
    let loops = watch_classes(&context, &secrets, watches.classes_changed.clone()).await;
    let background = triggers::follow(watches, context.clone());
    metrics.ready();
    tracing::info!(rooms = context.rooms.len(), classes = context.classes.len(), "the controller has started");
    work(context, due, shutdown).await;
    background.abort();
    loops.abort();
    Ok(())
}

/// Works on the Rooms that are due, until `shutdown`.
async fn work(
    context: Arc<Context>,
    mut due: mpsc::UnboundedReceiver<ObjectRef<Room>>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    Controller::for_stream(stream::pending(), context.rooms.clone())
        .with_config(Config::default().concurrency(ROOMS_AT_ONCE))
        .reconcile_on(stream::poll_fn(move |wakeup| due.poll_recv(wakeup)))
        .graceful_shutdown_on(shutdown)
        .run(reconcile::reconcile, reconcile::retry, context)
        .for_each(|_| std::future::ready(()))
        .await;
}

fn installation(namespaces: &Store<Namespace>, own: &str) -> Result<Installation, StartError> {
    let namespace = namespaces.get(&ObjectRef::new(own)).and_then(|namespace| namespace.uid());
    namespace.map(|uid| Installation::from_namespace_uid(&uid)).ok_or_else(|| StartError::NoNamespace(own.to_owned()))
}

async fn signing_keys(client: &Client, secrets: &OwnSecrets, namespace: &str) -> Result<watch::Receiver<Option<Arc<KeyRing>>>, StartError> {
    if !secrets.exists(cluster::INVITE_KEYS_SECRET) {
        cluster::ensure_invite_keys(client.clone(), namespace, clock::now()).await?;
    }
    let mut keys = secrets.keys.clone();
    let usable = tokio::time::timeout(cluster::REQUEST_TIMEOUT, keys.wait_for(Option::is_some)).await.is_ok_and(|seen| seen.is_ok());
    if usable { Ok(keys) } else { Err(StartError::NoKeys) }
}

/// Looks at every class once, so that the first passes know their media servers, and then keeps looking.
async fn watch_classes(context: &Arc<Context>, secrets: &OwnSecrets, mut changed: watch::Receiver<()>) -> tokio::task::JoinHandle<()> {
    let first_looks = context.classes.state().into_iter().map(|class| async move {
        let mut watch = ClassWatch::default();
        watch.look(&class.name_any(), secrets, context).await;
        (class.name_any(), watch)
    });
    let mut loops = ClassLoops::default();
    loops.start(join_all(first_looks).await, secrets, context, &changed);
    let (context, secrets) = (context.clone(), secrets.clone());
    tokio::spawn(async move {
        while changed.changed().await.is_ok() {
            let names = context.classes.state().into_iter().map(|class| (class.name_any(), ClassWatch::default()));
            loops.start(names, &secrets, &context, &changed);
        }
    })
}
