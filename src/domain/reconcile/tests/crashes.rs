//! Rooms that are edited at random while reconciliations are cut short at every step: where it all ends is what the spec says, as if
//! nothing had happened.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;

use crate::api::{FINALIZER, InviteTemplate, InviteTemplateMetadata, Participant, Phase, Role, RoomSpec, invite_secret_name};
use crate::domain::tests::{OTHER_FINALIZER, Simulation, at, session_id};
use crate::domain::{SessionMember, recorded_session};
use crate::fixtures::{participant, unreachable};

/// Reconciliations that a Room may need after the last trouble.
const MOST_RECONCILIATIONS: usize = 4;
const NAMES: [&str; 8] = ["ada", "bob", "cy", "dee", "eve", "fay", "gus", "hal"];
/// Sessions of others on the same media server.
const FOREIGN: [&str; 2] = ["lobby", "rk-5e1f00000002-11111111-2222-3333-4444-555555555555-1"];

/// Something that happens to a Room. Numbers pick a person, modulo the people there are.
#[derive(Clone, Copy, Debug)]
enum Event {
    Add(usize),
    Remove(usize),
    SuspendPerson(usize),
    Rotate(usize),
    ChangeRole(usize, Role),
    Rename(usize),
    MoveStart(i64),
    MoveEnd(i64),
    Suspend,
    ChangeTemplate,
    ChangeKey,
    Join(usize),
    MediaServerForgets,
    /// The class goes for one reconciliation, this many minutes later.
    ClassGone(i64),
    Wait(i64),
    Delete,
}

/// What goes wrong in the reconciliation after it.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    CrashAfter(usize),
    MediaServer,
    Secrets,
}

#[derive(Clone, Debug)]
struct Story {
    people: Vec<(Role, bool)>,
    /// Minutes after 08:00.
    start: i64,
    length: i64,
    ttl: Option<i32>,
    held_by_others: bool,
    events: Vec<(Event, Trouble)>,
}

fn roles() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Presenter), Just(Role::Collaborator), Just(Role::Attendee), Just(Role::Consumer)]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0_usize..8).prop_map(Event::Add),
        2 => (0_usize..8).prop_map(Event::Remove),
        1 => (0_usize..8).prop_map(Event::SuspendPerson),
        1 => (0_usize..8).prop_map(Event::Rotate),
        1 => ((0_usize..8), roles()).prop_map(|(person, role)| Event::ChangeRole(person, role)),
        1 => (0_usize..8).prop_map(Event::Rename),
        1 => (-90_i64..90).prop_map(Event::MoveStart),
        3 => (-90_i64..90).prop_map(Event::MoveEnd),
        2 => Just(Event::Suspend),
        1 => Just(Event::ChangeTemplate),
        1 => Just(Event::ChangeKey),
        4 => (0_usize..8).prop_map(Event::Join),
        1 => Just(Event::MediaServerForgets),
        1 => (0_i64..60).prop_map(Event::ClassGone),
        4 => (0_i64..60).prop_map(Event::Wait),
        1 => Just(Event::Delete),
    ]
}

fn troubles() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        3 => Just(Trouble::None),
        5 => (0_usize..12).prop_map(Trouble::CrashAfter),
        1 => Just(Trouble::MediaServer),
        1 => Just(Trouble::Secrets),
    ]
}

fn stories() -> impl Strategy<Value = Story> {
    let people = prop::collection::vec((roles(), prop::bool::weighted(0.2)), 0..=NAMES.len());
    let ttl = prop_oneof![3 => Just(None), 1 => (0_i32..7_200).prop_map(Some)];
    let events = prop::collection::vec((events(), troubles()), 1..12);
    (people, -60_i64..90, 1_i64..120, ttl, prop::bool::weighted(0.2), events)
        .prop_map(|(people, start, length, ttl, held_by_others, events)| Story { people, start, length, ttl, held_by_others, events })
}

impl Story {
    fn sim(&self) -> Simulation {
        let from = at("08:00") + SignedDuration::from_mins(self.start);
        let person = |(name, (role, suspended)): (&&str, &(Role, bool))| Participant { suspended: *suspended, ..participant(name, *role) };
        let mut sim = Simulation::new(RoomSpec {
            valid_from: Some(Time(from)),
            valid_until: Some(Time(from + SignedDuration::from_mins(self.length))),
            participants: NAMES.iter().zip(&self.people).map(person).collect(),
            ttl_seconds_after_expired: self.ttl,
            ..RoomSpec::default()
        });
        sim.now = at("08:00");
        sim.room_mut().metadata.finalizers = self.held_by_others.then(|| vec![OTHER_FINALIZER.into()]);
        for session in FOREIGN {
            sim.media.set_members(session, []);
        }
        sim
    }
}

impl Simulation {
    fn change_person(&mut self, number: usize, change: impl FnOnce(&mut Participant)) {
        self.edit(|spec| {
            let people = spec.participants.len();
            if let Some(number) = number.checked_rem(people) {
                change(&mut spec.participants[number]);
            }
        });
    }

