//! A controller from its start to its end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, StreamExt, stream};
use kube::runtime::controller::{Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::class::occupancy::Occupancy;
use super::class::runner::{ClassLoops, ClassWatch};
use super::context::Context;
use super::leader::{Election, while_leading};
use super::room::backoff::RetrySchedule;
use super::room::recheck::RecheckWindows;
use super::room::reconcile::{reconcile, retry};
use super::room::write_cache::WriteCache;
use super::settings::Settings;
use super::startup::{self, StartError};
use super::watches;
use crate::api::{COMPONENT, Phase, Room};
use crate::backend::Registry;
use crate::clock;
use crate::cluster::OwnSecrets;
use crate::domain::Installation;
use crate::observability::metrics::Metrics;

/// Rooms that are worked on at the same time.
const ROOMS_AT_ONCE: u16 = 32;
/// How long reconciliations under way may take after the controller was told to end: the next leader waits for the Lease meanwhile, and does
/// what they leave undone.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// How long the first look at a class may take: the Rooms of all others wait for it.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Runs the controller until `shutdown`, then lets the reconciliations under way finish. With `leader_elect` it stands by until it is
/// the leader.
///
/// # Errors
/// When it cannot start, or is the leader no more; other errors are tried again.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), StartError> {
    let shutdown = shutdown.shared();
    let installation = tokio::select! {
        found = startup::preflight(&client, &settings) => found?,
        () = shutdown.clone() => return Ok(()),
    };
    if !settings.leader_elect {
        return lead(client, installation, settings, metrics, shutdown).await;
    }
    let election = Election::new(client.clone(), &settings.operator_namespace, startup::identity()?);
    let lease = tokio::select! {
        won = election.win(|| metrics.ready()) => won?,
        () = shutdown.clone() => return Ok(()),
    };
    tracing::info!("this controller is the leader");
    while_leading(&election, lease, Box::pin(lead(client, installation, settings, metrics, shutdown))).await
}

/// Works, as the only one.
async fn lead(
    client: Client,
    installation: Installation,
    settings: Settings,
    metrics: Metrics,
    shutdown: impl Future<Output = ()> + Clone + Send + Sync + 'static,
) -> Result<(), StartError> {
    metrics.leads();
    let (queue, due) = mpsc::unbounded_channel();
    let (context, background) = tokio::select! {
        begun = begin(client, installation, settings, metrics, queue) => begun?,
        () = shutdown.clone() => return Ok(()),
    };
    context.metrics.ready();
    tracing::info!(rooms = context.rooms.len(), classes = context.classes.len(), "the controller has started");
    let leave = async {
        shutdown.clone().await;
        sleep(LEAVE_WITHIN).await;
    };
    tokio::select! {
        () = work(context, due, shutdown.clone()) => Ok(()),
        () = leave => {
            tracing::info!("reconciliations that take long are left to the next leader");
            Ok(())
        }
        () = background.ended() => Err(StartError::Ended),
    }
}

/// What goes on beside the reconciliations, until it is dropped.
struct Background([tokio::task::JoinHandle<()>; 2]);

impl Background {
    /// Waits until something of it has ended, which is a fault.
    async fn ended(mut self) {
        let [one, other] = &mut self.0;
        tokio::select! {
            ended = one => drop(ended),
            ended = other => drop(ended),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Begins to lead: makes what is missing, fills the caches, and looks at every class.
async fn begin(
    client: Client,
    installation: Installation,
    settings: Settings,
    metrics: Metrics,
    queue: mpsc::UnboundedSender<ObjectRef<Room>>,
) -> Result<(Arc<Context>, Background), StartError> {
    startup::install(&client, &settings).await?;
    let watches = watches::start(&client, &settings, &queue);
    let (namespaces, secrets) = (watches.namespaces.clone(), watches.secrets.clone());
    watches.ready().await?;
    let keys = startup::signing_keys(&client, &secrets, &settings.operator_namespace).await?;
    let context = Arc::new(Context {
        rooms: watches.rooms.clone(),
        guests: watches.guests.clone(),
        classes: watches.classes.clone(),
        others: watches.others.clone(),
        namespaces,
        keys,
        backends: Registry::default(),
        occupancy: Occupancy::default(),
        rechecks: RecheckWindows::new(clock::now()),
        installation,
        gateway_url: settings.gateway_url.trim_end_matches('/').to_owned(),
        writes: WriteCache::default(),
        retries: RetrySchedule::new(settings.resync),
        recorder: Recorder::new(client.clone(), Reporter { controller: COMPONENT.into(), instance: None }),
        metrics,
        queue,
        client,
    });
    let loops = watch_classes(&context, &secrets, watches.classes_changed.clone()).await;
    let background = Background([loops, watches::follow(watches, context.clone())]);
    let rooms = context.rooms.clone();
    context.metrics.count_rooms(move || {
        rooms.state().iter().map(|room| room.status.as_ref().map_or(Phase::default(), |status| status.phase)).collect()
    });
    Ok((context, background))
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
        .run(reconcile, retry, context)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Looks at every class once, so that the first reconciliations know their media servers, and then keeps looking, until a loop ends by a
/// fault.
async fn watch_classes(context: &Arc<Context>, secrets: &OwnSecrets, mut changed: watch::Receiver<()>) -> tokio::task::JoinHandle<()> {
    let first_looks = context.classes.state().into_iter().map(|class| async move {
        let mut watch = ClassWatch::default();
        // Its own loop goes on with one that takes longer.
        let _ = timeout(FIRST_LOOK, watch.look(&class.name_any(), secrets, context)).await;
        (class.name_any(), watch)
    });
    let mut loops = ClassLoops::default();
    loops.start(join_all(first_looks).await, secrets, context, &changed);
    let (context, secrets) = (context.clone(), secrets.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                news = changed.changed() => if news.is_err() { return },
                () = loops.ended() => return,
            }
            let names = context.classes.state().into_iter().map(|class| (class.name_any(), ClassWatch::default()));
            loops.start(names, &secrets, &context, &changed);
        }
    })
}
