//! The conditions of a Room.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::super::condition::{ConditionState, condition};
use super::super::failure::Failure;
use super::goal::Goal;
use super::observed::Observed;
use super::outcome::Outcome;
use crate::api::{ConditionType, Reason, SessionStatus};

/// What is told of the end where nobody can be put out by it.
const MAY_STAY: &str = "After the end nobody can join; whoever is in the call then is taken off the roster, and how soon that puts them out is up to the media server";

/// What the conditions are told from.
pub(super) struct Conditions<'a> {
    pub(super) observed: &'a Observed,
    pub(super) outcome: &'a Outcome,
    /// The session after the execution, unless it has ended.
    pub(super) live: Option<&'a SessionStatus>,
}

impl Conditions<'_> {
    pub(super) fn all(&self, before: &[Condition], now: Timestamp) -> Vec<Condition> {
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
        let generation = self.observed.room.metadata.generation;
        all.into_iter()
            .chain(self.enforcement())
            .chain(kstatus)
            .map(|(kind, state)| condition(before, kind, state, generation, now))
            .collect()
    }

    fn accepted(&self) -> ConditionState {
        match &self.observed.valid {
            Ok(_) => (true, Reason::Valid, "The spec is valid for its class".into()),
            Err(rejection) => (false, rejection.reason, rejection.message.clone()),
        }
    }

    fn invites(&self) -> ConditionState {
        match (&self.outcome.invites_failure, &self.outcome.goal) {
            (Some(failure), _) => (false, failure.reason, failure.message.clone()),
            (None, Goal::Expired | Goal::Gone { .. }) => (true, Reason::Withdrawn, "The Room is over, its invites are deleted".into()),
            (None, Goal::NotAccepted(_)) => (false, Reason::NotAccepted, "The spec is not accepted".into()),
            (None, Goal::Scheduled | Goal::Open | Goal::Suspended) => {
                (true, Reason::Issued, "Every participant has an invite Secret".into())
            }
        }
    }

    fn session(&self) -> ConditionState {
        match (&self.outcome.session_failure, &self.outcome.goal, self.live) {
            (Some(failure), _, _) => (false, failure.reason, failure.message.clone()),
            (None, Goal::NotAccepted(_), _) => (false, Reason::NotAccepted, "The spec is not accepted".into()),
            (None, Goal::Open, Some(session)) if session.created_at.is_none() => {
                (true, Reason::OnFirstJoin, "The session is made when somebody joins".into())
            }
            (None, Goal::Open, Some(_)) => (true, Reason::Provisioned, "The session is there".into()),
            (None, Goal::Open, None) => (false, Reason::NoSession, "The session is not there yet".into()),
            (None, Goal::Scheduled | Goal::Suspended | Goal::Expired | Goal::Gone { .. }, _) => {
                (true, Reason::NotNeeded, "No session is needed at this moment".into())
            }
        }
    }

    fn open(&self) -> ConditionState {
        match &self.outcome.goal {
            Goal::Open if self.outcome.session_failure.is_some() => self.session(),
            Goal::Open if self.live.is_some() => (true, Reason::Joinable, "People can join".into()),
            Goal::Open => (false, Reason::NoSession, "The session is not there yet".into()),
            Goal::Scheduled => (false, Reason::NotYetOpen, "The window has not begun".into()),
            Goal::Suspended => (false, Reason::Suspended, "The Room is suspended by its spec".into()),
            Goal::NotAccepted(_) => (false, Reason::NotAccepted, "The spec is not accepted".into()),
            Goal::Expired | Goal::Gone { .. } => (false, Reason::Expired, "The window is over".into()),
        }
    }

    /// What the media server sees to itself, and what only as far as it can. Where it sees to all of it, nothing needs to be told.
    fn enforcement(&self) -> Vec<(ConditionType, ConditionState)> {
        match &self.observed.valid {
            Ok(room) if !room.backend.capabilities().live_end => vec![
                (ConditionType::RolesEnforced, (true, Reason::Enforced, "The media server holds everybody to their role".into())),
                (ConditionType::EndEnforced, (false, Reason::BestEffort, MAY_STAY.into())),
            ],
            _ => Vec::new(),
        }
    }

    fn ready(&self, accepted: &ConditionState) -> ConditionState {
        let over = matches!(self.outcome.goal, Goal::Expired | Goal::Gone { .. });
        // Whether the spec is accepted no longer matters once the window is over.
        let states = [accepted.clone(), self.session(), self.invites()].into_iter().skip(usize::from(over));
        let object = self.outcome.room_failure.as_ref().map(|failure| (false, failure.reason, failure.message.clone()));
        let failed = states.chain(object).find(|(holds, _, _)| !holds);
        failed.unwrap_or_else(|| (true, Reason::Reconciled, "Everything is as the spec wants it".into()))
    }

    fn needs_change(&self) -> bool {
        matches!(self.outcome.goal, Goal::NotAccepted(_)) || self.outcome.failure().is_some_and(Failure::needs_change)
    }
}