    fn meet(&mut self, event: Event) {
        match event {
            Event::Add(number) => self.edit(|spec| {
                let name =
                    NAMES.iter().cycle().skip(number).take(NAMES.len()).find(|name| spec.participants.iter().all(|p| p.name != **name));
                spec.participants.extend(name.map(|name| participant(name, Role::Attendee)));
            }),
            Event::Remove(number) => {
                self.see_rotations();
                self.edit(|spec| {
                    let people = spec.participants.len();
                    number.checked_rem(people).map(|number| spec.participants.remove(number));
                });
            }
            Event::SuspendPerson(number) => self.change_person(number, |person| person.suspended = !person.suspended),
            Event::Rotate(number) => {
                self.change_person(number, |person| person.invite_generation = Some(person.invite_generation.unwrap_or_default() + 1));
            }
            Event::ChangeRole(number, role) => self.change_person(number, |person| person.role = Some(role)),
            Event::Rename(number) => {
                self.change_person(number, |person| person.display_name = Some(format!("{} the {number}th", person.name)));
            }
            Event::MoveStart(minutes) => self.edit(|spec| move_by(&mut spec.valid_from, minutes)),
            Event::MoveEnd(minutes) => self.edit(|spec| move_by(&mut spec.valid_until, minutes)),
            Event::Suspend => self.edit(|spec| spec.suspend = !spec.suspend),
            Event::ChangeTemplate => self.edit(|spec| {
                let number = spec.invite_template.take().and_then(|template| template.metadata).map_or(0, |metadata| metadata.labels.len());
                let labels = (0..=number).map(|label| (format!("label-{label}"), String::new())).collect();
                spec.invite_template = Some(InviteTemplate { metadata: Some(InviteTemplateMetadata { labels, ..Default::default() }) });
            }),
            Event::ChangeKey => self.signing_key += 1,
            Event::Join(number) => self.join(NAMES[number]),
            Event::MediaServerForgets => self.our_sessions().iter().for_each(|session| self.media.lose(session)),
            Event::ClassGone(minutes) => {
                self.class = None;
                self.wait(minutes);
            }
            Event::Wait(minutes) => self.wait(minutes),
            Event::Delete => self.delete(),
        }
    }

    /// A rotation that nobody saw before the person was taken off the list can be known to nobody.
    fn see_rotations(&mut self) {
        let Some(room) = &self.room else { return };
        let seen = |person: &Participant| {
            let known = room.status.iter().flat_map(|status| &status.rotated_invites).find(|rotated| rotated.name == person.name);
            known.map_or(0, |rotated| rotated.invite_generation) >= person.invite_generation.unwrap_or_default()
        };
        if !room.spec.participants.iter().all(seen) {
            self.reconcile();
        }
    }

    /// What happens, and the reconciliation that follows it.
    fn live_through(&mut self, event: Event, trouble: Trouble) {
        let class = self.class.clone();
        self.meet(event);
        if self.room.is_some() {
            match trouble {
                Trouble::None => drop(self.reconcile()),
                Trouble::CrashAfter(steps) => self.crash_after(steps),
                Trouble::MediaServer => {
                    self.media.fail_with(Some(unreachable()));
                    self.reconcile();
                }
                Trouble::Secrets => {
                    self.secrets_failure = Some(unreachable());
                    self.reconcile();
                }
            }
        }
        self.media.fail_with(None);
        (self.class, self.secrets_failure) = (class, None);
    }

    /// Reconciles until one reconciliation neither plans nor writes anything.
    fn come_to_rest(&mut self) -> usize {
        for passes in 0..=MOST_RECONCILIATIONS {
            if self.room.is_none() {
                return passes;
            }
            let pass = self.reconcile();
            if pass.steps.is_empty() && !pass.wrote_status {
                return passes;
            }
        }
        panic!("still restless after {MOST_RECONCILIATIONS} passes: {:?} {:?}", self.plan().describe(), self.room);
    }

    /// All that must be the same whatever happened on the way.
    fn essence(&self) -> Option<impl PartialEq + std::fmt::Debug> {
        let room = self.room.as_ref()?;
        let status = self.status();
        let ledger: Vec<_> = status.participants.iter().map(|entry| (&entry.name, entry.role, entry.invite_generation)).collect();
        let conditions: Vec<_> = status.conditions.iter().map(|it| (&it.type_, &it.status, &it.reason, &it.message)).collect();
        // When the end was seen first depends on what kept it from being seen.
        let next = status.next_transition_time.as_ref().filter(|_| status.phase != Phase::Expired);
        let facts = (status.phase, &status.valid_from, &status.valid_until, next, &status.invites_revision);
        let deleted = room.metadata.deletion_timestamp.is_some();
        // What the status of an object that goes says is of no use to anybody.
        Some(format!("{:?}", (deleted, (!deleted).then_some((ledger, conditions, facts)))))
    }

