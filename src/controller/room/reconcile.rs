//! One reconciliation of one Room, from its caches to its report. Only here it looks at the clock.

use std::sync::Arc;
use std::time::Duration;

use tracing::{Instrument, info_span};

use super::confirm::is_current;
use super::execute::execute;
use super::observe::observe;
use super::report::report;
use super::seats::Seat;
use super::validate::validate;
use crate::api::Room;
use crate::clock;
use crate::cluster::{CachedRoom, NamespacedName};
use crate::controller::context::Context;
use crate::domain::{Failure, plan};
use crate::observability::traces::{join_room_trace, room_trace_id};

/// When a Room is looked at again for which nothing may be done now.
const CLOSED_FOR: Duration = Duration::from_secs(1);

/// When a Room is looked at again that has changed, and the watch has not shown it yet.
const OUTDATED_FOR: Duration = Duration::from_secs(1);

/// Reconciles a Room that was called, if it is still there and ours, as part of its trace, and says when it is due again.
pub async fn reconcile(name: NamespacedName, context: Arc<Context>) {
    let Some(cached) = context.rooms.get(&name) else { return };
    let (class, priority) = context.urgency(&cached);
    let Some(seat) = context.seats.take(&name, &class, priority) else { return };
    // From here on it is called again for what comes, so all else is looked at only now.
    let is_ours = |room: &Arc<CachedRoom>| !context.is_of_another(room.summary.class_name.as_deref());
    let Some(cached) = context.rooms.get(&name).filter(is_ours) else { return };
    if context.fence.check().is_err() {
        context.requeues.after(&name, CLOSED_FOR);
        return;
    }
    let Some(room) = cached.whole() else { return };
    let span = info_span!("reconcile", namespace = name.namespace(), room = name.name(), trace_id = room_trace_id(cached.uid()));
    join_room_trace(&span, cached.uid());
    let room = context.states.newest(cached.uid(), room);
    let reconciled = reconcile_room(room, seat, &context).instrument(span).await;
    let wait = reconciled.unwrap_or_else(|failure| after_failure(&cached, &failure, &context));
    // Of one that is gone meanwhile nothing is remembered.
    if context.rooms.get(&name).is_some() {
        context.requeues.after(&name, wait);
    }
}

/// Brings a Room closer to its spec; the time until it has to be reconciled again.
async fn reconcile_room(room: Arc<Room>, seat: Seat, context: &Context) -> Result<Duration, Failure> {
    let started = clock::now();
    let guests = context.guests.of(room.as_ref());
    let removed = context.removals.identities(&room);
    let keys = context.keys.borrow().clone();

    let valid = validate(&room, &guests, removed.clone(), context);
    let snapshot = observe(room, (guests, removed), valid, keys, context, started).await;
    if let Some(session) = snapshot.used_session() {
        context.occupancy.mark_used(&snapshot.class, session);
    }
    // The media server may have taken seconds, and what is planned must fit the moment.
    let now = clock::now();
    let plan = plan(&snapshot.observed, &context.installation, now);
    context.states.planned(snapshot.uid(), plan.next_transition);
    if !is_current(&plan, &snapshot, context).await? {
        tracing::debug!("nothing is taken away by what is not true any more; the watch has to show first what is");
        return Ok(OUTDATED_FOR);
    }
    let Some(executed) = execute(plan, &snapshot, &seat, context).await? else {
        return Ok(context.states.closed(&snapshot.observed.room, clock::now()));
    };
    context.states.executed(snapshot.uid(), snapshot.observed.recheck_invites, now);
    let failed = report(&snapshot, executed, context, now, clock::now()).await?;

    let ended = clock::now();
    context.metrics.reconciled(ended.duration_since(started));
    Ok(match failed {
        Some(failure) => context.states.after_failure(snapshot.uid(), &failure, ended),
        None => context.states.after_success(snapshot.uid(), ended),
    })
}

/// The time until a Room is reconciled again after a failure: a growing pause, and no longer than until the next transition of the plan.
fn after_failure(room: &CachedRoom, failure: &Failure, context: &Context) -> Duration {
    tracing::info!(
        namespace = room.name().namespace(),
        room = room.name().name(),
        %failure,
        "a reconciliation could not be finished and is tried again"
    );
    context.metrics.failed(failure.reason);
    context.states.after_failure(room.uid(), failure, clock::now())
}
