//! From what came of a plan to the status of the Room, and to what people are told about it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::failure::Failure;
use super::plan::{Goal, Plan};
use super::rejection::Rejection;
use super::validate::ValidRoom;
use crate::api::{ConditionType, Counts, LedgerEntry, Phase, Reason, Room, RoomStatus, SessionStatus};

/// What came of the steps of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Session that was made, with its epoch.
    pub session_made: Option<(String, i64)>,
    /// Session that is to be made when somebody joins, with its epoch.
    pub session_reserved: Option<(String, i64)>,
    /// The session that the status names was seen on the media server.
    pub session_found: bool,
    /// The session that the status names was closed.
    pub session_closed: bool,
    /// Invites that were written.
    pub issued: Vec<LedgerEntry>,
    /// Names of Secrets that were deleted.
    pub withdrawn: Vec<String>,
    /// People who were put out of the call.
    pub removed: Vec<String>,
    /// The first failure with the session or the people in it.
    pub session_failure: Option<Failure>,
    /// The first failure with invites.
    pub invites_failure: Option<Failure>,
}

impl Outcome {
    /// The first failure of the pass.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.session_failure.as_ref().or(self.invites_failure.as_ref())
    }
}

/// Something to tell people in an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// Somebody should look at it.
    pub warning: bool,
    /// The reason.
    pub reason: Reason,
    /// One sentence.
    pub note: String,
}

/// The status of a Room after a pass. Equal to the one before when nothing changed, so that nothing is written.
#[must_use]
pub fn status(
    room: &Room,
    valid: Result<&ValidRoom, &Rejection>,
    plan: &Plan,
    outcome: &Outcome,
    invites_revision: &str,
    joined: i32,
    now: Timestamp,
) -> RoomStatus {
    let before = room.status.clone().unwrap_or_default();
    let session = session(before.session, outcome, now);
    let participants = ledger(before.participants, outcome);
    let revision = match &plan.goal {
        Goal::NotAccepted(_) if before.observed_generation == room.metadata.generation => before.invites_revision,
        // Forgotten, so that the next pass writes all of them, and does not take what failed, or what a crash hid, for done.
        _ if outcome.invites_failure.is_some() => None,
        Goal::Expired | Goal::Gone { .. } | Goal::NotAccepted(_) => None,
        _ => Some(invites_revision.to_owned()),
    };
    let live = session.as_ref().is_some_and(|session| session.ended_at.is_none());
    let waiting = session.as_ref().is_some_and(|session| session.created_at.is_none());
    let facts = StatusBuilder { plan, valid, outcome, live, waiting };
    let conditions = facts.conditions(&before.conditions, room.metadata.generation, now);
    RoomStatus {
        observed_generation: room.metadata.generation,
        phase: facts.phase(),
        room_class_name: valid.ok().map(|room| room.class.clone()).or(before.room_class_name),
        valid_from: plan.window.map(|window| Time(window.from)),
        valid_until: plan.window.map(|window| Time(window.until)),
        next_transition_time: plan.next_transition.map(Time),
        session,
        participants,
        invites_revision: revision,
        counts: Some(Counts { invited: invited(room, valid), joined: if live { joined } else { 0 } }),
        conditions,
    }
}

/// How many people may come by an invite of their own.
fn invited(room: &Room, valid: Result<&ValidRoom, &Rejection>) -> i32 {
    let number = match valid {
        Ok(valid) => valid.roster.people().filter(|person| !person.suspended).count(),
        Err(_) => room.spec.participants.iter().filter(|person| !person.suspended).count(),
    };
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn session(before: Option<SessionStatus>, outcome: &Outcome, now: Timestamp) -> Option<SessionStatus> {
    let fresh = |id: &str, epoch, created_at| Some(SessionStatus { id: id.to_owned(), epoch, created_at, ended_at: None });
    // One that could not be closed stays what it is.
    let reserved = outcome.session_reserved.as_ref().filter(|_| outcome.session_failure.is_none());
    match (&outcome.session_made, reserved, before) {
        (Some((id, epoch)), _, _) => fresh(id, *epoch, Some(Time(now))),
        (None, Some((id, epoch)), _) => fresh(id, *epoch, None),
        (None, None, Some(session)) if outcome.session_closed && session.ended_at.is_none() => {
            Some(SessionStatus { ended_at: Some(Time(now)), ..session })
        }
        (None, None, Some(session)) if outcome.session_found && session.created_at.is_none() => {
            Some(SessionStatus { created_at: Some(Time(now)), ..session })
        }
        (None, None, before) => before,
    }
}

/// The ledger after a pass, ordered by name so that it changes only when its content does.
fn ledger(before: Vec<LedgerEntry>, outcome: &Outcome) -> Vec<LedgerEntry> {
    let replaced = |entry: &LedgerEntry| {
        outcome.withdrawn.contains(&entry.secret_name) || outcome.issued.iter().any(|issued| issued.secret_name == entry.secret_name)
    };
    let mut after: Vec<LedgerEntry> = before.into_iter().filter(|entry| !replaced(entry)).chain(outcome.issued.iter().cloned()).collect();
    after.sort_by(|a, b| a.name.cmp(&b.name));
    after
}

struct StatusBuilder<'a> {
    plan: &'a Plan,
    valid: Result<&'a ValidRoom, &'a Rejection>,
    outcome: &'a Outcome,
    live: bool,
    waiting: bool,
}

