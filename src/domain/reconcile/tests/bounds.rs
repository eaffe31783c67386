//! What no plan ever contains, for ten thousand Rooms in every state.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::api::{FINALIZER, LedgerEntry, Participant, Phase, Provision, Role, RoomSession, RoomSpec, SessionStatus, invite_secret_name};
use crate::domain::tests::{Simulation, at, installation, session_id};
use crate::domain::{Goal, InviteStep, Plan, RoomStep, SessionMember, SessionStep, Step, Window};
use crate::fixtures::unreachable;

/// Names that participants and ledger entries have here.
const NAMES: [&str; 5] = ["ada", "bob", "cy", "dee", "eve"];

/// A Room in any state, seen at any moment.
// Every combination of these flags can be met.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
struct Sight {
    window: Window,
    now: Timestamp,
    people: Vec<(Role, bool, i64)>,
    suspend: bool,
    accepted: bool,
    deleted: bool,
    finalizer: bool,
    phase: Phase,
    /// Epoch of the recorded session, whether it lives, and whether it was made.
    session: Option<(i64, bool, bool)>,
    /// How many of the [`NAMES`] the ledger has, from the last one.
    ledger: usize,
    observed_generation: i64,
    media_server: u8,
    on_demand: bool,
    ttl: Option<i32>,
}

impl Sight {
    fn sim(&self) -> Simulation {
        let person = |(name, (role, suspended, generation)): (&&str, &(Role, bool, i64))| Participant {
            name: (*name).into(),
            role: Some(*role),
            suspended: *suspended,
            invite_generation: Some(*generation),
            ..Participant::default()
        };
        let mut sim = Simulation::new(RoomSpec {
            valid_from: Some(Time(self.window.from)),
            valid_until: Some(Time(self.window.until)),
            participants: NAMES.iter().zip(&self.people).map(person).collect(),
            suspend: self.suspend,
            session: Some(RoomSession {
                provision: self.on_demand.then_some(Provision::OnFirstJoin),
                close_when_empty_after: (self.media_server == 4).then(|| std::time::Duration::from_secs(1).into()),
            }),
            max_participants: (!self.accepted).then_some(0),
            ttl_seconds_after_expired: self.ttl,
            ..RoomSpec::default()
        });
        sim.now = self.now;
        let room = sim.room_mut();
        room.metadata.generation = Some(2);
        room.metadata.finalizers = self.finalizer.then(|| vec![FINALIZER.into()]);
        room.metadata.deletion_timestamp = self.deleted.then_some(Time(self.now));
        let status = room.status.as_mut().unwrap();
        status.phase = self.phase;
        status.observed_generation = Some(self.observed_generation);
        status.expired_at = (self.phase == Phase::Expired).then_some(Time(self.window.until));
        (status.valid_from, status.valid_until) = (Some(Time(self.window.from)), Some(Time(self.window.until)));
        status.session = self.session.map(|(epoch, lives, made)| SessionStatus {
            id: session_id(epoch),
            epoch,
            created_at: made.then_some(Time(self.now)),
            ended_at: (!lives).then_some(Time(self.now)),
        });
        status.participants = NAMES.iter().rev().take(self.ledger).map(|name| entry(name)).collect();
        match self.media_server {
            0 => sim.media.fail_with(Some(unreachable())),
            1 => {}
            4 => {
                self.session.into_iter().for_each(|(epoch, ..)| sim.media.set_members(&session_id(epoch), []));
                sim.empty_since = Some(self.now - SignedDuration::from_secs(2));
            }
            _ => {
                // Everybody sits as an Attendee of the first generation, whatever the spec says.
                let member = |name: &&str| SessionMember {
                    identity: (*name).into(),
                    display_name: (*name).into(),
                    role: Some(Role::Attendee),
                    generation: Some(0),
                    signed_by: None,
                };
                self.session.into_iter().for_each(|(epoch, ..)| sim.media.set_members(&session_id(epoch), NAMES.iter().map(member)));
            }
        }
        sim
    }

    fn plan(&self) -> Plan {
        self.sim().plan()
    }

