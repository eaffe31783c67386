//! What people are told in Events. The status says the same, so an Event that gets lost is no loss of state.

use super::outcome::Outcome;
use crate::api::{ConditionType, Phase, Reason, RoomStatus, SessionStatus};

/// An Event that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// Somebody should look at it.
    pub warning: bool,
    pub reason: Reason,
    /// One sentence.
    pub note: String,
}

impl EventDraft {
    fn normal(reason: Reason, note: impl Into<String>) -> Self {
        Self { warning: false, reason, note: note.into() }
    }

    fn warning(reason: Reason, note: impl Into<String>) -> Self {
        Self { warning: true, reason, note: note.into() }
    }
}

/// The Events of a reconciliation: changes of phase, people removed, sessions restored, and new failures.
#[must_use]
pub fn event_drafts(before: Option<&RoomStatus>, after: &RoomStatus, outcome: &Outcome) -> Vec<EventDraft> {
    let removed = |name: &String| EventDraft::normal(Reason::ParticipantRemoved, format!("{name} was put out of the call"));
    phase_event(before, after, outcome)
        .into_iter()
        .chain(outcome.removed.iter().map(removed))
        .chain(failure_event(before, outcome))
        .chain(rejection_event(before, after))
        .collect()
}

fn phase_event(before: Option<&RoomStatus>, after: &RoomStatus, outcome: &Outcome) -> Option<EventDraft> {
    let changed = before.map(|status| status.phase).unwrap_or_default() != after.phase;
    match after.phase {
        Phase::Open if !changed => session_event(before.and_then(RoomStatus::live_session), outcome),
        _ if !changed => None,
        Phase::Pending => None,
        Phase::Scheduled => Some(EventDraft::normal(Reason::Scheduled, "The Room waits for its window")),
        Phase::Open => Some(EventDraft::normal(Reason::Opened, "The session is there, people can join")),
        Phase::Suspended => Some(EventDraft::normal(Reason::Suspended, "The door is closed by the spec")),
        Phase::Expired => Some(EventDraft::normal(Reason::Expired, "The window is over")),
    }
}

/// The Event about the session of a Room that stays open.
fn session_event(before: Option<&SessionStatus>, outcome: &Outcome) -> Option<EventDraft> {
    let was_made = before.is_some_and(|session| session.created_at.is_some());
    if outcome.session_made.is_some() && was_made {
        let note = "The session was gone from the media server; it was made anew";
        return Some(EventDraft::warning(Reason::SessionRestored, note));
    }
    let note = "Nobody was in the session any more; it is made anew when somebody joins";
    outcome.session_closed.then(|| EventDraft::normal(Reason::SessionIdle, note))
}

/// A failure is told when the condition `Ready` did not name its reason before.
fn failure_event(before: Option<&RoomStatus>, outcome: &Outcome) -> Option<EventDraft> {
    let failure = outcome.failure()?;
    let known = before.and_then(|status| status.condition(ConditionType::Ready, false));
    let is_new = known.is_none_or(|condition| condition.reason != failure.reason.to_string());
    is_new.then(|| EventDraft::warning(failure.reason, failure.message.clone()))
}

/// A rejection is told when the condition `Accepted` did not say the same before.
fn rejection_event(before: Option<&RoomStatus>, after: &RoomStatus) -> Option<EventDraft> {
    let rejected = after.condition(ConditionType::Accepted, false)?;
    let known = before.and_then(|status| status.condition(ConditionType::Accepted, false));
    let is_new = known.is_none_or(|known| (&known.reason, &known.message) != (&rejected.reason, &rejected.message));
    is_new.then(|| EventDraft::warning(Reason::NotAccepted, rejected.message.clone()))
}
