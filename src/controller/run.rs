//! A controller from its start to its end.

use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::admission_policy;
use super::class::occupancy::Occupancy;
use super::class::runner::ClassRunner;
use super::context::Context;
use super::fence::Fence;
use super::guests;
use super::leader::{Election, while_leading};
use super::media_address;
use super::room::reconcile::reconcile;
use super::room::requeues::Requeues;
use super::room::seats::Seats;
use super::room::state::RoomStates;
use super::room::worker;
use super::signing_keys;
use super::startup::{self, StartError};
use super::triggers::{self, Triggers};
use super::unreadable;
use super::watches::{self, Watches};
use crate::api::RoomClass;
use crate::args::ControllerArgs;
use crate::backend::{Registry, WorkloadIdentity};
use crate::clock;
use crate::cluster::{Aside, BackendFactory, Freshness, NamespacedName, Scope, SessionRecords, Shard, WatchAges, read_class};
use crate::domain::Installation;
use crate::observability::health::Health;
use crate::observability::metrics::Metrics;

/// How long reconciliations under way may take after the controller was told to end: the next leader waits for the Lease meanwhile,
/// and does what they leave undone.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// How often what is over is forgotten: own writes that the watch has shown, and Rooms that had a seat and did not come.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// Runs the controller until `shutdown`, then lets the reconciliations under way finish. With `leader_elect` it stands by until it
/// is the leader.
///
/// # Errors
/// When it cannot start, or is the leader no more; other errors are tried again.
pub async fn run(
    (client, ages): (Client, WatchAges),
    args: ControllerArgs,
    metrics: Metrics,
    health: Health,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) -> Result<(), StartError> {
    let room_class = args.room_class_file.as_deref().map(read_class).transpose()?;
    let shutdown = shutdown.shared();
    let installation = tokio::select! {
        found = startup::preflight(&client, &args) => found?,
        () = shutdown.clone() => return Ok(()),
    };
    let (leader_elect, shards) = (args.leader_elect, args.shards.get());
    if shards > 1 && !leader_elect {
        return Err(StartError::Shards);
    }
    let election = Election::new(client.clone(), &args.operator_namespace, startup::identity(args.pod_uid.as_deref())?, shards);
    let silence = ages.clone();
    metrics.watch_silence(move || silence.oldest(clock::uptime()));
    let fence = Fence::new(leader_elect.then(|| election.renewals()), ages);
    metrics.shards(shards);
    let start = |shard| Start { installation, args, shard, room_class, metrics, health: health.clone(), fence };
    if !leader_elect {
        return lead(client, start(Shard::WHOLE), shutdown).await;
    }
    let won = tokio::select! {
        won = election.win(|| health.set_ready(true)) => won?,
        () = shutdown.clone() => return Ok(()),
    };
    tracing::info!(shard = won.shard, shards, "this controller is the leader");
    let start = start(Shard::new(won.shard, shards));
    while_leading(&election, won, Box::pin(lead(client, start, shutdown))).await
}

/// What a controller starts to lead with.
struct Start {
    installation: Installation,
    args: ControllerArgs,
    shard: Shard,
    room_class: Option<RoomClass>,
    metrics: Metrics,
    health: Health,
    fence: Fence,
}

/// Works, as the only one.
async fn lead(client: Client, start: Start, shutdown: impl Future<Output = ()> + Clone + Send + Sync + 'static) -> Result<(), StartError> {
    start.metrics.leads();
    // What goes on beside the reconciliations. It ends with this function.
    let mut background = JoinSet::new();
    let (fence, health) = (start.fence.clone(), start.health.clone());
    let policy = admission_policy::report(client.clone(), start.args.operator_namespace.clone());
    // None of what is there may end.
    background.spawn(policy.then(|()| pending()));
    let (context, called) = tokio::select! {
        begun = begin(client, start, &mut background) => begun?,
        () = shutdown.clone() => return Ok(()),
    };
    context.health.set_ready(true);
    tracing::info!(rooms = context.rooms.count(), classes = context.classes.len(), "the controller has started");
    let leave = async {
        shutdown.clone().await;
        sleep(LEAVE_WITHIN).await;
    };
    tokio::select! {
        () = worker::work(called, |room| reconcile(room, context.clone()), shutdown.clone()) => Ok(()),
        () = leave => {
            tracing::info!("reconciliations that take long are left to the next leader");
            Ok(())
        }
        () = fence.follow(health) => Err(StartError::Silent),
        // None of it ends but by a fault.
        _ = background.join_next() => Err(StartError::Ended),
    }
}

