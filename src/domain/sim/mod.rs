//! One Room with its API server and media server in memory, for the tests of the rules: it carries plans out as the
//! controller does, and can stop after any step.

mod describe;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::*;
use crate::api::{
    ConditionType, FINALIZER, LedgerEntry, Participant, Phase, Reason, Role, Room, RoomClass, RoomGuest, RoomSpec, RoomStatus,
};

/// UID of the Room.
pub const UID: &str = "6a1f3c52-0000-4000-8000-00000000000a";
/// A finalizer of somebody else.
pub const OTHER_FINALIZER: &str = "example.org/archive";

/// `HH:MM[:SS[.fraction]]` on the day of these tests.
pub fn at(time: &str) -> Timestamp {
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("2030-01-15T{time}{seconds}Z").parse().unwrap()
}

pub fn installation() -> Installation {
    Installation::from_namespace_uid("00000000-0000-4000-8000-5e1f00000001")
}

/// Name of the Room's session of this epoch.
pub fn session_id(epoch: i64) -> String {
    installation().session_id(UID, epoch)
}

pub fn participant(name: &str, role: Role) -> Participant {
    Participant { name: name.into(), role: Some(role), ..Participant::default() }
}

/// ada the Presenter and bob, from 09:00 to 10:00.
pub fn spec() -> RoomSpec {
    RoomSpec {
        valid_from: Some(Time(at("09:00"))),
        valid_until: Some(Time(at("10:00"))),
        participants: vec![participant("ada", Role::Presenter), participant("bob", Role::Attendee)],
        ..RoomSpec::default()
    }
}

/// An invite Secret, as far as the rules reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub uid: String,
    pub owner: String,
    pub role: Role,
    pub generation: i64,
    pub revision: String,
}

/// What came of a pass.
pub struct Pass {
    pub plan: Plan,
    pub outcome: Outcome,
    pub wrote_status: bool,
    pub event_drafts: Vec<EventDraft>,
}

/// The Room and everything around it.
#[derive(Clone)]
pub struct Simulation {
    /// `None` when the object is gone.
    pub room: Option<Room>,
    pub class: Option<RoomClass>,
    /// The guests of the Room.
    pub guests: Vec<Arc<RoomGuest>>,
    pub now: Timestamp,
    /// The sessions on the media server, with the people in them.
    pub sessions: BTreeMap<String, BTreeMap<String, SessionMember>>,
    /// The invite Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// What the media server answers to everything.
    pub media_failure: Option<Failure>,
    /// What the API server answers to everything about Secrets.
    pub secrets_failure: Option<Failure>,
    /// The next pass is to look whether the invites are still there.
    pub recheck: bool,
    /// Since when nobody was seen in the session.
    pub empty_since: Option<Timestamp>,
    /// Which of the signing keys signs.
    pub signing_key: u8,
    secrets_made: u32,
}

impl Simulation {
    /// A Room that the controller has not seen, created at 08:00; it is 09:00.
    pub fn new(spec: RoomSpec) -> Self {
        let mut class = RoomClass::default();
        class.metadata.name = Some("standard".into());
        class.metadata.annotations = Some([(crate::api::DEFAULT_CLASS_ANNOTATION.to_owned(), "true".to_owned())].into());
        let mut room = Room::new("standup", spec);
        room.metadata.namespace = Some("team".into());
        room.metadata.uid = Some(UID.into());
        room.metadata.generation = Some(1);
        room.metadata.creation_timestamp = Some(Time(at("08:00")));
        room.status = Some(unseen());
        Self {
            room: Some(room),
            class: Some(class),
            guests: Vec::new(),
            now: at("09:00"),
            sessions: BTreeMap::new(),
            secrets: BTreeMap::new(),
            media_failure: None,
            secrets_failure: None,
            recheck: false,
            empty_since: None,
            signing_key: 1,
            secrets_made: 0,
        }
    }

    /// A Room as a pass at this time left it.
    pub fn after_pass_at(time: &str) -> Self {
        let mut sim = Self::new(spec());
        sim.now = at(time);
        sim.pass();
        sim
    }

    /// The same at another time.
    pub fn at(mut self, time: &str) -> Self {
        self.now = at(time);
        self
    }

    /// The same with another spec.
    pub fn edited(mut self, change: impl FnOnce(&mut RoomSpec)) -> Self {
        self.edit(change);
        self
    }

