//! Conditions as Kubernetes has them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{ConditionType, Reason};

/// Whether a condition holds, why, and in words.
pub type ConditionState = (bool, Reason, String);

/// Whether a condition holds, where that may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl ConditionStatus {
    /// That of a condition as it was written; unknown where there is none.
    #[must_use]
    pub fn of(written: Option<&Condition>) -> Self {
        match written.map(|condition| condition.status.as_str()) {
            Some("True") => Self::True,
            Some("False") => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// A condition, with the transition time of the one before unless its status changed.
#[must_use]
pub fn condition(
    before: &[Condition],
    kind: ConditionType,
    state: (impl Into<ConditionStatus>, Reason, String),
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let (status, reason, message) = state;
    let (type_, status) = (kind.to_string(), format!("{:?}", status.into()));
    let same = before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
    let last_transition_time = same.map_or(Time(now), |condition| condition.last_transition_time.clone());
    Condition { type_, status, reason: reason.to_string(), message, last_transition_time, observed_generation: generation }
}
