//! From what was observed to the whole ordered list of steps: pure and total.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::failure::Failure;
use super::rejection::Rejection;
use super::roster::{Person, guest_identity};
use super::session::{Installation, SessionMember};
use super::validate::ValidRoom;
use super::window::{Moment, Window, later};
use crate::api::{
    ConditionType, FINALIZER, LINK_SUBJECT, LedgerEntry, Phase, Provision, Room, RoomGuest, RoomStatus, SessionStatus, invite_secret_name,
};

/// How long the deletion of a Room waits for a media server that does not answer.
const CLEANUP_PATIENCE: Duration = Duration::from_mins(1);

/// Everything that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The newest known state of the Room.
    pub room: &'a Room,
    /// Its guests.
    pub guests: &'a [Arc<RoomGuest>],
    /// The Room as judged by its class.
    pub valid: Result<&'a ValidRoom, &'a Rejection>,
    /// The session that the Room's status names.
    pub session: &'a SessionView,
    /// When the session was seen without anybody in it, and with nobody since.
    pub empty_since: Option<Timestamp>,
    /// Digest of what all invite Secrets of the Room share, as it should be.
    pub invites_revision: &'a str,
    /// Whether it is time to look whether the invite Secrets are still there.
    pub recheck_invites: bool,
    /// The names of sessions.
    pub installation: &'a Installation,
}

/// The session that a Room's status names, as the media server shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionView {
    /// The status names none that lives, or nobody needs to know.
    NotAsked,
    /// The media server does not know it.
    Absent,
    /// It lives, with these people in it.
    Present(Vec<SessionMember>),
    /// It could not be asked.
    Unknown(Failure),
}

/// What the Room should be at this moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The object is being deleted.
    Gone {
        /// Deletion goes on even when the session could not be closed.
        give_up: bool,
    },
    /// The spec is not accepted: nobody new gets in, nobody is thrown out, the end comes all the same.
    NotAccepted(Rejection),
    /// Before the window.
    Scheduled,
    /// In the window.
    Open,
    /// Closed by `spec.suspend`.
    Suspended,
    /// Over.
    Expired,
}

/// How to write an invite Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    /// It is not in the ledger: create it, and if one of that name is there, see whether it is ours.
    Create,
    /// It is in the ledger: bring it up to date, and if it is gone, create it.
    Refresh,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Put our finalizer on the Room.
    AddFinalizer,
    /// Put somebody out of the call.
    RemovePerson {
        /// The session.
        session: String,
        /// Who.
        identity: String,
    },
    /// Give a joined person role and display name.
    SetRole {
        /// The session.
        session: String,
        /// Who, with the wanted role and display name.
        person: Person,
    },
    /// End a session.
    CloseSession {
        /// The session.
        session: String,
    },
    /// Make a session if it is absent.
    EnsureSession {
        /// The session.
        session: String,
        /// Its epoch.
        epoch: i64,
    },
    /// Have a session made under this name when somebody joins.
    ReserveSession {
        /// The session.
        session: String,
        /// Its epoch.
        epoch: i64,
    },
    /// Write an invite Secret.
    IssueInvite {
        /// For whom.
        person: Person,
        /// How.
        issue: Issue,
    },
    /// Delete an invite Secret.
    WithdrawInvite {
        /// Name of the Secret.
        secret_name: String,
        /// UID from the ledger; `None` when a crash kept it from the ledger.
        secret_uid: Option<String>,
    },
    /// Delete the Room object, because its TTL is over.
    DeleteRoom,
    /// Take our finalizer off, if everything before went well, or if patience is over.
    ReleaseFinalizer {
        /// Patience is over.
        give_up: bool,
    },
}

/// What to do now, in this order, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the Room should be.
    pub goal: Goal,
    /// The window in force, if it is known.
    pub window: Option<Window>,
    /// The steps.
    pub steps: Vec<Step>,
    /// When the clock alone changes the goal next.
    pub next_transition: Option<Timestamp>,
}

/// The plan for a Room at `now`.
#[must_use]
pub fn plan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let window = window(observed);
    let goal = goal(observed, window, now);
    let steps = match &goal {
        Goal::Gone { give_up } => leave(observed, window, *give_up),
        Goal::NotAccepted(_) => Vec::new(),
        Goal::Expired => expire(observed, window, now),
        Goal::Scheduled | Goal::Suspended => stay(observed, close_live_session(observed)),
        Goal::Open => stay(observed, open(observed, now)),
    };
    let next_transition = next_transition(observed, &goal, window, now);
    Plan { goal, window, steps, next_transition }
}

/// The session whose people matter at `now`: the living one of an open Room. Nobody else's media server needs to be asked.
#[must_use]
pub fn session_that_matters<'a>(room: &'a Room, valid: Result<&ValidRoom, &Rejection>, now: Timestamp) -> Option<&'a str> {
    let open = valid.is_ok_and(|room| !room.suspend && room.window.at(now) == Moment::During);
    let session = live_session(room).filter(|_| open && room.metadata.deletion_timestamp.is_none())?;
    Some(&session.id)
}

