//! What a Room should be at a moment, and when the clock alone changes that.

use std::time::Duration;

use jiff::Timestamp;

use super::super::rejection::Rejection;
use super::super::valid_room::Availability;
use super::super::validate::own_ttl;
use super::super::window::{Window, has_come_to_its_own_end, later};
use super::observed::Observed;
use crate::api::Reason;

/// How long the deletion of a Room waits for a media server that does not answer.
const TEARDOWN_PATIENCE: Duration = Duration::from_mins(1);

/// How long after an expiry was recorded the object is deleted at the earliest: what is deleted was expired when it was looked at before.
const BEFORE_DELETION: Duration = Duration::from_secs(1);

/// What the Room should be at this moment. Unlike [`Availability`] it also knows Rooms that are deleted or not accepted, which nobody
/// can join and which need different steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The object is being deleted.
    Gone {
        /// The deletion goes on even if the session could not be closed.
        give_up: bool,
    },
    /// The spec is not accepted: what it takes away counts, what it gives does not. Nobody new gets in, the call goes on for the others.
    NotAccepted(Rejection),
    /// Before the window.
    Scheduled,
    /// In the window.
    Open,
    /// Closed by `spec.suspend`.
    Suspended,
    /// After the window.
    Expired,
}

pub(super) fn goal(observed: &Observed, now: Timestamp) -> Goal {
    if let Some(deleted) = &observed.room.metadata.deletion_timestamp {
        return Goal::Gone { give_up: now >= later(deleted.0, TEARDOWN_PATIENCE) };
    }
    match &observed.valid {
        Err(_) if observed.window().is_some_and(|window| window.is_over(now)) => Goal::Expired,
        Err(rejection) => Goal::NotAccepted(rejection.clone()),
        Ok(room) => match room.availability(0, now) {
            Availability::Early => Goal::Scheduled,
            // How many more people fit in matters to those who join, not to what has to be there.
            Availability::Open | Availability::Full => Goal::Open,
            Availability::Suspended => Goal::Suspended,
            Availability::Over => Goal::Expired,
        },
    }
}

/// When the clock alone changes the goal, or has an expired Room deleted.
pub(super) fn next_transition(observed: &Observed, goal: &Goal, window: Option<Window>, now: Timestamp) -> Option<Timestamp> {
    let moment = match goal {
        Goal::Gone { .. } => observed.room.metadata.deletion_timestamp.as_ref().map(|deleted| later(deleted.0, TEARDOWN_PATIENCE)),
        Goal::Expired => removal(observed, now),
        Goal::Scheduled => window.map(|window| window.from),
        Goal::Suspended | Goal::Open | Goal::NotAccepted(_) => window.map(|window| window.until),
    };
    moment.filter(|moment| *moment > now)
}

/// When the TTL of an expired Room is over. It counts from the moment at which the Room was first seen to be over, so that an end in the
/// far past, of a restored Room or by mistake, leaves as much time as any other.
///
/// Not known while the spec is not accepted: it may contain a later end that is not in force yet, and a deleted object does not come back.
/// But where there is no class any more, the Room's own TTL counts, if its own end has come.
pub(super) fn removal(observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    let ttl = match &observed.valid {
        Ok(room) => room.ttl?,
        Err(rejection) if rejection.reason == Reason::ClassNotFound && has_come_to_its_own_end(&observed.room, now) => {
            own_ttl(&observed.room)?
        }
        Err(_) => return None,
    };
    Some(match observed.expired_at(now) {
        Some(expired_at) => later(expired_at, ttl),
        None => later(now, ttl.max(BEFORE_DELETION)),
    })
}
