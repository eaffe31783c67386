//! Carries plans out against one Room in memory and the fake media server, by the same [`Execution`] as the controller, and can stop
//! after any step.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::{ConditionType, FINALIZER, LedgerEntry, Phase, Role, Room, RoomClass, RoomGuest, RoomSpec, RoomStatus};
use crate::backend::{Backend, FakeMediaServer};
use crate::domain::*;
use crate::fixtures::{ROOM, ROOM_UID, default_class, participant, room};

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
    installation().session_id(ROOM_UID, epoch)
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

/// What came of a reconciliation.
pub struct Reconciliation {
    pub goal: Goal,
    /// The planned steps in words.
    pub steps: Vec<String>,
    pub next_transition: Option<Timestamp>,
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
    /// Identities that a Presenter has removed.
    pub removed: BTreeSet<String>,
    /// UIDs of Rooms that cannot be read.
    pub unreadable: HashSet<String>,
    pub now: Timestamp,
    pub media: FakeMediaServer,
    /// The invite Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// What the API server answers to everything about Secrets.
    pub secrets_failure: Option<Failure>,
    /// The next reconciliation is to look whether the invites are still there.
    pub recheck: bool,
    /// Since when nobody was seen in the session.
    pub empty_since: Option<Timestamp>,
    /// When a reconciliation closed the session that left the rest for later.
    pub closed_at: Option<Timestamp>,
    pub unrecorded: BTreeSet<String>,
    /// Which of the signing keys signs.
    pub signing_key: u8,
    secrets_made: u32,
}

impl Simulation {
    /// A Room that the controller has not seen, created at 08:00; it is 09:00.
    pub fn new(spec: RoomSpec) -> Self {
        let mut room = room(spec);
        room.metadata.creation_timestamp = Some(Time(at("08:00")));
        room.status = Some(unseen());
        Self {
            room: Some(room),
            class: Some(default_class()),
            guests: Vec::new(),
            removed: BTreeSet::new(),
            unreadable: HashSet::new(),
            now: at("09:00"),
            media: FakeMediaServer::default(),
            secrets: BTreeMap::new(),
            secrets_failure: None,
            recheck: false,
            empty_since: None,
            closed_at: None,
            unrecorded: BTreeSet::new(),
            signing_key: 1,
            secrets_made: 0,
        }
    }