    fn is_open(&self) -> bool {
        self.accepted && !self.suspend && !self.deleted && self.window.from <= self.now && self.now < self.window.until
    }
}

fn entry(name: &str) -> LedgerEntry {
    let secret_name = invite_secret_name("standup", name);
    LedgerEntry { name: name.into(), role: Role::Attendee, invite_generation: 0, secret_uid: format!("uid-{name}"), secret_name }
}

fn sights() -> impl Strategy<Value = Sight> {
    let windows = (-300_i64..300, 1_i64..=600).prop_map(|(from, length)| Window {
        from: at("12:00") + SignedDuration::from_secs(from),
        until: at("12:00") + SignedDuration::from_secs(from + length),
    });
    // Moments in and around the window, its edges more often than chance has them.
    let timed = windows.prop_flat_map(|window| {
        let around = |edge: Timestamp| (-2_i64..=2).prop_map(move |nanoseconds| edge + SignedDuration::from_nanos(nanoseconds));
        let anywhere = (-700_i64..1_000).prop_map(move |seconds| window.from + SignedDuration::from_secs(seconds));
        (Just(window), prop_oneof![around(window.from), around(window.until), anywhere])
    });
    let roles = prop_oneof![Just(Role::Presenter), Just(Role::Collaborator), Just(Role::Attendee), Just(Role::Consumer)];
    let people = prop::collection::vec((roles, prop::bool::weighted(0.2), 0_i64..3), 0..NAMES.len());
    let phases = prop_oneof![Just(Phase::Pending), Just(Phase::Scheduled), Just(Phase::Open), Just(Phase::Suspended), Just(Phase::Expired)];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.8), prop::bool::weighted(0.15), prop::bool::weighted(0.8));
    let recorded = (phases, prop::option::of((1_i64..4, any::<bool>(), any::<bool>())), 0..=NAMES.len(), 1_i64..=2);
    (timed, people, flags, recorded, (0_u8..5, any::<bool>()), prop::option::of(0_i32..400)).prop_map(
        |((window, now), people, (suspend, accepted, deleted, finalizer), recorded, (media_server, on_demand), ttl)| {
            let (phase, session, ledger, observed_generation) = recorded;
            Sight {
                window,
                now,
                people,
                suspend,
                accepted,
                deleted,
                finalizer,
                phase,
                session,
                ledger,
                observed_generation,
                media_server,
                on_demand,
                ttl,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_session_is_made_for_open_rooms_only_and_always_under_a_name_that_was_not_used(sight in sights()) {
        let made: Vec<_> = sight.plan().steps.into_iter().filter(|step| matches!(step, Step::Session(SessionStep::Ensure { .. }))).collect();
        prop_assert!(made.len() <= usize::from(sight.is_open()));
        for step in made {
            // One that is only reserved was not used.
            let epoch = match sight.session {
                Some((epoch, true, false)) => epoch,
                session => session.map_or(0, |(epoch, ..)| epoch) + 1,
            };
            prop_assert_eq!(step, Step::Session(SessionStep::Ensure { session: session_id(epoch), epoch, settings: sight.window.into() }));
        }
    }

    #[test]
    fn no_invite_is_issued_once_the_window_is_over_nor_for_a_room_that_goes(sight in sights()) {
        let issued = sight.plan().steps.iter().any(|step| matches!(step, Step::Invite(InviteStep::Issue { .. })));
        prop_assert!(!issued || (sight.now < sight.window.until && sight.accepted && !sight.deleted));
    }

    #[test]
    fn a_living_session_is_closed_once_the_window_is_over_and_kept_while_it_is_open(sight in sights()) {
        let plan = sight.plan();
        if let Some((epoch, true, _)) = sight.session {
            let closes = plan.steps.contains(&Step::Session(SessionStep::Close { session: session_id(epoch) }));
            let over = sight.now >= sight.window.until && (!sight.deleted || sight.finalizer);
            prop_assert!(closes || !over);
            let idle = sight.media_server == 4;
            prop_assert!(!closes || idle || !sight.is_open());
        }
    }

    #[test]
    fn the_next_look_is_always_in_the_future(sight in sights()) {
        let plan = sight.plan();
        prop_assert!(plan.next_transition.is_none_or(|next| next > sight.now));
        if sight.now < sight.window.until && !sight.deleted {
            prop_assert!(plan.next_transition.is_some_and(|next| next <= sight.window.until));
        }
    }

    #[test]
    fn every_step_belongs_to_the_room(sight in sights()) {
        let sim = sight.sim();
        let room = sim.room();
        let sessions = format!("{}{}-", installation().prefix(), crate::fixtures::ROOM_UID);
        let listed = |name: &str| room.spec.participants.iter().any(|person| person.name == name);
        for step in sim.plan().steps {
            match step {
                Step::Session(
                    SessionStep::RemoveMember { session, .. }
                    | SessionStep::Close { session }
                    | SessionStep::Ensure { session, .. }
                    | SessionStep::Reserve { session, .. },
                ) => {
                    prop_assert!(session.starts_with(&sessions));
                }
                Step::Session(SessionStep::Admit { session, people, .. }) => {
                    prop_assert!(session.starts_with(&sessions) && people.iter().all(|person| listed(&person.name)));
                }
                Step::Session(SessionStep::SetRole { session, person }) => {
                    prop_assert!(session.starts_with(&sessions) && listed(&person.name));
                }
                Step::Invite(InviteStep::Issue { person, .. }) => prop_assert!(listed(&person.name)),
                Step::Invite(InviteStep::Withdraw { secret_name, secret_uid: Some(uid) }) => {
                    let known = sim.status().participants.iter().any(|entry| entry.secret_name == secret_name && entry.secret_uid == uid);
                    prop_assert!(known);
                }
                Step::Invite(InviteStep::Withdraw { secret_name, secret_uid: None }) => {
                    prop_assert!(secret_name.strip_prefix("standup-invite-").is_some_and(listed));
                }
                Step::Room(RoomStep::AddFinalizer) => prop_assert!(!sight.finalizer && !sight.deleted),
                Step::Room(RoomStep::Delete) => prop_assert!(!sight.deleted && sight.now >= sight.window.until),
                Step::Room(RoomStep::ReleaseFinalizer { .. }) => prop_assert!(sight.finalizer && sight.deleted),
            }
        }
    }

    #[test]
    fn steps_stand_in_the_order_of_the_way_in_or_of_the_way_out(sight in sights()) {
        let plan = sight.plan();
        let place = |step: &Step| match step {
            Step::Room(RoomStep::AddFinalizer) => 0,
            Step::Session(_) => 1,
            Step::Invite(InviteStep::Withdraw { .. }) => 2,
            Step::Invite(InviteStep::Issue { .. }) => 3,
            Step::Room(RoomStep::Delete | RoomStep::ReleaseFinalizer { .. }) => 4,
        };
        prop_assert!(plan.steps.is_sorted_by_key(place), "{:?}", plan.steps);
        if matches!(plan.goal, Goal::NotAccepted(_)) {
            let takes_away = |step: &Step| {
                matches!(
                    step,
                    Step::Session(SessionStep::Close { .. } | SessionStep::RemoveMember { .. } | SessionStep::SetRole { .. })
                        | Step::Invite(InviteStep::Withdraw { .. })
                )
            };
            prop_assert!(plan.steps.iter().all(takes_away), "{:?}", plan.steps);
        }
    }
}

#[test]
fn the_rooms_of_these_tests_meet_every_goal_and_every_step() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut met = BTreeMap::<String, usize>::new();
    for _ in 0..5_000 {
        let plan = sights().new_tree(&mut runner).unwrap().current().plan();
        // As in `Session(Ensure { session: …`: up to the first thing that differs from Room to Room.
        let name = |debug: String| debug.split([' ', ')', '"']).next().unwrap_or_default().to_owned();
        *met.entry(format!("goal {}", name(format!("{:?}", plan.goal)))).or_default() += 1;
        for step in plan.steps {
            *met.entry(name(format!("{step:?}"))).or_default() += 1;
        }
    }
    assert_eq!(met.len(), 6 + 10, "{met:?}");
    assert!(met.values().all(|count| *count > 20), "{met:?}");
}
