//! The status of a RoomClass.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ObjectMeta;
use kube::{Api, ResourceExt};

use crate::api::{ConditionType, Reason, RoomClass, RoomClassStatus};
use crate::cluster::post_params;
use crate::controller::context::{Context, may_use};
use crate::controller::request::timed;
use crate::domain::{BackendKind, ConditionStatus, Failure, condition};

/// What the condition `MediaReachable` says.
pub type MediaState = (ConditionStatus, Reason, String);

/// Writes the status of a class if it changed; with `counts` its Rooms are counted again. Of several shards the first one does it for all.
pub async fn report(class: &RoomClass, health: &Result<(), Failure>, media: MediaState, counts: bool, context: &Context, now: Timestamp) {
    if !context.shard.is_first() {
        return;
    }
    let name = class.name_any();
    let before = class.status.clone().unwrap_or_default();
    let of_others = || context.other_shards.count(|named| may_use(named, &name));
    let count = || context.rooms.all().iter().filter(|room| may_use(room.summary.class_name.as_deref(), &name)).count() + of_others();
    let after = RoomClassStatus {
        observed_generation: class.metadata.generation,
        capabilities: BackendKind::of(class).capabilities().names().map(str::to_owned).collect(),
        rooms: if counts { i32::try_from(count()).ok() } else { before.rooms },
        conditions: conditions(class, &before, health, media, now),
    };
    if class.status.as_ref() == Some(&after) {
        return;
    }
    if let Err(error) = write(class, after, context).await {
        tracing::info!(class = name, %error, "the status of a class could not be written; it is tried again");
    }
}

fn conditions(
    class: &RoomClass,
    before: &RoomClassStatus,
    health: &Result<(), Failure>,
    media: MediaState,
    now: Timestamp,
) -> Vec<Condition> {
    let ready = match health {
        Ok(()) => (true, Reason::Reconciled, "The media server can be used".to_owned()),
        Err(failure) => (false, failure.reason, failure.message.clone()),
    };
    let stalled = health.as_ref().err().is_some_and(Failure::needs_change).then(|| (true, ready.1, ready.2.clone()));
    let states = [Some((ConditionType::Ready, ready)), stalled.map(|stalled| (ConditionType::Stalled, stalled))];
    let (before, generation) = (&before.conditions, class.metadata.generation);
    let of_health = states.into_iter().flatten().map(|(kind, state)| condition(before, kind, state, generation, now));
    of_health.chain([condition(before, ConditionType::MediaReachable, media, generation, now)]).collect()
}

async fn write(class: &RoomClass, status: RoomClassStatus, context: &Context) -> Result<RoomClass, kube::Error> {
    let ObjectMeta { name, resource_version, uid, .. } = class.metadata.clone();
    let path = name.clone().unwrap_or_default();
    let metadata = ObjectMeta { name, resource_version, uid, ..ObjectMeta::default() };
    let update = RoomClass { metadata, status: Some(status), spec: class.spec.clone() };
    let params = post_params();
    timed(Api::all(context.client.clone()).replace_status(&path, &params, &update)).await
}
