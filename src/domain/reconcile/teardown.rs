//! The steps at the end of a Room. They are planned from the object alone, so that neither a bad spec nor a missing class can stop
//! them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::roster::guest_identity;
use super::super::session::Installation;
use super::super::window::Window;
use super::goal::removal;
use super::observed::Observed;
use super::step::{InviteStep, RoomStep, SessionStep, Step};
use crate::api::{ConditionType, LINK_SUBJECT, LedgerEntry, Phase, RoomStatus, invite_secret_name};

/// The steps of a Room whose window is over.
pub(super) fn expire(observed: &Observed, installation: &Installation, window: Option<Window>, now: Timestamp) -> Vec<Step> {
    let mut steps = dismantle(observed, installation, window);
    if observed.expired_at(now).is_some() && removal(observed, now).is_some_and(|removal| now >= removal) {
        steps.push(Step::Room(RoomStep::Delete));
    }
    steps
}

/// The steps of a Room that is being deleted.
pub(super) fn release(observed: &Observed, installation: &Installation, window: Option<Window>, give_up: bool) -> Vec<Step> {
    if !observed.has_finalizer() {
        return Vec::new();
    }
    let mut steps = dismantle(observed, installation, window);
    steps.push(Step::Room(RoomStep::ReleaseFinalizer { give_up }));
    steps
}

/// Closes the living session and, if it was made, the one of the next epoch: the gateway creates that one when it finds the recorded
/// one lost.
pub(super) fn close_live_session(observed: &Observed, installation: &Installation) -> Vec<Step> {
    let Some(session) = observed.live_session() else { return Vec::new() };
    let uid = observed.room.metadata.uid.as_deref().unwrap_or_default();
    let is_closed = |name: &String| observed.closed_at.is_some() && *name == session.id;
    let names = installation.sessions(uid, session).into_iter().filter(|name| !is_closed(name));
    names.map(|session| Step::Session(SessionStep::Close { session })).collect()
}

pub(super) fn withdraw(entry: &LedgerEntry) -> Step {
    Step::Invite(InviteStep::Withdraw { secret_name: entry.secret_name.clone(), secret_uid: Some(entry.secret_uid.clone()) })
}

/// Withdraws an invite that the ledger does not have, if it is there.
pub(super) fn withdraw_unrecorded(observed: &Observed, identity: &str) -> Step {
    let room = observed.room.metadata.name.as_deref().unwrap_or_default();
    Step::Invite(InviteStep::Withdraw { secret_name: invite_secret_name(room, identity), secret_uid: None })
}

/// Removes everything that the Room has.
fn dismantle(observed: &Observed, installation: &Installation, window: Option<Window>) -> Vec<Step> {
    let mut steps = close_live_session(observed, installation);
    steps.extend(observed.ledger().iter().map(withdraw));
    if may_have_more_than_recorded(observed, window) {
        if let Some(uid) = observed.room.metadata.uid.as_deref() {
            let next = Step::Session(SessionStep::Close { session: installation.session_id(uid, observed.next_epoch()) });
            if !steps.contains(&next) {
                steps.insert(0, next);
            }
        }
        steps.extend(withdraw_listed(observed));
    } else {
        steps.extend(observed.unrecorded().map(|name| withdraw_unrecorded(observed, name)));
    }
    steps
}

/// Whether there may be invites and a session that the status does not name: the last reconciliation of this spec, or of the end that
/// its class gives it, crashed or failed.
fn may_have_more_than_recorded(observed: &Observed, window: Option<Window>) -> bool {
    let room = &observed.room;
    let finished = |status: &RoomStatus| {
        // Deleting an object raises its generation too, and an expired Room has nothing left that could be unrecorded.
        let deleted = status.phase == Phase::Expired && room.metadata.deletion_timestamp.is_some();
        let same_end = status.valid_until.as_ref().map(|until| until.0) == window.map(|window| window.until);
        let seen = deleted || same_end && status.observed_generation == room.metadata.generation;
        seen && status.condition(ConditionType::InvitesReady, true).is_some()
    };
    observed.has_finalizer() && !room.status.as_ref().is_some_and(finished)
}

/// Withdraws the invites of everybody on the list, or known to have got one, whom the ledger does not have.
fn withdraw_listed(observed: &Observed) -> Vec<Step> {
    let room = &observed.room;
    let recorded: BTreeSet<&str> = observed.ledger().iter().map(|entry| entry.name.as_str()).collect();
    let guests = observed.guests.iter().map(|guest| guest_identity(guest.metadata.name.as_deref().unwrap_or_default()));
    let listed = room.spec.participants.iter().map(|participant| participant.name.clone());
    let link = room.spec.join_policy.map(|_| LINK_SUBJECT.to_owned());
    let all: BTreeSet<String> = listed.chain(guests).chain(link).chain(observed.unrecorded().map(str::to_owned)).collect();
    let unrecorded = all.iter().filter(|identity| !recorded.contains(identity.as_str()));
    unrecorded.map(|identity| withdraw_unrecorded(observed, identity)).collect()
}
