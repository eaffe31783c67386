//! Sessions that are made when somebody joins, and closed when nobody is there any more.

use jiff::SignedDuration;

use crate::api::{Phase, Provision, RoomSession, RoomSpec};
use crate::domain::world::{World, at, session_id, spec};

fn on_first_join(spec: &mut RoomSpec) {
    spec.session = Some(RoomSession { provision: Some(Provision::OnFirstJoin), ..RoomSession::default() });
}

fn closing_when_empty(spec: &mut RoomSpec) {
    let after = std::time::Duration::from_mins(1);
    spec.session = Some(RoomSession { close_when_empty_after: Some(after.into()), ..RoomSession::default() });
}

/// A Room at 09:00 whose session waits for the first person.
fn waiting() -> World {
    let mut world = World::new(spec()).edited(on_first_join);
    world.pass();
    world
}

fn recorded(world: &World) -> (i64, bool) {
    let session = world.status().live_session().expect("a session");
    (session.epoch, session.created_at.is_some())
}

#[test]
fn on_first_join_a_room_is_open_with_a_name_for_its_session_and_without_a_session() {
    let world = waiting();
    assert_eq!((world.status().phase, world.sessions.len()), (Phase::Open, 0));
    assert_eq!(recorded(&world), (1, false));
    assert_eq!(world.plan().in_words(), Vec::<String>::new());
}

#[test]
fn a_session_that_the_door_made_is_recorded_and_left_alone() {
    let mut world = waiting();
    world.sessions.entry(session_id(1)).or_default();
    world.join("ada");
    let pass = world.pass();
    assert_eq!((recorded(&world), pass.plan.in_words(), pass.wrote_status), ((1, true), vec![], true));
    assert!(!world.pass().wrote_status);
}

#[test]
fn on_first_join_a_lost_session_gets_the_next_name_and_waits_again() {
    let mut world = waiting();
    world.sessions.entry(session_id(1)).or_default();
    world.pass();
    world.sessions.clear();
    assert_eq!(world.pass().plan.in_words(), ["reserve 2"]);
    assert_eq!((recorded(&world), world.sessions.len()), ((2, false), 0));
}

#[test]
fn a_room_that_is_to_have_its_session_at_once_after_all_gets_it_under_the_name_that_waited() {
    let mut world = waiting().edited(|spec| spec.session = None);
    assert_eq!(world.plan().in_words()[0], "ensure 1");
    let pass = world.pass();
    assert_eq!((recorded(&world), pass.notices), ((1, true), vec![]));
}

#[test]
fn a_session_that_waits_is_given_up_at_the_end() {
    let world = waiting().at("10:00");
    assert_eq!(world.plan().in_words()[0], "close 1");
}

#[test]
fn a_session_in_which_nobody_was_for_long_enough_is_closed_and_the_next_one_waits() {
    let mut world = World::new(spec()).edited(closing_when_empty);
    world.pass();
    world.empty_since = Some(world.now);
    world.now += SignedDuration::from_secs(59);
    assert_eq!(world.plan().in_words(), Vec::<String>::new());
    world.now += SignedDuration::from_secs(1);
    let pass = world.pass();
    assert_eq!(pass.plan.in_words(), ["close 1", "reserve 2"]);
    assert_eq!((recorded(&world), world.status().phase, world.sessions.len()), ((2, false), Phase::Open, 0));
    assert_eq!(pass.notices.len(), 1);
    assert_eq!(world.plan().in_words(), Vec::<String>::new(), "it stays closed until somebody joins");
}

#[test]
fn somebody_in_the_session_keeps_it_whatever_was_seen_before() {
    let mut world = World::new(spec()).edited(closing_when_empty);
    world.pass();
    world.join("ada");
    world.empty_since = Some(at("08:00"));
    assert_eq!(world.plan().in_words(), Vec::<String>::new());
}

#[test]
fn a_session_that_could_not_be_closed_keeps_its_name() {
    let mut world = World::new(spec()).edited(closing_when_empty);
    world.pass();
    let session = world.status().session.clone();
    let mut outcome = crate::domain::Outcome { session_reserved: Some((session_id(2), 2)), ..Default::default() };
    outcome.session_failure = Some(crate::domain::world::unreachable());
    let valid = world.valid();
    let after = crate::domain::status(world.room(), valid.as_ref(), &world.plan(), &outcome, "", 0, world.now);
    assert_eq!(after.session, session);
}
