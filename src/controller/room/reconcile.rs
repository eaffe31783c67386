//! One reconciliation over one Room.

use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::runtime::controller::Action;
use tracing::{Instrument, info_span};

use super::execute::execute;
use super::observe::observe;
use super::report::report;
use crate::api::{Reason, Room};
use crate::clock;
use crate::controller::context::Context;
use crate::domain::{Failure, plan};
use crate::observability::traces::{join_room_trace, room_trace_id};

/// One reconciliation, as part of the Room's trace.
pub async fn reconcile(room: Arc<Room>, context: Arc<Context>) -> Result<Action, Failure> {
    let ObjectMeta { namespace, name, uid, .. } = &room.metadata;
    let uid = uid.as_deref().unwrap_or_default();
    if context.is_of_another(&room) {
        return Ok(Action::await_change());
    }
    let span = info_span!("pass", namespace, room = name, trace_id = room_trace_id(uid));
    join_room_trace(&span, uid);
    reconcile_room(room, context).instrument(span).await
}

/// Brings a Room closer to its spec: observe, plan, execute, report.
async fn reconcile_room(room: Arc<Room>, context: Arc<Context>) -> Result<Action, Failure> {
    let _moving = context.metrics.watchdog().begin(format!("a reconciliation over {:?}/{:?}", room.metadata.namespace, room.metadata.name));
    let started = clock::now();
    let keys = context.keys.borrow().clone();
    let keys = keys.ok_or_else(|| Failure::transient(Reason::Misconfigured, "the invite signing keys are not known yet"))?;
    let snapshot = observe(room, keys, &context, started).await;
    let now = clock::now();
    let plan = plan(&snapshot.observed, &context.installation, now);
    let executed = execute(plan, &snapshot, &context).await?;
    let wait = report(&snapshot, executed, &context, now).await?;
    context.metrics.reconciled(clock::now().duration_since(started));
    Ok(Action::requeue(wait))
}

/// When to look again after a reconciliation that could not be finished.
// The signature is kube's.
#[allow(clippy::needless_pass_by_value)]
pub fn retry(room: Arc<Room>, failure: &Failure, context: Arc<Context>) -> Action {
    tracing::info!(
        namespace = room.metadata.namespace,
        room = room.metadata.name,
        %failure,
        "a reconciliation could not be finished and is tried again"
    );
    context.metrics.failed(failure.reason);
    Action::requeue(context.retries.failed(room.metadata.uid.as_deref().unwrap_or_default(), failure))
}
