//! Last stage, I/O: at most one status write, then Events, the status of guests, and the end of removals.

use jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource};

use super::execute::Executed;
use super::observe::Snapshot;
use crate::api::{COMPONENT, Reason, Room, RoomStatus};
use crate::clock;
use crate::cluster::{post_params, publish_event};
use crate::controller::context::Context;
use crate::controller::guests::reconcile_guests;
use crate::controller::removals::end_removals;
use crate::controller::request::{failure_of, timed};
use crate::domain::{EventDraft, Failure, Outcome, event_drafts, status};

/// Writes the status if it changed, publishes Events, and brings guests and removals up to date. Gives what of the plan failed.
///
/// # Errors
/// When the status, or that of a guest, could not be written.
pub async fn report(
    snapshot: &Snapshot,
    executed: Executed<'_>,
    context: &Context,
    planned: Timestamp,
    now: Timestamp,
) -> Result<Option<Failure>, Failure> {
    // What is proven by the write of the status is not until that is sent.
    let Executed { outcome, written, proof: _proof } = executed;
    if let Some(failure) = outcome.left_behind() {
        leave_behind(snapshot, failure, context).await;
    }
    if let Some(until) = outcome.ended_window() {
        context.metrics.ended(snapshot.observed.closed_at.unwrap_or(now).duration_since(until));
    }
    if outcome.is_gone() {
        return Ok(None);
    }
    let room = written.map_or_else(|| snapshot.observed.room.clone(), |room| context.states.wrote(room));
    if room.metadata.deletion_timestamp.is_none() {
        report_status(&room, snapshot, &outcome, context, planned).await?;
    }
    let failure = outcome.failure().cloned();
    if let Some(failure) = &failure {
        tracing::info!(namespace = snapshot.namespace(), room = snapshot.name(), %failure, "the Room is not as it should be");
        context.metrics.failed(failure.reason);
    }
    Ok(failure)
}

/// Tells of the outcome in the status of `room`, which is the object as the execution left it, in Events and in the status of its
/// guests.
async fn report_status(room: &Room, snapshot: &Snapshot, outcome: &Outcome, context: &Context, now: Timestamp) -> Result<(), Failure> {
    let before = snapshot.room().status.as_ref();
    let after = status(&snapshot.observed, outcome, now);
    if before.and_then(|status| status.observed_generation) != room.metadata.generation || outcome.has_removed_people() {
        context.states.begin_recheck(snapshot.uid(), now);
    }
    if before != Some(&after) {
        let sent_at = clock::uptime();
        match write(room, after.clone(), context).await {
            Ok(written) => context.freshness.wrote(context.states.wrote(written), sent_at),
            Err(error) => {
                context.states.not_recorded(snapshot.uid(), outcome);
                return Err(failure_of(&error));
            }
        }
    }
    context.states.recorded(room, outcome);
    for draft in event_drafts(before, &after, outcome) {
        publish(room, draft, context).await;
    }
    let guests = reconcile_guests(&snapshot.observed, &after, context, now).await;
    guests.and(end_removals(snapshot.room(), &after, context).await)
}

/// Replaces the status, unless somebody changed the object in between.
async fn write(room: &Room, status: RoomStatus, context: &Context) -> Result<Room, kube::Error> {
    let ObjectMeta { name, namespace, resource_version, uid, .. } = room.metadata.clone();
    let api = Api::<Room>::namespaced(context.client.clone(), namespace.as_deref().unwrap_or_default());
    let path = name.clone().unwrap_or_default();
    // Of a status update the API server takes the status alone, so there is no need to send the spec.
    let metadata = ObjectMeta { name, namespace, resource_version, uid, ..ObjectMeta::default() };
    let update = Room { metadata, status: Some(status), ..Room::default() };
    let params = post_params();
    timed(api.replace_status(&path, &params, &update)).await
}

async fn leave_behind(snapshot: &Snapshot, failure: &Failure, context: &Context) {
    context.metrics.left_behind();
    let note = format!("The Room is deleted although its cleanup did not finish: {}", failure.message);
    tracing::warn!(namespace = snapshot.namespace(), room = snapshot.name(), %failure, "a Room is deleted although its cleanup did not finish");
    publish(snapshot.room(), EventDraft { warning: true, reason: Reason::SessionLeftBehind, note }, context).await;
}

/// Publishes an Event. One that is lost is no reason to fail: the status tells the same.
async fn publish(room: &Room, draft: EventDraft, context: &Context) {
    let EventDraft { warning, reason, note } = draft;
    let event = Event {
        type_: if warning { EventType::Warning } else { EventType::Normal },
        reason: reason.to_string(),
        note: Some(note),
        action: "Reconcile".into(),
        secondary: None,
    };
    if let Err(error) = timed(publish_event(context.client.clone(), COMPONENT, &event, &room.object_ref(&()))).await {
        tracing::debug!(%error, reason = %reason, "an Event could not be published");
    }
}