/// The window of the spec, or, while the spec is not accepted, the one that was in force last.
fn window(observed: &Observed<'_>) -> Option<Window> {
    if let Ok(room) = observed.valid {
        return Some(room.window);
    }
    observed.room.status.as_ref().and_then(Window::recorded)
}

fn goal(observed: &Observed<'_>, window: Option<Window>, now: Timestamp) -> Goal {
    if let Some(deleted) = &observed.room.metadata.deletion_timestamp {
        return Goal::Gone { give_up: now >= later(deleted.0, CLEANUP_PATIENCE) };
    }
    let moment = window.map(|window| window.at(now));
    match (observed.valid, moment) {
        (_, Some(Moment::After)) => Goal::Expired,
        (Err(rejection), _) => Goal::NotAccepted(rejection.clone()),
        (Ok(room), _) if room.suspend => Goal::Suspended,
        (Ok(_), Some(Moment::During)) => Goal::Open,
        (Ok(_), Some(Moment::Before) | None) => Goal::Scheduled,
    }
}

/// The session that the status names, unless it has ended.
fn live_session(room: &Room) -> Option<&SessionStatus> {
    room.status.as_ref()?.live_session()
}

fn ledger(room: &Room) -> &[LedgerEntry] {
    room.status.as_ref().map_or(&[], |status| &status.participants)
}