    /// A Room as a reconciliation at this time left it.
    pub fn reconciled_at(time: &str) -> Self {
        let mut sim = Self::new(spec());
        sim.now = at(time);
        sim.reconcile();
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

    /// The person joins with the invite of today, if the Room can be joined.
    pub fn join(&mut self, name: &str) {
        let (Some(room), Ok(valid)) = (&self.room, self.valid()) else { return };
        let Some(session) = recorded_session(room) else { return };
        let Some(person) = valid.roster.get(name).filter(|person| !person.suspended) else { return };
        if let Ok(grant) = admit(&valid, person, 0, self.now) {
            // A session that is not there lets nobody in.
            let _ = self.media.join(session, &grant);
        }
    }

    pub fn valid(&self) -> Result<ValidRoom, Rejection> {
        accept(
            self.room(),
            Arc::new(Roster::new(self.room(), &self.guests, self.removed.clone())),
            &self.class,
            NamespaceView::Labels(None),
        )
    }

    /// Digest of what the Room's invites share.
    pub fn revision(&self) -> String {
        self.valid().map_or_else(|_| String::new(), |room| format!("{} {:?} {:?}", self.signing_key, room.window, room.invite_metadata))
    }

    /// What the controller would do now.
    pub fn plan(&self) -> Plan {
        plan(&self.observe(), &installation(), self.now)
    }

    pub fn observe(&self) -> Observed {
        let valid = self.valid();
        let session = match session_to_observe(self.room(), valid.as_ref(), self.now) {
            None => SessionView::NotAsked,
            Some(session) => match block_on(self.media.observe(session)) {
                Ok(members) => members.map_or(SessionView::Absent, SessionView::Present),
                Err(failure) => SessionView::Unknown(failure),
            },
        };
        Observed {
            room: Arc::new(self.room().clone()),
            guests: self.guests.clone(),
            removed: self.removed.clone(),
            valid,
            session,
            empty_since: self.empty_since,
            closed_at: self.closed_at,
            unrecorded: self.unrecorded.clone(),
            joined: 0,
            invites_revision: self.revision(),
            recheck_invites: self.recheck,
        }
    }

    /// A whole reconciliation: plan, steps, status.
    pub fn reconcile(&mut self) -> Reconciliation {
        let mut observed = self.observe();
        let plan = plan(&observed, &installation(), self.now);
        let (goal, steps, next_transition) = (plan.goal.clone(), plan.describe(), plan.next_transition);
        let mut execution = Execution::begin(plan, &observed);
        self.carry_out(&mut execution, usize::MAX);
        let outcome = execution.finish().expect("the finalizer can always be set");
        let mut pass = Reconciliation { goal, steps, next_transition, wrote_status: false, event_drafts: Vec::new() };
        let joined = self.room.as_ref().and_then(recorded_session).and_then(|session| self.media.members(session));
        if let Some(room) = &mut self.room
            && room.metadata.deletion_timestamp.is_none()
        {
            // As if people were counted just now.
            observed.joined = i32::try_from(joined.map_or(0, |members| members.len())).unwrap();
            let after = status(&observed, &outcome, self.now);
            pass.event_drafts = event_drafts(room.status.as_ref(), &after, &outcome);
            pass.wrote_status = room.status.as_ref() != Some(&after);
            room.status = Some(after);
        }
        pass
    }

    /// A reconciliation that the controller does not survive: it ends after this many steps, and no status is written.
    pub fn crash_after(&mut self, steps: usize) {
        let observed = self.observe();
        let mut execution = Execution::begin(plan(&observed, &installation(), self.now), &observed);
        self.carry_out(&mut execution, steps);
    }

    /// Carries out the steps of an execution, but no more than this many.
    fn carry_out(&mut self, execution: &mut Execution, steps: usize) {
        let mut left = steps;
        while left > 0
            && let Some(batch) = execution.next_batch()
        {
            match batch {
                Batch::Room(step) => {
                    left -= 1;
                    self.room_step(&step);
                    execution.record_room(&step, Ok(()));
                }
                Batch::Session(step) => {
                    left -= 1;
                    let result = block_on(self.session_step(&step));
                    execution.record_session(step, result);
                }
                Batch::Members(steps) => {
                    for step in steps.into_iter().take(left) {
                        left -= 1;
                        let result = block_on(self.session_step(&step));
                        execution.record_session(step, result);
                    }
                }
                Batch::Invites(steps) => {
                    for step in steps.into_iter().take(left) {
                        left -= 1;
                        let failure = self.secrets_failure.clone();
                        let result = failure.map_or_else(|| Ok(self.invite_step(step.clone())), Err);
                        execution.record_invite(&step, result);
                    }
                }
            }
        }
    }

    fn room_step(&mut self, step: &RoomStep) {
        match step {
            RoomStep::AddFinalizer => self.room_mut().metadata.finalizers.get_or_insert_default().push(FINALIZER.into()),
            RoomStep::Delete => self.delete(),
            RoomStep::ReleaseFinalizer { give_up: _ } => {
                self.room_mut().metadata.finalizers.get_or_insert_default().retain(|finalizer| finalizer != FINALIZER);
                self.collect_garbage();
            }
        }
    }

    async fn session_step(&self, step: &SessionStep) -> Result<(), Failure> {
        match step {
            SessionStep::Ensure { session, epoch: _, settings } => self.media.ensure(session, *settings).await,
            SessionStep::Admit { session, settings, people } => self.media.admit(session, *settings, people, "").await,
            SessionStep::Reserve { session: _, epoch: _ } => Ok(()),
            SessionStep::Close { session } => self.media.close(session).await,
            SessionStep::RemoveMember { session, identity } => self.media.remove(session, identity).await,
            SessionStep::SetRole { session, person } => self.media.set_role(session, &person.name, person.role, &person.display_name).await,
        }
    }

    fn invite_step(&mut self, step: InviteStep) -> InviteChange {
        match step {
            InviteStep::Issue { person, write: _ } => InviteChange::Issued(self.issue(&person)),
            InviteStep::Withdraw { secret_name, secret_uid: _ } => {
                // By the UID of the ledger, and if the Secret has another one, by its label.
                if self.secrets.get(&secret_name).is_some_and(|secret| secret.owner == ROOM_UID) {
                    self.secrets.remove(&secret_name);
                }
                InviteChange::Withdrawn { secret_name }
            }
        }
    }

    /// Create and Refresh end in the same: the Secret is there and says what it should.
    fn issue(&mut self, person: &Person) -> LedgerEntry {
        let secret_name = crate::api::invite_secret_name(ROOM, &person.name);
        let revision = self.revision();
        self.secrets_made += 1;
        let new =
            Secret { uid: format!("secret-{}", self.secrets_made), owner: ROOM_UID.into(), role: person.role, generation: 0, revision };
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
            self.secrets.retain(|_, secret| secret.owner != ROOM_UID);
        }
    }

    /// Sessions that belong to no Room.
    pub fn orphans(&self) -> Vec<String> {
        let sessions = self.media.sessions();
        let rooms: Vec<_> =
            self.room.iter().map(|room| (room.metadata.uid.as_deref().unwrap_or_default(), RoomSummary::of(room))).collect();
        let rooms = rooms.iter().map(|(uid, room)| (*uid, room));
        let found = orphans(sessions.iter().map(String::as_str), rooms, |uid| self.unreadable.contains(uid), &installation(), self.now);
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
    SessionMember { identity: name, display_name, role: Some(role), generation: Some(generation), signed_by: None }
}
