//! Whether the media of a class reach people, by the sessions that are used.

use std::time::Duration;

use futures::future::join_all;

use super::report::MediaState;
use super::sweep::Sessions;
use crate::api::{ConditionType, Reason, RoomClass};
use crate::backend::Backend;
use crate::clock;
use crate::controller::context::Context;
use crate::domain::{BackendKind, ConditionStatus, MediaConnections, MediaReach};

/// Sessions that are looked at each time: what holds for some people of a media server mostly holds for all.
const LOOKED_AT: usize = 3;

/// How the media do in some of the sessions that are used. One that the media server does not tell of says nothing.
pub async fn look_at_media(backend: &dyn Backend, sessions: &Sessions) -> Vec<MediaConnections> {
    let now = clock::now();
    let used = sessions.iter().filter(|(_, joined)| **joined > 0).take(LOOKED_AT);
    let looks = join_all(used.map(|(session, _)| backend.media_connections(session, now))).await;
    looks.into_iter().flatten().collect()
}

/// The condition `MediaReachable` of a class. What its status says of another spec does not count.
pub fn media_state(reach: &MediaReach, class: &RoomClass, context: &Context, uptime: Duration) -> MediaState {
    if let Some(problem) = context.included_media.problem_of(class) {
        return (ConditionStatus::False, Reason::NoMediaAddress, problem);
    }
    if !BackendKind::of(class).capabilities().presence {
        let message = "The media server does not say who has joined, so whether media reach people is not seen";
        return (ConditionStatus::Unknown, Reason::NotReported, message.to_owned());
    }
    let status = class.status.as_ref().filter(|status| status.observed_generation == class.metadata.generation);
    let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let written = conditions.iter().find(|condition| condition.type_ == ConditionType::MediaReachable.to_string());
    // What was said of the address says nothing of people.
    let of_people = written.filter(|condition| condition.reason != Reason::NoMediaAddress.to_string());
    reach.condition(ConditionStatus::of(of_people), uptime)
}
