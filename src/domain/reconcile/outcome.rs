//! Keeps book of what comes of a plan. Controller and simulation carry the steps out; what follows from each result is decided here.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use jiff::Timestamp;

use super::super::failure::Failure;
use super::super::window::Window;
use super::goal::Goal;
use super::observed::{Observed, SessionView};
use super::plan::Plan;
use super::step::{InviteStep, RoomStep, SessionStep, Step};
use crate::api::LedgerEntry;

/// A plan that is being carried out.
#[derive(Debug)]
#[must_use = "a plan that is begun is carried out until there is no next batch"]
pub struct Execution {
    steps: Peekable<IntoIter<Step>>,
    /// Name of the session that the status names.
    recorded: Option<String>,
    /// Why the finalizer could not be set.
    without_finalizer: Option<Failure>,
    outcome: Outcome,
}

/// Steps that are carried out next.
#[derive(Debug, PartialEq)]
pub enum Batch {
    Room(RoomStep),
    Session(SessionStep),
    /// Steps with people in the session. These, too, do not depend on each other.
    Members(Vec<SessionStep>),
    /// These do not depend on each other, and may be carried out at the same time.
    Invites(Vec<InviteStep>),
}

/// What a step did to the ledger of invites.
#[derive(Clone, Debug, PartialEq)]
pub enum InviteChange {
    Issued(LedgerEntry),
    Withdrawn { secret_name: String },
}

/// What came of a plan. Only an [`Execution`] makes one, so a status cannot tell of what was not carried out.
#[derive(Debug)]
pub struct Outcome {
    pub(super) goal: Goal,
    pub(super) window: Option<Window>,
    pub(super) next_transition: Option<Timestamp>,
    /// The session that was created, with its epoch.
    pub(super) session_made: Option<(String, i64)>,
    /// The session that is created when somebody joins, with its epoch.
    pub(super) session_reserved: Option<(String, i64)>,
    /// The media server has the session that the status names.
    pub(super) session_found: bool,
    /// The session that the status names was closed.
    pub(super) session_closed: bool,
    pub(super) invites: Vec<InviteChange>,
    /// Identities of the people who were removed from the call.
    pub(super) removed: Vec<String>,
    /// The first failure with the session or the people in it.
    pub(super) session_failure: Option<Failure>,
    /// A failure with invites: the first that somebody has to act on, or else the first.
    pub(super) invites_failure: Option<Failure>,
    /// A failure with the object.
    pub(super) room_failure: Option<Failure>,
    /// Why invites could not be written, by the names of the people.
    pub(super) unwritten: BTreeMap<String, Failure>,
    gone: bool,
    left_behind: Option<Failure>,
}

impl Execution {
    /// Begins to carry out the plan that was made from what was `observed`.
    pub fn begin(plan: Plan, observed: &Observed) -> Self {
        let Plan { goal, window, steps, next_transition } = plan;
        let session_failure = match (&goal, &observed.session) {
            (Goal::Open, SessionView::Unknown(failure)) => Some(failure.clone()),
            _ => None,
        };
        // One that opened again meanwhile has another session.
        let closed = observed.closed_at.is_some() && goal != Goal::Open;
        let outcome = Outcome {
            goal,
            window,
            next_transition,
            session_made: None,
            session_reserved: None,
            session_found: matches!(observed.session, SessionView::Present(_)),
            session_closed: closed,
            invites: Vec::new(),
            removed: Vec::new(),
            session_failure,
            invites_failure: None,
            room_failure: None,
            unwritten: BTreeMap::new(),
            gone: false,
            left_behind: None,
        };
        let recorded = observed.status().and_then(|status| status.session.as_ref()).map(|session| session.id.clone());
        Self { steps: steps.into_iter().peekable(), recorded, without_finalizer: None, outcome }
    }

    /// The steps that are due when everything before has been recorded.
    pub fn next_batch(&mut self) -> Option<Batch> {
        Some(match self.steps.next()? {
            Step::Room(RoomStep::ReleaseFinalizer { give_up: false }) if self.outcome.failure().is_some() => return self.next_batch(),
            Step::Room(step) => Batch::Room(step),
            Step::Session(first) if first.is_of_member() => {
                let mut members = vec![first];
                while let Some(Step::Session(next)) = self.steps.next_if(|step| matches!(step, Step::Session(step) if step.is_of_member()))
                {
                    members.push(next);
                }
                Batch::Members(members)
            }
            // Nobody is admitted to a session that is not there, nor before somebody else was put out.
            Step::Session(SessionStep::Admit { .. }) if self.outcome.session_failure.is_some() => return self.next_batch(),
            Step::Session(step) => Batch::Session(step),
            Step::Invite(first) => {
                let mut invites = vec![first];
                while let Some(Step::Invite(next)) = self.steps.next_if(|step| matches!(step, Step::Invite(_))) {
                    invites.push(next);
                }
                Batch::Invites(invites)
            }
        })
    }