/// Whether a condition holds, why, and in words.
pub type ConditionState = (bool, Reason, String);

impl StatusBuilder<'_> {
    fn phase(&self) -> Phase {
        match self.plan.goal {
            Goal::Scheduled => Phase::Scheduled,
            Goal::Open if self.live => Phase::Open,
            Goal::NotAccepted(_) | Goal::Open => Phase::Pending,
            Goal::Suspended => Phase::Suspended,
            Goal::Expired | Goal::Gone { .. } => Phase::Expired,
        }
    }

    fn conditions(&self, before: &[Condition], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
        let accepted = self.accepted();
        let ready = self.ready(&accepted);
        let (is_ready, reason, message) = ready.clone();
        let stalled = !is_ready && self.needs_change();
        let kstatus = match (is_ready, stalled) {
            (true, _) => None,
            (false, true) => Some((ConditionType::Stalled, (true, reason, message))),
            (false, false) => Some((ConditionType::Reconciling, (true, Reason::Progressing, message))),
        };
        let all = [
            (ConditionType::Accepted, accepted),
            (ConditionType::InvitesReady, self.invites()),
            (ConditionType::SessionReady, self.session()),
            (ConditionType::Open, self.open()),
            (ConditionType::Ready, ready),
        ];
        let make = |(kind, verdict)| condition(before, kind, verdict, generation, now);
        all.into_iter().chain(kstatus).map(make).collect()
    }

    fn accepted(&self) -> ConditionState {
        match self.valid {
            Ok(_) => (true, Reason::Valid, "The spec is valid for its class".into()),
            Err(rejection) => (false, rejection.reason, rejection.message.clone()),
        }
    }

    fn invites(&self) -> ConditionState {
        match (&self.outcome.invites_failure, &self.plan.goal) {
            (Some(failure), _) => (false, failure.reason, failure.message.clone()),
            (None, Goal::Expired | Goal::Gone { .. }) => (true, Reason::Withdrawn, "The Room is over, its invites are deleted".into()),
            (None, Goal::NotAccepted(_)) => (false, Reason::NotAccepted, "The spec is not accepted".into()),
            (None, _) => (true, Reason::Issued, "Every participant has an invite Secret".into()),
        }
    }

    fn session(&self) -> ConditionState {
        match (&self.outcome.session_failure, &self.plan.goal) {
            (Some(failure), _) => (false, failure.reason, failure.message.clone()),
            (None, Goal::NotAccepted(_)) => (false, Reason::NotAccepted, "The spec is not accepted".into()),
            (None, Goal::Open) if self.live && self.waiting => {
                (true, Reason::OnFirstJoin, "The session is made when somebody joins".into())
            }
            (None, Goal::Open) if self.live => (true, Reason::Provisioned, "The session is there".into()),
            (None, Goal::Open) => (false, Reason::NoSession, "The session is not there yet".into()),
            (None, _) => (true, Reason::NotNeeded, "No session is needed at this moment".into()),
        }
    }

    fn open(&self) -> ConditionState {
        match &self.plan.goal {
            Goal::Open if self.outcome.session_failure.is_some() => self.session(),
            Goal::Open if self.live => (true, Reason::Joinable, "People can join".into()),
            Goal::Open => (false, Reason::NoSession, "The session is not there yet".into()),
            Goal::Scheduled => (false, Reason::NotYetOpen, "The window has not begun".into()),
            Goal::Suspended => (false, Reason::Suspended, "The Room is suspended by its spec".into()),
            Goal::NotAccepted(_) => (false, Reason::NotAccepted, "The spec is not accepted".into()),
            Goal::Expired | Goal::Gone { .. } => (false, Reason::Expired, "The window is over".into()),
        }
    }

    fn ready(&self, accepted: &ConditionState) -> ConditionState {
        let over = matches!(self.plan.goal, Goal::Expired | Goal::Gone { .. });
        // What a spec says no longer matters once the window is over.
        let verdicts = [accepted.clone(), self.session(), self.invites()].into_iter().skip(usize::from(over));
        verdicts
            .into_iter()
            .find(|(holds, _, _)| !holds)
            .unwrap_or_else(|| (true, Reason::Reconciled, "Everything is as the spec wants it".into()))
    }

    fn needs_change(&self) -> bool {
        matches!(self.plan.goal, Goal::NotAccepted(_)) || self.outcome.failure().is_some_and(Failure::needs_change)
    }
}

