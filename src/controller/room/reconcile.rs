//! One reconciliation of one Room, from its caches to its report. Only here it looks at the clock.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::controller::Action;
use tracing::{Instrument, info_span};

use super::confirm::is_current;
use super::execute::execute;
use super::observe::observe;
use super::report::report;
use super::seats::Seat;
use super::validate::validate;
use crate::api::Room;
use crate::clock;
use crate::cluster::{CachedRoom, name_of};
use crate::controller::context::Context;
use crate::domain::{Failure, Priority, RoomSummary, plan, priority};
use crate::observability::traces::{join_room_trace, room_trace_id};

/// When a Room is looked at again for which nothing may be done now.
const CLOSED_FOR: Duration = Duration::from_secs(1);

/// When a Room is looked at again that has changed, and the watch has not shown it yet.
const OUTDATED_FOR: Duration = Duration::from_secs(1);

/// Reconciles a Room that is ours, as part of its trace.
pub async fn reconcile(cached: Arc<CachedRoom>, context: Arc<Context>) -> Result<Action, Failure> {
    let ObjectMeta { namespace, name, uid, .. } = cached.meta();
    let uid = uid.as_deref().unwrap_or_default();
    if context.is_of_another(cached.summary.class_name.as_deref()) {
        return Ok(Action::await_change());
    }
    if context.fence.check().is_err() {
        return Ok(Action::requeue(CLOSED_FOR));
    }
    let seat = take_seat(&cached, &context);
    // Read only now: where many wait, most get no seat.
    let Some((seat, room)) = seat.and_then(|seat| Some((seat, context.rooms.get(&name_of(&cached))?))) else {
        return Ok(Action::requeue(context.states.at_the_latest(uid, clock::now())));
    };
    let span = info_span!("reconcile", namespace, room = name, trace_id = room_trace_id(uid));
    join_room_trace(&span, uid);
    // Boxed, because kube's Controller has a task for each Room that is due, and most of them may get no seat.
    match Box::pin(unless_it_panics(reconcile_room(room, seat, &context))).instrument(span).await {
        Some(next) => next.map(Action::requeue),
        None => Ok(Action::requeue(context.states.at_the_latest(uid, clock::now()))),
    }
}

/// What a reconciliation ends with; `None` when it panics, so that it ends no other.
async fn unless_it_panics<T>(pass: impl Future<Output = T>) -> Option<T> {
    let ended = AssertUnwindSafe(pass).catch_unwind().await;
    ended.inspect_err(|_| tracing::error!("a reconciliation was given up because of a fault in Roomkeeper")).ok()
}

/// Brings a Room closer to its spec; the time until it has to be reconciled again.
async fn reconcile_room(room: Arc<Room>, seat: Seat, context: &Context) -> Result<Duration, Failure> {
    let started = clock::now();
    let room = context.states.newest(room);
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

/// A seat for a Room; `None` when it has to wait for one.
fn take_seat(room: &CachedRoom, context: &Context) -> Option<Seat> {
    let written = context.states.ahead_of(room).map(|room| RoomSummary::of(&room));
    let summary = written.as_ref().unwrap_or(&room.summary);
    let priority = match context.states.closed_at(room.meta().uid.as_deref().unwrap_or_default(), summary.recorded_session()) {
        Some(_) => Priority::Background,
        None => priority(summary, &context.guests.of(room), clock::now()),
    };
    context.seats.take(&name_of(room), context.class_of(summary), priority)
}

/// When to reconcile again after a failure: after a growing pause, and at the next transition of the plan at the latest.
// The signature is kube's.
#[allow(clippy::needless_pass_by_value)]
pub fn error_policy(room: Arc<CachedRoom>, failure: &Failure, context: Arc<Context>) -> Action {
    tracing::info!(
        namespace = room.meta().namespace,
        room = room.meta().name,
        %failure,
        "a reconciliation could not be finished and is tried again"
    );
    context.metrics.failed(failure.reason);
    let uid = room.meta().uid.as_deref().unwrap_or_default();
    Action::requeue(context.states.after_failure(uid, failure, clock::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reconciliation_that_panics_ends_alone() {
        assert_eq!(unless_it_panics(async { panic!("as a fault would") }).await, None::<u8>);
        assert_eq!(unless_it_panics(async { 7 }).await, Some(7));
    }
}