    /// Whether the session that the status names has been closed: all that is left is to put away what belonged to the call, and another session
    /// that the gateway may have made because that one was lost.
    #[must_use]
    pub fn has_ended_the_call(&self) -> bool {
        self.outcome.session_closed && self.outcome.failure().is_none()
    }

    /// Records what came of a write of the object.
    pub fn record_room(&mut self, step: &RoomStep, result: Result<(), Failure>) {
        match (step, result) {
            (RoomStep::AddFinalizer, Ok(())) => {}
            (RoomStep::AddFinalizer, Err(failure)) => {
                // Nothing may be made that nobody would clean up.
                self.steps = Vec::new().into_iter().peekable();
                self.without_finalizer = Some(failure);
            }
            (RoomStep::Delete, Ok(())) => self.outcome.gone = true,
            (RoomStep::ReleaseFinalizer { .. }, Ok(())) => {
                self.outcome.gone = true;
                self.outcome.left_behind = self.outcome.failure().cloned();
            }
            (RoomStep::Delete | RoomStep::ReleaseFinalizer { .. }, Err(failure)) => {
                self.outcome.room_failure.get_or_insert(failure);
            }
        }
    }

    /// Records what came of a step with the session or with somebody in it.
    pub fn record_session(&mut self, step: SessionStep, result: Result<(), Failure>) {
        if let Err(failure) = result {
            self.outcome.session_failure.get_or_insert(failure);
            return;
        }
        match step {
            SessionStep::Ensure { session, epoch, settings: _ } => self.outcome.session_made = Some((session, epoch)),
            SessionStep::Reserve { session, epoch } => self.outcome.session_reserved = Some((session, epoch)),
            SessionStep::Close { session } => self.outcome.session_closed |= self.recorded.as_ref() == Some(&session),
            SessionStep::RemoveMember { session: _, identity } => self.outcome.removed.push(identity),
            SessionStep::SetRole { .. } | SessionStep::Admit { .. } => {}
        }
    }

    /// Records what came of a step with an invite Secret.
    pub fn record_invite(&mut self, step: &InviteStep, result: Result<InviteChange, Failure>) {
        let failure = match result {
            Ok(change) => return self.outcome.invites.push(change),
            Err(failure) => failure,
        };
        // One that is not withdrawn stays in the ledger, which has it withdrawn again.
        if let InviteStep::Issue { person, write: _ } = step {
            self.outcome.unwritten.insert(person.name.clone(), failure.clone());
        }
        let known = &mut self.outcome.invites_failure;
        if known.as_ref().is_none_or(|known| failure.needs_change() && !known.needs_change()) {
            *known = Some(failure);
        }
    }

    /// What came of the plan.
    ///
    /// # Errors
    /// If the finalizer could not be set: then nothing else was done, and there is nothing to tell of.
    pub fn finish(self) -> Result<Outcome, Failure> {
        self.without_finalizer.map_or(Ok(self.outcome), Err)
    }
}

impl Outcome {
    /// The first failure: with the session, or else with invites, or else with the object.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.session_failure.as_ref().or(self.invites_failure.as_ref()).or(self.room_failure.as_ref())
    }

    /// When the clock alone changes the Room next, whatever came of the steps.
    #[must_use]
    pub fn next_transition(&self) -> Option<Timestamp> {
        self.next_transition
    }

    /// The object is deleted, or will be as soon as nobody holds it any more, so there is no status to write.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Why the object was released although it may have left something behind.
    #[must_use]
    pub fn left_behind(&self) -> Option<&Failure> {
        self.left_behind.as_ref()
    }

    /// The end of the window, if this execution closed the session because of it.
    #[must_use]
    pub fn ended_window(&self) -> Option<Timestamp> {
        let window = self.window.filter(|_| self.session_closed && self.goal == Goal::Expired)?;
        Some(window.until)
    }

    /// Whether somebody was removed from the call, and may try to come back.
    #[must_use]
    pub fn has_removed_people(&self) -> bool {
        !self.removed.is_empty()
    }

    /// Whose invites were written.
    pub fn invited(&self) -> impl Iterator<Item = &str> {
        self.issued().map(|entry| entry.name.as_str())
    }

    /// Whether an invite of this name was written or withdrawn, so that the ledger tells of it from now on.
    #[must_use]
    pub fn has_settled(&self, invite: &str) -> bool {
        self.invites.iter().any(|change| match change {
            InviteChange::Issued(entry) => entry.secret_name == invite,
            InviteChange::Withdrawn { secret_name } => secret_name == invite,
        })
    }

    pub(super) fn issued(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.invites.iter().filter_map(|change| match change {
            InviteChange::Issued(entry) => Some(entry),
            InviteChange::Withdrawn { .. } => None,
        })
    }
}
