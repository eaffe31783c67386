//! From what was observed to the whole ordered list of steps: pure and total.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::roster::Person;
use super::super::session::{Installation, SessionMember};
use super::super::valid_room::ValidRoom;
use super::super::window::{Window, later};
use super::goal::{Goal, goal, next_transition};
use super::observed::{Observed, SessionView};
use super::restrict::{hold_to_roster, restrict, withdraw_unlisted};
use super::step::{InviteStep, InviteWrite, RoomStep, SessionStep, Step};
use super::teardown::{close_live_session, expire, release};
use crate::api::{LedgerEntry, Provision};

/// What to do now, in this order, and when to look again. An [`Execution`](super::Execution) consumes it.
#[derive(Debug, PartialEq)]
pub struct Plan {
    pub goal: Goal,
    /// The window in force, if it is known.
    pub window: Option<Window>,
    pub steps: Vec<Step>,
    /// When the clock alone changes the goal next. The Room has to be looked at then, whatever comes of the steps.
    pub next_transition: Option<Timestamp>,
}

impl Plan {
    /// Whether it takes away what was given, or writes over it. An object that is being deleted does not come back, so that what belonged to
    /// it is nobody's.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        !matches!(self.goal, Goal::Gone { .. }) && self.steps.iter().any(Step::takes_away)
    }

    /// Identities of the people who are put out of the call.
    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Session(SessionStep::RemoveMember { session: _, identity }) => Some(identity.as_str()),
            _ => None,
        })
    }
}

/// The plan for a Room at `now`.
#[must_use]
pub fn plan(observed: &Observed, installation: &Installation, now: Timestamp) -> Plan {
    let window = observed.window();
    let goal = goal(observed, now);
    let steps = match (&goal, &observed.valid) {
        (Goal::Gone { give_up }, _) => release(observed, installation, window, *give_up),
        (Goal::Expired, _) => expire(observed, installation, window, now),
        (Goal::Scheduled | Goal::Suspended, Ok(room)) => stay(observed, room, close_live_session(observed, installation)),
        (Goal::Open, Ok(room)) => stay(observed, room, open(observed, room, installation, now)),
        (Goal::NotAccepted(_), _) | (Goal::Scheduled | Goal::Suspended | Goal::Open, Err(_)) => restrict(observed, installation),
    };
    let next_transition = next_transition(observed, &goal, window, now);
    Plan { goal, window, steps, next_transition }
}

/// The finalizer comes first, so that nothing is made that nobody would clean up; then the session, then the invites.
fn stay(observed: &Observed, room: &ValidRoom, session_steps: Vec<Step>) -> Vec<Step> {
    let finalizer = (!observed.has_finalizer()).then_some(Step::Room(RoomStep::AddFinalizer));
    finalizer.into_iter().chain(session_steps).chain(invites(observed, room)).collect()
}

/// The steps with the session of an open Room.
fn open(observed: &Observed, room: &ValidRoom, installation: &Installation, now: Timestamp) -> Vec<Step> {
    let epoch = observed.next_epoch();
    let next = || installation.session_id(&room.uid, epoch);
    let on_demand = room.provision == Provision::OnFirstJoin;
    let steps = match (observed.live_session(), &observed.session) {
        (Some(session), SessionView::Present(members)) if members.is_empty() && is_idle(observed, room, now) => {
            vec![SessionStep::Close { session: session.id.clone() }, SessionStep::Reserve { session: next(), epoch }]
        }
        (Some(session), SessionView::Present(members)) => members.iter().filter_map(|member| correct(room, &session.id, member)).collect(),
        (Some(_), SessionView::NotAsked | SessionView::Unknown(_)) => Vec::new(),
        (Some(session), SessionView::Absent) if session.created_at.is_none() => {
            let waits = on_demand || room.close_when_empty_after.is_some();
            let ensure = SessionStep::Ensure { session: session.id.clone(), epoch: session.epoch, settings: room.session_settings() };
            if waits { Vec::new() } else { vec![ensure] }
        }
        (None, _) | (Some(_), SessionView::Absent) if on_demand => vec![SessionStep::Reserve { session: next(), epoch }],
        (None, _) | (Some(_), SessionView::Absent) => {
            vec![SessionStep::Ensure { session: next(), epoch, settings: room.session_settings() }]
        }
    };
    let admit = room.backend.keeps_roster().then(|| admit(observed, room, &steps)).flatten();
    steps.into_iter().chain(admit).map(Step::Session).collect()
}

