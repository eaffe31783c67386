use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::api::{Participant, RoomClass, RoomSpec};
use crate::domain::{Window, validate};
use crate::fixtures::{invite, participant, room, roster};

const DAY: i64 = 86_400;

/// Somebody comes to a door.
#[derive(Clone, Debug)]
struct Visit {
    window: Window,
    now: Timestamp,
    role: Role,
    room_suspended: bool,
    person_suspended: bool,
    person_generation: i64,
    invite_generation: i64,
    max_participants: i32,
    others: usize,
}

impl Visit {
    fn room(&self) -> Room {
        room(RoomSpec {
            valid_from: Some(Time(self.window.from)),
            valid_until: Some(Time(self.window.until)),
            suspend: self.room_suspended,
            max_participants: Some(self.max_participants),
            participants: vec![Participant {
                suspended: self.person_suspended,
                invite_generation: Some(self.person_generation),
                ..participant("ada", self.role)
            }],
            ..RoomSpec::default()
        })
    }

    fn invite(&self) -> Invite {
        Invite { generation: self.invite_generation, ..invite("ada") }
    }

    fn outcome(&self) -> Result<TokenGrant, Refusal> {
        let room = self.room();
        let roster = roster(&room);
        let person = identify(&room, &roster, &self.invite())?;
        admit(&validate(&room, roster, &RoomClass::default()).unwrap(), &person, self.others, self.now)
    }

    /// Why this visitor must not come in.
    fn refusal(&self) -> Option<Refusal> {
        if self.person_suspended || self.person_generation != self.invite_generation {
            Some(Refusal::InvalidInvite)
        } else if self.now >= self.window.until {
            Some(Refusal::Over)
        } else if self.room_suspended {
            Some(Refusal::Suspended)
        } else if self.now < self.window.from {
            Some(Refusal::TooEarly { opens_at: self.window.from })
        } else if self.others >= usize::try_from(self.max_participants).unwrap() {
            Some(Refusal::Full)
        } else {
            None
        }
    }
}

/// Moments in and around a window, with its edges, the last minute and single nanoseconds more often than chance has them.
fn moments(window: Window) -> impl Strategy<Value = Timestamp> {
    let around = |edge: Timestamp, range: i64| {
        (-range..=range).prop_map(move |nanoseconds| edge.checked_add(SignedDuration::from_nanos(nanoseconds)).unwrap())
    };
    let (from, until) = (window.from.as_second(), window.until.as_second());
    prop_oneof![
        around(window.from, 2),
        around(window.until, 2),
        around(window.until, 120_000_000_000),
        (from..until).prop_map(|second| Timestamp::from_second(second).unwrap()),
        (from - 400 * DAY..until + 400 * DAY).prop_map(|second| Timestamp::from_second(second).unwrap()),
    ]
}

fn visits() -> impl Strategy<Value = Visit> {
    let windows = (0..4_000_000_000_i64, 1..=180 * DAY).prop_map(|(from, length)| Window {
        from: Timestamp::from_second(from).unwrap(),
        until: Timestamp::from_second(from + length).unwrap(),
    });
    let roles = prop_oneof![Just(Role::Presenter), Just(Role::Collaborator), Just(Role::Attendee), Just(Role::Consumer)];
    let capacity = (1..=350_i32, prop_oneof![0..2_usize, 0..400_usize]);
    let mostly_not = || proptest::bool::weighted(0.15);
    let mostly_first = || prop_oneof![4 => Just(0_i64), 1 => 0..3_i64];
    windows.prop_flat_map(move |window| {
        (moments(window), roles.clone(), mostly_not(), mostly_not(), mostly_first(), mostly_first(), capacity.clone()).prop_map(
            move |(now, role, room_suspended, person_suspended, person_generation, invite_generation, (max_participants, others))| Visit {
                window,
                now,
                role,
                room_suspended,
                person_suspended,
                person_generation,
                invite_generation,
                max_participants,
                others,
            },
        )
    })
}

proptest! {
    #[test]
    fn a_ticket_is_given_inside_the_window_only_and_never_outlives_it_nor_a_minute(visit in visits()) {
        if let Ok(grant) = visit.outcome() {
            prop_assert!(visit.window.from <= visit.now && visit.now < visit.window.until);
            prop_assert_eq!(grant.not_before, visit.now);
            prop_assert!(grant.expires_at > visit.now);
            prop_assert!(grant.expires_at <= visit.window.until);
            prop_assert!(grant.expires_at.duration_since(visit.now) <= SignedDuration::from_secs(60));
        }
    }

    #[test]
    fn nobody_who_is_suspended_or_comes_with_another_generation_gets_a_ticket(visit in visits()) {
        if let Ok(grant) = visit.outcome() {
            prop_assert!(!visit.person_suspended && !visit.room_suspended);
            prop_assert_eq!(visit.invite_generation, visit.person_generation);
            prop_assert_eq!(grant.generation, visit.person_generation);
            prop_assert_eq!(grant.role, visit.role);
        }
    }

    #[test]
    fn everybody_else_gets_in_and_every_refusal_names_its_cause(visit in visits()) {
        prop_assert_eq!(visit.outcome().err(), visit.refusal());
    }
}

#[test]
fn the_visits_of_these_tests_meet_every_outcome() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..10_000 {
        let visit = visits().new_tree(&mut runner).unwrap().current();
        let outcome = visit.refusal().map_or_else(|| "joined".to_owned(), |refusal| refusal.to_string());
        *outcomes.entry(outcome).or_default() += 1;
    }
    assert_eq!(outcomes.len(), 6, "{outcomes:?}");
    assert!(outcomes.values().all(|count| *count > 100), "{outcomes:?}");
}

#[test]
fn an_invite_for_another_room_is_not_valid() {
    let visit = Visit {
        window: Window { from: Timestamp::MIN, until: Timestamp::MAX },
        now: Timestamp::UNIX_EPOCH,
        role: Role::Attendee,
        room_suspended: false,
        person_suspended: false,
        person_generation: 0,
        invite_generation: 0,
        max_participants: 1,
        others: 0,
    };
    let (room, invite) = (visit.room(), visit.invite());
    let identified = |invite: &Invite| identify(&room, &roster(&room), invite).map(|person| person.name);
    assert_eq!(identified(&invite), Ok("ada".to_owned()));
    for other in [
        Invite { namespace: "other".into(), ..invite.clone() },
        Invite { room: "other".into(), ..invite.clone() },
        Invite { id: "of-one-before".into(), ..invite },
    ] {
        assert_eq!(identified(&other), Err(Refusal::InvalidInvite), "{other:?}");
    }
}
