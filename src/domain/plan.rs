//! From what was observed to the whole ordered list of steps: pure and total.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::failure::Failure;
use super::session::{Installation, Seat};
use super::validate::{Person, Rejection, ValidRoom};
use super::window::{Moment, Window, later};
use crate::api::{ConditionType, FINALIZER, LedgerEntry, Phase, Room, RoomStatus, SessionStatus, invite_secret_name};

/// How long the deletion of a Room waits for a media server that does not answer.
const CLEANUP_PATIENCE: Duration = Duration::from_mins(1);

/// Everything that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The newest known state of the Room.
    pub room: &'a Room,
    /// The Room as judged by its class.
    pub valid: Result<&'a ValidRoom, &'a Rejection>,
    /// The session that the Room's status names.
    pub session: &'a SessionView,
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
    Present(Vec<Seat>),
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
        Goal::Scheduled | Goal::Suspended => stay(observed, close_live_session(observed).into_iter().collect()),
        Goal::Open => stay(observed, open(observed)),
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

fn close_live_session(observed: &Observed<'_>) -> Option<Step> {
    live_session(observed.room).map(|session| Step::CloseSession { session: session.id.clone() })
}

fn add_finalizer(room: &Room) -> Option<Step> {
    (!has_finalizer(room)).then_some(Step::AddFinalizer)
}

/// The way in: finalizer first, so that nothing is made that nobody would clean up; then the session, then the invites.
fn stay(observed: &Observed<'_>, session_steps: Vec<Step>) -> Vec<Step> {
    add_finalizer(observed.room).into_iter().chain(session_steps).chain(invites(observed)).collect()
}

fn open(observed: &Observed<'_>) -> Vec<Step> {
    let Ok(room) = observed.valid else { return Vec::new() };
    match (live_session(observed.room), observed.session) {
        (Some(session), SessionView::Present(seats)) => seats.iter().filter_map(|seat| reseat(room, &session.id, seat)).collect(),
        (Some(_), SessionView::NotAsked | SessionView::Unknown(_)) => Vec::new(),
        (None, _) | (Some(_), SessionView::Absent) => {
            let epoch = next_epoch(observed.room);
            vec![Step::EnsureSession { session: observed.installation.session_id(&room.uid, epoch), epoch }]
        }
    }
}

/// What must happen to somebody in the call, if anything.
fn reseat(room: &ValidRoom, session: &str, seat: &Seat) -> Option<Step> {
    let allowed = |person: &&Person| person.name == seat.identity && !person.suspended && seat.generation == Some(person.generation);
    let Some(person) = room.people.iter().find(allowed) else {
        return Some(Step::RemovePerson { session: session.to_owned(), identity: seat.identity.clone() });
    };
    let right = seat.role == Some(person.role) && seat.display_name == person.display_name;
    (!right).then(|| Step::SetRole { session: session.to_owned(), person: person.clone() })
}

/// Invites of people who left the list go, those of the people on it are made or brought up to date.
fn invites(observed: &Observed<'_>) -> Vec<Step> {
    let Ok(room) = observed.valid else { return Vec::new() };
    let status = observed.room.status.as_ref();
    let issued: BTreeMap<&str, &LedgerEntry> = ledger(observed.room).iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let listed: BTreeSet<&str> = room.people.iter().map(|person| person.name.as_str()).collect();
    let all_stale = observed.recheck_invites
        || status.and_then(|status| status.invites_revision.as_deref()) != Some(observed.invites_revision)
        || status.and_then(|status| status.observed_generation) != observed.room.metadata.generation;
    let gone = issued.values().filter(|entry| !listed.contains(entry.name.as_str())).map(|entry| withdraw(entry));
    let wanted = room.people.iter().filter_map(|person| {
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
            steps.insert(0, Step::CloseSession { session: observed.installation.session_id(uid, next_epoch(room)) });
        }
        let name = room.metadata.name.as_deref().unwrap_or_default();
        let known: BTreeSet<&str> = ledger(room).iter().map(|entry| entry.name.as_str()).collect();
        let unknown = room.spec.participants.iter().filter(|participant| !known.contains(participant.name.as_str()));
        steps.extend(unknown.map(|person| Step::WithdrawInvite { secret_name: invite_secret_name(name, &person.name), secret_uid: None }));
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