/// Begins to lead: makes what is missing, fills the caches, and looks at every class. Gives the Rooms that are called, see [`Seats`].
async fn begin(
    client: Client,
    start: Start,
    background: &mut JoinSet<()>,
) -> Result<(Arc<Context>, mpsc::UnboundedReceiver<NamespacedName>), StartError> {
    let Start { installation, args, shard, room_class, metrics, health, fence } = start;
    startup::install(&client, &args, room_class.as_ref()).await?;
    let now = clock::now();
    let (watches, changes) = watches::start(&client, &args, shard, &metrics, background);
    watches.ready().await?;
    let keys = startup::signing_keys(&client, &watches.secrets, &args.operator_namespace, now).await?;
    background.spawn(signing_keys::keep(client.clone(), args.operator_namespace.clone(), keys.clone()));
    let Watches { rooms, aside: Aside { unreadable, other_shards, lists }, guests, removals, classes, others, namespaces, secrets } =
        watches;
    let (call, mut called) = mpsc::unbounded_channel();
    let (included_media, telling) = media_address::start(&client, &args, shard);
    if let Some(telling) = telling {
        background.spawn(telling.run());
    }
    let scope = Scope::new(&args.watch_namespaces);
    let context = Arc::new(Context {
        rooms,
        unreadable,
        other_shards,
        guests,
        removals,
        classes,
        others,
        namespaces,
        keys,
        factory: factory(&client, &args, &metrics),
        backends: Registry::default(),
        occupancy: Occupancy::default(),
        states: RoomStates::new(args.resync.into(), lists.clone(), now),
        seats: Seats::new(call),
        requeues: Requeues::default(),
        freshness: Freshness::new(scope.clone(), lists),
        included_media,
        installation,
        scope,
        shard,
        gateway_url: args.gateway_url.trim_end_matches('/').to_owned(),
        metrics,
        health,
        fence,
        client,
    });
    let watches::Changes { rooms, guests, removals, namespaces, guests_without_room, classes } = changes;
    let classes = ClassRunner::start(secrets, context.clone(), classes).await;
    background.spawn(classes.run());
    background.spawn(unreadable::follow(context.clone()));
    background.spawn(guests::follow(guests_without_room, context.clone()));
    background.spawn(forget(context.clone()));
    count_rooms(&context);
    let mut triggers = Triggers { rooms, guests, removals, namespaces, steps: steps_of_the_clock(background) };
    skip_what_was_there(&context, &mut triggers, &mut called);
    background.spawn(triggers::follow(triggers, context.clone()));
    Ok((context, called))
}

/// All Rooms are due at the start, each once: what was there at first besides, and the first looks at the classes, make none due.
fn skip_what_was_there(context: &Context, triggers: &mut Triggers, called: &mut mpsc::UnboundedReceiver<NamespacedName>) {
    while triggers.namespaces.try_recv().is_ok() {}
    while triggers.guests.try_recv().is_ok() {}
    while triggers.removals.try_recv().is_ok() {}
    context.seats.clear();
    while called.try_recv().is_ok() {}
}

fn factory(client: &Client, args: &ControllerArgs, metrics: &Metrics) -> BackendFactory {
    BackendFactory {
        metrics: metrics.clone(),
        records: SessionRecords::new(client.clone(), &args.operator_namespace),
        workload_identity: args.azure.identity().map(WorkloadIdentity::from),
    }
}

fn steps_of_the_clock(background: &mut JoinSet<()>) -> mpsc::UnboundedReceiver<()> {
    let (stepped, steps) = mpsc::unbounded_channel();
    background.spawn(clock::watch_for_steps(move || {
        // Whoever takes it has ended when the receiver is gone.
        let _ = stepped.send(());
    }));
    steps
}

/// Forgets what is over soon after it is, until it is ended.
async fn forget(context: Arc<Context>) {
    loop {
        sleep(FORGET_EVERY).await;
        context.states.forget_shown(&context.rooms);
        context.seats.call_again();
    }
}

fn count_rooms(context: &Context) {
    let rooms = context.rooms.clone();
    context.metrics.count_rooms(move || rooms.all().iter().map(|room| room.summary.phase).collect());
}
