//! From what came of a plan to the status of the Room.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::failure::Failure;
use super::super::roster::rotated;
use super::conditions::Conditions;
use super::goal::Goal;
use super::observed::Observed;
use super::outcome::{InviteChange, Outcome};
use crate::api::{Counts, LedgerEntry, Phase, RoomStatus, RotatedInvite, SessionStatus};

/// The status of a Room after a reconciliation. Equal to the one before when nothing changed, so that nothing is written.
#[must_use]
pub fn status(observed: &Observed, outcome: &Outcome, now: Timestamp) -> RoomStatus {
    let before = observed.status().cloned().unwrap_or_default();
    let generation = observed.room.metadata.generation;
    let session = session(before.session, outcome, observed.closed_at, now);
    let live = session.as_ref().filter(|session| session.ended_at.is_none());
    let conditions = Conditions { observed, outcome, live }.all(&before.conditions, now);
    let counts = Counts { invited: invited(observed), joined: live.map_or(0, |_| observed.joined) };
    RoomStatus {
        observed_generation: generation,
        phase: phase(&outcome.goal, live.is_some()),
        room_class_name: observed.valid.as_ref().ok().map(|room| room.class.clone()).or(before.room_class_name),
        valid_from: outcome.window.map(|window| Time(window.from)),
        valid_until: outcome.window.map(|window| Time(window.until)),
        expired_at: (outcome.goal == Goal::Expired).then(|| Time(observed.expired_at(now).unwrap_or(now))),
        next_transition_time: outcome.next_transition.map(Time),
        counts: Some(counts),
        conditions,
        session,
        // It only grows: who is forgotten could come back by an invite that was replaced.
        rotated_invites: rotated(&observed.room)
            .into_iter()
            .map(|(name, invite_generation)| RotatedInvite { name, invite_generation })
            .collect(),
        participants: ledger(before.participants, outcome),
        invites_revision: match &outcome.goal {
            Goal::NotAccepted(_) if before.observed_generation == generation => before.invites_revision,
            // Forgotten, so that the next reconciliation writes all invites.
            _ if outcome.unwritten.values().any(|failure| !failure.needs_change()) => None,
            Goal::Expired | Goal::Gone { .. } | Goal::NotAccepted(_) => None,
            Goal::Scheduled | Goal::Open | Goal::Suspended => Some(observed.invites_revision.clone()),
        },
    }
}

fn phase(goal: &Goal, live: bool) -> Phase {
    match goal {
        Goal::Scheduled => Phase::Scheduled,
        Goal::Open if live => Phase::Open,
        Goal::NotAccepted(_) | Goal::Open => Phase::Pending,
        Goal::Suspended => Phase::Suspended,
        Goal::Expired | Goal::Gone { .. } => Phase::Expired,
    }
}

/// How many people may come by an invite of their own.
fn invited(observed: &Observed) -> i32 {
    let number = match &observed.valid {
        Ok(valid) => valid.roster.people().filter(|person| !person.suspended).count(),
        Err(_) => observed.room.spec.participants.iter().filter(|person| !person.suspended).count(),
    };
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn session(before: Option<SessionStatus>, outcome: &Outcome, closed_at: Option<Timestamp>, now: Timestamp) -> Option<SessionStatus> {
    let fresh = |id: &str, epoch, created_at| Some(SessionStatus { id: id.to_owned(), epoch, created_at, ended_at: None });
    // If the session before it could not be closed, that one stays recorded.
    let reserved = outcome.session_reserved.as_ref().filter(|_| outcome.session_failure.is_none());
    match (&outcome.session_made, reserved, before) {
        (Some((id, epoch)), _, _) => fresh(id, *epoch, Some(Time(now))),
        (None, Some((id, epoch)), _) => fresh(id, *epoch, None),
        (None, None, Some(session)) if outcome.session_closed && session.ended_at.is_none() => {
            Some(SessionStatus { ended_at: Some(Time(closed_at.unwrap_or(now))), ..session })
        }
        (None, None, Some(session)) if outcome.session_found && session.created_at.is_none() => {
            Some(SessionStatus { created_at: Some(Time(now)), ..session })
        }
        (None, None, before) => before,
    }
}

/// The ledger after the changes, ordered by name so that it changes only when its content does.
fn ledger(before: Vec<LedgerEntry>, outcome: &Outcome) -> Vec<LedgerEntry> {
    let changes = |change: &InviteChange, entry: &LedgerEntry| match change {
        InviteChange::Issued(issued) => issued.secret_name == entry.secret_name,
        InviteChange::Withdrawn { secret_name } => *secret_name == entry.secret_name,
    };
    let unchanged = before.into_iter().filter(|entry| !outcome.invites.iter().any(|change| changes(change, entry)));
    // Without a UID it is tried again, and none of the others.
    let refused = |mut entry: LedgerEntry| {
        if outcome.unwritten.get(&entry.name).is_some_and(Failure::needs_change) {
            entry.secret_uid.clear();
        }
        entry
    };
    let mut after: Vec<LedgerEntry> = unchanged.map(refused).chain(outcome.issued().cloned()).collect();
    after.sort_by(|a, b| a.name.cmp(&b.name));
    after
}