fn has_finalizer(room: &Room) -> bool {
    room.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Whether there may be invites and a session that the status does not tell of, because the last pass over this spec, or
/// over the end that its class gives it, did not end or did not end well.
fn unfinished(room: &Room, window: Option<Window>) -> bool {
    let finished = |status: &RoomStatus| {
        // To delete an object raises its generation too, and gives an Expired Room nothing that it could have to lose.
        let deleted = status.phase == Phase::Expired && room.metadata.deletion_timestamp.is_some();
        let same_end = status.valid_until.as_ref().map(|until| until.0) == window.map(|window| window.until);
        let seen = deleted || same_end && status.observed_generation == room.metadata.generation;
        seen && status.condition(ConditionType::InvitesReady, true).is_some()
    };
    has_finalizer(room) && !room.status.as_ref().is_some_and(finished)
}

/// The epoch of the session that would be made next.
fn next_epoch(room: &Room) -> i64 {
    room.status.as_ref().and_then(|status| status.session.as_ref()).map_or(1, |session| session.epoch.saturating_add(1))
}

/// Closes the living session, and the one that the door may have made because it found that one lost.
fn close_live_session(observed: &Observed<'_>) -> Vec<Step> {
    let Some(session) = live_session(observed.room) else { return Vec::new() };
    let uid = observed.room.metadata.uid.as_deref().unwrap_or_default();
    observed.installation.sessions(uid, session).into_iter().map(|session| Step::CloseSession { session }).collect()
}

fn add_finalizer(room: &Room) -> Option<Step> {
    (!has_finalizer(room)).then_some(Step::AddFinalizer)
}

/// The way in: finalizer first, so that nothing is made that nobody would clean up; then the session, then the invites.
fn stay(observed: &Observed<'_>, session_steps: Vec<Step>) -> Vec<Step> {
    add_finalizer(observed.room).into_iter().chain(session_steps).chain(invites(observed)).collect()
}

fn open(observed: &Observed<'_>, now: Timestamp) -> Vec<Step> {
    let Ok(room) = observed.valid else { return Vec::new() };
    let epoch = next_epoch(observed.room);
    let next = || observed.installation.session_id(&room.uid, epoch);
    let on_demand = room.provision == Provision::OnFirstJoin;
    match (live_session(observed.room), observed.session) {
        (Some(session), SessionView::Present(members)) if members.is_empty() && is_idle(observed, room, now) => {
            vec![Step::CloseSession { session: session.id.clone() }, Step::ReserveSession { session: next(), epoch }]
        }
        (Some(session), SessionView::Present(members)) => members.iter().filter_map(|member| reseat(room, &session.id, member)).collect(),
        (Some(_), SessionView::NotAsked | SessionView::Unknown(_)) => Vec::new(),
        (Some(session), SessionView::Absent) if session.created_at.is_none() => {
            let waits = on_demand || room.close_when_empty_after.is_some();
            let ensure = Step::EnsureSession { session: session.id.clone(), epoch: session.epoch };
            if waits { Vec::new() } else { vec![ensure] }
        }
        (None, _) | (Some(_), SessionView::Absent) if on_demand => vec![Step::ReserveSession { session: next(), epoch }],
        (None, _) | (Some(_), SessionView::Absent) => vec![Step::EnsureSession { session: next(), epoch }],
    }
}

/// Whether nobody has been in the session for as long as the spec lets it stay.
fn is_idle(observed: &Observed<'_>, room: &ValidRoom, now: Timestamp) -> bool {
    room.close_when_empty_after.zip(observed.empty_since).is_some_and(|(after, since)| now >= later(since, after))
}

/// What must happen to somebody in the call, if anything.
fn reseat(room: &ValidRoom, session: &str, member: &SessionMember) -> Option<Step> {
    let Some(person) = room.roster.seated(member) else {
        return Some(Step::RemovePerson { session: session.to_owned(), identity: member.identity.clone() });
    };
    let right = member.role == Some(person.role) && member.display_name == person.display_name;
    (!right).then(|| Step::SetRole { session: session.to_owned(), person })
}

/// Invites of people who left the list go, those of the people on it are made or brought up to date.
fn invites(observed: &Observed<'_>) -> Vec<Step> {
    let Ok(room) = observed.valid else { return Vec::new() };
    let status = observed.room.status.as_ref();
    let issued: BTreeMap<&str, &LedgerEntry> = ledger(observed.room).iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let listed: BTreeSet<&str> = room.roster.invited().map(|person| person.name.as_str()).collect();
    let all_stale = observed.recheck_invites
        || status.and_then(|status| status.invites_revision.as_deref()) != Some(observed.invites_revision)
        || status.and_then(|status| status.observed_generation) != observed.room.metadata.generation;
    let gone = issued.values().filter(|entry| !listed.contains(entry.name.as_str())).map(|entry| withdraw(entry));
    let wanted = room.roster.invited().filter_map(|person| {
        let issue = match issued.get(person.name.as_str()) {
            None => Issue::Create,
            Some(entry) if all_stale || entry.role != person.role || entry.invite_generation != person.generation => Issue::Refresh,
            Some(_) => return None,
        };
        Some(Step::IssueInvite { person: person.clone(), issue })
    });
    gone.chain(wanted).collect()
}

fn withdraw(entry: &LedgerEntry) -> Step {
    Step::WithdrawInvite { secret_name: entry.secret_name.clone(), secret_uid: Some(entry.secret_uid.clone()) }
}

/// Everything that the Room has goes; planned from status and UID alone, so that a bad spec cannot block it.
fn dismantle(observed: &Observed<'_>, window: Option<Window>) -> Vec<Step> {
    let room = observed.room;
    let mut steps: Vec<Step> = close_live_session(observed).into_iter().chain(ledger(room).iter().map(withdraw)).collect();
    if unfinished(room, window) {
        if let Some(uid) = room.metadata.uid.as_deref() {
            let next = Step::CloseSession { session: observed.installation.session_id(uid, next_epoch(room)) };
            if !steps.contains(&next) {
                steps.insert(0, next);
            }
        }
        let name = room.metadata.name.as_deref().unwrap_or_default();
        let known: BTreeSet<&str> = ledger(room).iter().map(|entry| entry.name.as_str()).collect();
        let guests = observed.guests.iter().map(|guest| guest_identity(guest.metadata.name.as_deref().unwrap_or_default()));
        let listed = room.spec.participants.iter().map(|participant| participant.name.clone());
        let link = room.spec.join_policy.map(|_| LINK_SUBJECT.to_owned());
        let unknown = listed.chain(guests).chain(link).filter(|identity| !known.contains(identity.as_str()));
        steps.extend(unknown.map(|identity| Step::WithdrawInvite { secret_name: invite_secret_name(name, &identity), secret_uid: None }));
    }
    steps
}

fn expire(observed: &Observed<'_>, window: Option<Window>, now: Timestamp) -> Vec<Step> {
    let mut steps = dismantle(observed, window);
    if removal(observed, window).is_some_and(|removal| now >= removal) {
        steps.push(Step::DeleteRoom);
    }
    steps
}

fn leave(observed: &Observed<'_>, window: Option<Window>, give_up: bool) -> Vec<Step> {
    if !has_finalizer(observed.room) {
        return Vec::new();
    }
    dismantle(observed, window).into_iter().chain([Step::ReleaseFinalizer { give_up }]).collect()
}

/// When the TTL of an expired Room is over. Not known while the spec is not accepted: it may have got a later end that is
/// not in force yet, and nothing brings a deleted object back.
fn removal(observed: &Observed<'_>, window: Option<Window>) -> Option<Timestamp> {
    Some(later(window?.until, observed.valid.ok()?.ttl?))
}

fn next_transition(observed: &Observed<'_>, goal: &Goal, window: Option<Window>, now: Timestamp) -> Option<Timestamp> {
    let moment = match goal {
        Goal::Gone { .. } => observed.room.metadata.deletion_timestamp.as_ref().map(|deleted| later(deleted.0, CLEANUP_PATIENCE)),
        Goal::Expired => removal(observed, window),
        Goal::Scheduled => window.map(|window| window.from),
        Goal::Suspended | Goal::Open | Goal::NotAccepted(_) => window.map(|window| window.until),
    };
    moment.filter(|moment| *moment > now)
}

#[cfg(test)]
mod tests;