    /// What the invite Secrets say, for the people on the list.
    fn invites(&self) -> BTreeMap<String, (Role, i64, String)> {
        let people: BTreeSet<String> = self.room.iter().flat_map(|room| &room.spec.participants).map(|p| p.name.clone()).collect();
        let listed = |name: &str| name.strip_prefix("standup-invite-").is_some_and(|name| people.contains(name));
        let secrets = self.secrets.iter().filter(|(name, _)| listed(name));
        secrets.map(|(name, secret)| (name.clone(), (secret.role, secret.generation, secret.revision.clone()))).collect()
    }

    fn is_deleted(&self) -> bool {
        self.room.as_ref().is_none_or(|room| room.metadata.deletion_timestamp.is_some())
    }

    fn our_sessions(&self) -> Vec<String> {
        self.media.sessions().into_iter().filter(|name| !FOREIGN.contains(&name.as_str())).collect()
    }
}

fn move_by(time: &mut Option<Time>, minutes: i64) {
    if let Some(Time(moment)) = time {
        *moment += SignedDuration::from_mins(minutes);
    }
}

/// Lives through a story twice, once without trouble, until both are at rest.
fn both_ends(story: &Story) -> (Simulation, Simulation) {
    let (mut troubled, mut clean) = (story.sim(), story.sim());
    for (event, trouble) in &story.events {
        troubled.live_through(*event, *trouble);
        clean.live_through(*event, Trouble::None);
        clean.come_to_rest();
        // A Room that its TTL took lives through nothing more; one that trouble has kept from it would.
        if clean.room.is_none() || clean.is_deleted() && !troubled.is_deleted() {
            break;
        }
    }
    troubled.come_to_rest();
    (troubled, clean)
}

proptest! {
    #[test]
    fn after_any_trouble_a_room_comes_to_rest_where_it_would_have_without(story in stories()) {
        let (troubled, clean) = both_ends(&story);
        // While a spec is not accepted, what was known of the one before decides, and trouble may have hidden that.
        // And an end that was seen later leaves the object there for longer.
        let outlives = clean.is_deleted() && !troubled.is_deleted() && troubled.status().phase == Phase::Expired;
        if troubled.room.is_none() || troubled.valid().is_ok() && !outlives {
            prop_assert_eq!(troubled.essence(), clean.essence());
            if !troubled.is_deleted() {
                prop_assert_eq!(troubled.invites(), clean.invites());
            }
        }
        at_rest(troubled)?;
        at_rest(clean)?;
    }
}

/// What holds of every Room at rest.
fn at_rest(mut sim: Simulation) -> Result<(), TestCaseError> {
    let alive = sim.room.as_ref().filter(|_| !sim.is_deleted()).and_then(recorded_session).map(str::to_owned);
    let orphans = sim.orphans();
    let lost: Vec<String> = sim.our_sessions().into_iter().filter(|session| Some(session) != alive.as_ref()).collect();
    prop_assert_eq!(orphans, lost, "orphans are what crashes left, and nothing else");
    prop_assert!(FOREIGN.iter().all(|session| sim.media.members(session).is_some()));
    let Some(room) = sim.room.clone() else {
        prop_assert!(alive.is_none() && sim.secrets.is_empty());
        return Ok(());
    };
    let ours = room.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
    if sim.is_deleted() {
        prop_assert!(!ours);
        return Ok(());
    }
    let valid = sim.valid();
    let open = sim.status().phase == Phase::Open;
    prop_assert!(alive.is_some() == open || valid.is_err(), "a session lives for open Rooms only");
    if let (Some(session), Ok(valid)) = (alive, &valid) {
        let people = sim.media.members(&session).unwrap();
        let right = |member: &SessionMember| {
            valid.roster.people().any(|person| !person.suspended && *member == crate::domain::tests::member(person))
        };
        prop_assert!(people.iter().all(right), "{:?}", people);
        prop_assert_eq!(&session, &session_id(sim.status().session.as_ref().unwrap().epoch));
    }
    let over = sim.status().phase == Phase::Expired;
    prop_assert!(ours || over || valid.is_err(), "what exists is held");
    if valid.is_ok() {
        let wanted: BTreeSet<String> = sim.invites().into_keys().collect();
        let listed = room.spec.participants.iter().filter(|_| !over).map(|person| invite_secret_name("standup", &person.name));
        prop_assert_eq!(wanted, listed.collect::<BTreeSet<_>>());
    }
    let pass = sim.reconcile();
    prop_assert!(pass.steps.is_empty() && !pass.wrote_status && pass.event_drafts.is_empty(), "a Room at rest is quiet");
    Ok(())
}

#[test]
fn an_invite_that_a_crash_hid_and_an_edit_took_off_the_list_goes_with_the_room() {
    let mut sim = Simulation::new(crate::domain::tests::spec());
    sim.crash_after(usize::MAX);
    sim.edit(|spec| drop(spec.participants.remove(0)));
    sim.come_to_rest();
    assert!(sim.secrets.contains_key("standup-invite-ada"), "nothing tells the controller of it, and nobody gets in by it");
    sim.delete();
    sim.come_to_rest();
    assert!(sim.room.is_none() && sim.secrets.is_empty());
}
