//! Conditions as Kubernetes has them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{ConditionType, Reason};

/// Whether a condition holds, why, and in words.
pub type ConditionState = (bool, Reason, String);

/// A condition, with the transition time of the one before unless its status changed.
#[must_use]
pub fn condition(before: &[Condition], kind: ConditionType, state: ConditionState, generation: Option<i64>, now: Timestamp) -> Condition {
    let (holds, reason, message) = state;
    let (type_, status) = (kind.to_string(), if holds { "True" } else { "False" }.to_owned());
    let same = before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
    let last_transition_time = same.map_or(Time(now), |condition| condition.last_transition_time.clone());
    Condition { type_, status, reason: reason.to_string(), message, last_transition_time, observed_generation: generation }
}