    /// The same with something else done to it.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn room(&self) -> &Room {
        self.room.as_ref().expect("the Room is there")
    }

    pub fn room_mut(&mut self) -> &mut Room {
        self.room.as_mut().expect("the Room is there")
    }

    pub fn status(&self) -> &RoomStatus {
        self.room().status.as_ref().expect("the Room has a status")
    }

    /// Somebody applies a changed spec.
    pub fn edit(&mut self, change: impl FnOnce(&mut RoomSpec)) {
        let Some(room) = &mut self.room else { return };
        let before = room.spec.clone();
        change(&mut room.spec);
        if room.spec != before {
            room.metadata.generation = room.metadata.generation.map(|generation| generation + 1);
        }
    }

    /// Somebody, or the controller, deletes the object.
    pub fn delete(&mut self) {
        let Some(room) = &mut self.room else { return };
        if room.metadata.deletion_timestamp.is_none() {
            room.metadata.deletion_timestamp = Some(Time(self.now));
            room.metadata.generation = room.metadata.generation.map(|generation| generation + 1);
        }
        self.collect_garbage();
    }

    /// The person comes into the call with the invite of today, if the door is open.
    pub fn join(&mut self, name: &str) {
        let (Some(room), Ok(valid)) = (&self.room, self.valid()) else { return };
        let Some(session) = recorded_session(room).and_then(|session| self.sessions.get_mut(session)) else { return };
        let Some(person) = valid.roster.get(name).filter(|person| !person.suspended) else { return };
        if state(&valid, self.now) == Availability::Open {
            session.insert(name.to_owned(), member(person));
        }
    }

    pub fn valid(&self) -> Result<ValidRoom, Rejection> {
        accept(self.room(), Roster::new(self.room(), &self.guests), &self.class, NamespaceView::Labels(None))
    }

    /// Digest of what the Room's invites share.
    pub fn revision(&self) -> String {
        self.valid().map_or_else(|_| String::new(), |room| format!("{} {:?} {:?}", self.signing_key, room.window, room.invite_metadata))
    }

    /// What the controller would do now.
    pub fn plan(&self) -> Plan {
        let valid = self.valid();
        let session = self.look(&valid);
        let (revision, installation) = (self.revision(), installation());
        let observed = Observed {
            room: self.room(),
            guests: &self.guests,
            valid: valid.as_ref(),
            session: &session,
            empty_since: self.empty_since,
            invites_revision: &revision,
            recheck_invites: self.recheck,
            installation: &installation,
        };
        plan(&observed, self.now)
    }

    fn look(&self, valid: &Result<ValidRoom, Rejection>) -> SessionView {
        match (session_that_matters(self.room(), valid.as_ref(), self.now), &self.media_failure) {
            (None, _) => SessionView::NotAsked,
            (Some(_), Some(failure)) => SessionView::Unknown(failure.clone()),
            (Some(session), None) => {
                self.sessions.get(session).map_or(SessionView::Absent, |members| SessionView::Present(members.values().cloned().collect()))
            }
        }
    }

    /// A whole pass: plan, steps, status.
    pub fn pass(&mut self) -> Pass {
        let plan = self.plan();
        let outcome = self.carry_out(&plan, plan.steps.len());
        let mut pass = Pass { plan, outcome, wrote_status: false, event_drafts: Vec::new() };
        let judged = self.room.is_some().then(|| (self.valid(), self.revision()));
        if let (Some(room), Some((valid, revision))) = (&mut self.room, judged)
            && room.metadata.deletion_timestamp.is_none()
        {
            let joined = recorded_session(room).and_then(|session| self.sessions.get(session)).map_or(0, BTreeMap::len);
            let joined = i32::try_from(joined).unwrap();
            let after = status(room, valid.as_ref(), &pass.plan, &pass.outcome, &revision, joined, self.now);
            pass.event_drafts = event_drafts(room.status.as_ref(), &after, &pass.outcome);
            pass.wrote_status = room.status.as_ref() != Some(&after);
            room.status = Some(after);
        }
        pass
    }

    /// A pass that the controller does not survive: it ends after this many steps, and no status is written.
    pub fn crash_after(&mut self, steps: usize) {
        let plan = self.plan();
        self.carry_out(&plan, steps);
    }

    fn carry_out(&mut self, plan: &Plan, steps: usize) -> Outcome {
        let mut outcome = Outcome::default();
        let valid = self.valid();
        if let (Goal::Open, SessionView::Unknown(failure)) = (&plan.goal, self.look(&valid)) {
            outcome.session_failure = Some(failure);
        }
        outcome.session_found = matches!(self.look(&valid), SessionView::Present(_));
        for step in plan.steps.iter().take(steps) {
            self.step(step, &mut outcome);
        }
        outcome
    }

    fn step(&mut self, step: &Step, outcome: &mut Outcome) {
        let failure = match step {
            Step::RemovePerson { .. } | Step::SetRole { .. } | Step::CloseSession { .. } | Step::EnsureSession { .. } => {
                &self.media_failure
            }
            Step::IssueInvite { .. } | Step::WithdrawInvite { .. } => &self.secrets_failure,
            Step::AddFinalizer | Step::ReserveSession { .. } | Step::DeleteRoom | Step::ReleaseFinalizer { .. } => &None,
        };
        match (failure, step) {
            (Some(failure), Step::IssueInvite { .. } | Step::WithdrawInvite { .. }) => {
                outcome.invites_failure.get_or_insert(failure.clone());
            }
            (Some(failure), _) => {
                outcome.session_failure.get_or_insert(failure.clone());
            }
            (None, step) => self.take(step, outcome),
        }
    }

    fn take(&mut self, step: &Step, outcome: &mut Outcome) {
        match step {
            Step::AddFinalizer => self.room_mut().metadata.finalizers.get_or_insert_default().push(FINALIZER.into()),
            Step::RemovePerson { session, identity } => {
                self.sessions.get_mut(session).map(|members| members.remove(identity));
                outcome.removed.push(identity.clone());
            }
            Step::SetRole { session, person } => {
                if let Some(taken) = self.sessions.get_mut(session).and_then(|members| members.get_mut(&person.name)) {
                    *taken = SessionMember { generation: taken.generation, ..member(person) };
                }
            }
            Step::CloseSession { session } => {
                self.sessions.remove(session);
                let recorded = self.status().session.as_ref();
                outcome.session_closed |= recorded.is_some_and(|recorded| recorded.id == *session);
            }
            Step::EnsureSession { session, epoch } => {
                self.sessions.entry(session.clone()).or_default();
                outcome.session_made = Some((session.clone(), *epoch));
            }
            Step::ReserveSession { session, epoch } => outcome.session_reserved = Some((session.clone(), *epoch)),
            Step::IssueInvite { person, issue: _ } => outcome.issued.push(self.issue(person)),
            Step::WithdrawInvite { secret_name, secret_uid: _ } => {
                // By the UID of the ledger, and if the Secret has another one, by its label.
                if self.secrets.get(secret_name).is_some_and(|secret| secret.owner == UID) {
                    self.secrets.remove(secret_name);
                }
                outcome.withdrawn.push(secret_name.clone());
            }
            Step::DeleteRoom => self.delete(),
            Step::ReleaseFinalizer { give_up } => {
                if *give_up || outcome.failure().is_none() {
                    self.room_mut().metadata.finalizers.get_or_insert_default().retain(|finalizer| finalizer != FINALIZER);
                    self.collect_garbage();
                }
            }
        }
    }

    /// Create and Refresh end in the same: the Secret is there and says what it should.
    fn issue(&mut self, person: &Person) -> LedgerEntry {
        let secret_name = crate::api::invite_secret_name("standup", &person.name);
        let revision = self.revision();
        self.secrets_made += 1;
        let new = Secret { uid: format!("secret-{}", self.secrets_made), owner: UID.into(), role: person.role, generation: 0, revision };
        let kept = self.secrets.get(&secret_name).map_or(new.uid.clone(), |secret| secret.uid.clone());
        let secret = Secret { uid: kept, generation: person.generation, ..new };
        self.secrets.insert(secret_name.clone(), secret.clone());
        let Person { name, role, generation, .. } = person.clone();
        LedgerEntry { name, role, invite_generation: generation, secret_name, secret_uid: secret.uid }
    }

    /// What the API server and its garbage collector do once nothing holds a deleted object.
    fn collect_garbage(&mut self) {
        let held = |room: &Room| room.metadata.deletion_timestamp.is_none() || room.metadata.finalizers.iter().flatten().next().is_some();
        if !self.room.as_ref().is_some_and(held) {
            self.room = None;
            self.secrets.retain(|_, secret| secret.owner != UID);
        }
    }

    /// Sessions that belong to no Room.
    pub fn orphans(&self) -> Vec<String> {
        let rooms: Vec<Arc<Room>> = self.room.iter().cloned().map(Into::into).collect();
        let found = orphans(self.sessions.keys().map(String::as_str), &rooms, &installation(), self.now);
        found.into_iter().map(str::to_owned).collect()
    }

    pub fn wait(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
    }
}

/// What the schema gives a Room that the controller has not seen.
fn unseen() -> RoomStatus {
    let ready = Condition {
        type_: ConditionType::Ready.to_string(),
        status: "Unknown".into(),
        reason: "Pending".into(),
        message: "Waiting for the controller".into(),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        observed_generation: None,
    };
    RoomStatus { phase: Phase::Pending, conditions: vec![ready], ..RoomStatus::default() }
}

/// The session member of a person who came by the invite of today.
pub fn member(person: &Person) -> SessionMember {
    let Person { name, display_name, role, generation, suspended: _ } = person.clone();
    SessionMember { identity: name, display_name, role: Some(role), generation: Some(generation) }
}

/// A media server, or API server, that cannot be reached.
pub fn unreachable() -> Failure {
    Failure::transient(Reason::Unreachable, "the media server cannot be reached")
}