/// A condition, with the transition time of the one before unless its status changed.
#[must_use]
pub fn condition(before: &[Condition], kind: ConditionType, verdict: ConditionState, generation: Option<i64>, now: Timestamp) -> Condition {
    let (holds, reason, message) = verdict;
    let (type_, status) = (kind.to_string(), if holds { "True" } else { "False" }.to_owned());
    let same = before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
    let last_transition_time = same.map_or(Time(now), |condition| condition.last_transition_time.clone());
    Condition { type_, status, reason: reason.to_string(), message, last_transition_time, observed_generation: generation }
}

/// What people are told about a pass: changes of phase, people put out, sessions restored, and new failures.
#[must_use]
pub fn event_drafts(before: Option<&RoomStatus>, after: &RoomStatus, outcome: &Outcome) -> Vec<EventDraft> {
    let mut event_drafts = Vec::new();
    let phase = before.map(|status| status.phase).unwrap_or_default();
    if phase != after.phase {
        event_drafts.extend(phase_event(after));
    } else if after.phase == Phase::Open {
        event_drafts.extend(session_event(before.and_then(RoomStatus::live_session), outcome));
    }
    event_drafts.extend(outcome.removed.iter().map(|name| EventDraft {
        warning: false,
        reason: Reason::ParticipantRemoved,
        note: format!("{name} was put out of the call"),
    }));
    let reason_of = |status: &RoomStatus, kind: ConditionType| {
        status.condition(kind, false).map(|condition| (condition.reason.clone(), condition.message.clone()))
    };
    let known = before.and_then(|status| reason_of(status, ConditionType::Ready));
    if let Some(failure) =
        outcome.failure().filter(|failure| known.as_ref().is_none_or(|(reason, _)| *reason != failure.reason.to_string()))
    {
        event_drafts.push(EventDraft { warning: true, reason: failure.reason, note: failure.message.clone() });
    }
    let rejected = reason_of(after, ConditionType::Accepted);
    if let Some((_, message)) =
        rejected.filter(|rejected| before.and_then(|status| reason_of(status, ConditionType::Accepted)).as_ref() != Some(rejected))
    {
        event_drafts.push(EventDraft { warning: true, reason: Reason::NotAccepted, note: message });
    }
    event_drafts
}

/// What is told about the session of a Room that was open before, too.
fn session_event(before: Option<&SessionStatus>, outcome: &Outcome) -> Option<EventDraft> {
    let was_made = before.is_some_and(|session| session.created_at.is_some());
    if outcome.session_made.is_some() && was_made {
        let note = "The session was gone from the media server; it was made anew".into();
        return Some(EventDraft { warning: true, reason: Reason::SessionRestored, note });
    }
    let note = "Nobody was in the session any more; it is made anew when somebody joins".into();
    outcome.session_closed.then_some(EventDraft { warning: false, reason: Reason::SessionIdle, note })
}

fn phase_event(after: &RoomStatus) -> Option<EventDraft> {
    let normal = |reason, note: &str| Some(EventDraft { warning: false, reason, note: note.to_owned() });
    match after.phase {
        Phase::Pending => None,
        Phase::Scheduled => normal(Reason::Scheduled, "The Room waits for its window"),
        Phase::Open => normal(Reason::Opened, "The session is there, people can join"),
        Phase::Suspended => normal(Reason::Suspended, "The door is closed by the spec"),
        Phase::Expired => normal(Reason::Expired, "The window is over"),
    }
}

#[cfg(test)]
mod tests;