/// Has everybody who may come be on the roster of the media server, and the session be as the Room asks for, once these steps are done.
fn admit(observed: &Observed, room: &ValidRoom, steps: &[SessionStep]) -> Option<SessionStep> {
    let made = steps.iter().find_map(|step| match step {
        SessionStep::Ensure { session, .. } => Some((session.as_str(), &[][..])),
        _ => None,
    });
    let there = || match (observed.live_session(), &observed.session) {
        (Some(session), SessionView::Present(members)) => Some((session.id.as_str(), members.as_slice())),
        _ => None,
    };
    let (session, members) = made.or_else(there)?;
    let admitted: BTreeSet<String> = members.iter().filter_map(|member| room.roster.recognize(member)).map(|person| person.name).collect();
    let mut wanted = room.roster.admissible();
    // Those beyond the limit find the call full.
    wanted.truncate(room.max_participants);
    wanted.retain(|person| !admitted.contains(&person.name));
    Some(SessionStep::Admit {
        session: session.to_owned(),
        settings: room.session_settings(),
        people: wanted.into_iter().cloned().collect(),
    })
}

/// Whether nobody has been in the session for as long as the spec lets it stay.
fn is_idle(observed: &Observed, room: &ValidRoom, now: Timestamp) -> bool {
    room.close_when_empty_after.zip(observed.empty_since).is_some_and(|(after, since)| now >= later(since, after))
}

/// What must happen to somebody in the call, if anything.
fn correct(room: &ValidRoom, session: &str, member: &SessionMember) -> Option<SessionStep> {
    // On a roster of the media server people have ids, and names are their clients'.
    let has_name = |person: &Person| room.backend.keeps_roster() || member.display_name == person.display_name;
    hold_to_roster(&room.roster, session, member, |person| member.role == Some(person.role) && has_name(person))
}

/// Whether an invite does not say what it should, or could not be written the last time.
fn is_stale(entry: &LedgerEntry, person: &Person) -> bool {
    entry.role != person.role || entry.invite_generation != person.generation || entry.secret_uid.is_empty()
}

/// Whether the ledger may be of an edit before the last one. A reconciliation that did not live to record it may have withdrawn or written over
/// invites by an edit that the last one took back.
fn has_missed_an_edit(observed: &Observed) -> bool {
    let recorded = observed.status().and_then(|status| status.observed_generation).unwrap_or_default();
    observed.room.metadata.generation.is_some_and(|generation| generation > recorded.saturating_add(1))
}

/// Invites of people who left the list are withdrawn, those of the people on it are issued or brought up to date.
fn invites(observed: &Observed, room: &ValidRoom) -> Vec<Step> {
    let status = observed.status();
    let issued: BTreeMap<&str, &LedgerEntry> = observed.ledger().iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let all_stale = observed.recheck_invites
        || status.and_then(|status| status.invites_revision.as_ref()) != Some(&observed.invites_revision)
        || has_missed_an_edit(observed);
    let wanted = room.roster.invited().filter_map(|person| {
        let write = match issued.get(person.name.as_str()) {
            None => InviteWrite::Create,
            Some(entry) if all_stale || is_stale(entry, person) => InviteWrite::Refresh { secret_uid: entry.secret_uid.clone() },
            Some(_) => return None,
        };
        Some(Step::Invite(InviteStep::Issue { person: person.clone(), write }))
    });
    withdraw_unlisted(observed, &room.roster).chain(wanted).collect()
}
