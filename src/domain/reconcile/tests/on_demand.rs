//! Sessions that are made when somebody joins, and closed when nobody is there any more.

use jiff::SignedDuration;

use crate::api::{Phase, Provision, RoomSession, RoomSpec};
use crate::backend::fake::Operation;
use crate::domain::tests::{Simulation, at, session_id, spec};
use crate::fixtures::unreachable;

fn on_first_join(spec: &mut RoomSpec) {
    spec.session = Some(RoomSession { provision: Some(Provision::OnFirstJoin), ..RoomSession::default() });
}

fn closing_when_empty(spec: &mut RoomSpec) {
    let after = std::time::Duration::from_mins(1);
    spec.session = Some(RoomSession { close_when_empty_after: Some(after.into()), ..RoomSession::default() });
}

/// A Room at 09:00 whose session waits for the first person.
fn waiting() -> Simulation {
    let mut sim = Simulation::new(spec()).edited(on_first_join);
    sim.reconcile();
    sim
}

fn recorded(sim: &Simulation) -> (i64, bool) {
    let session = sim.status().live_session().expect("a session");
    (session.epoch, session.created_at.is_some())
}

#[test]
fn on_first_join_a_room_is_open_with_a_name_for_its_session_and_without_a_session() {
    let sim = waiting();
    assert_eq!((sim.status().phase, sim.media.sessions().len()), (Phase::Open, 0));
    assert_eq!(recorded(&sim), (1, false));
    assert_eq!(sim.plan().describe(), Vec::<String>::new());
}

#[test]
fn a_session_that_the_door_made_is_recorded_and_left_alone() {
    let mut sim = waiting();
    sim.media.set_members(&session_id(1), []);
    sim.join("ada");
    let pass = sim.reconcile();
    assert_eq!((recorded(&sim), pass.steps, pass.wrote_status), ((1, true), vec![], true));
    assert!(!sim.reconcile().wrote_status);
}

#[test]
fn on_first_join_a_lost_session_gets_the_next_name_and_waits_again() {
    let mut sim = waiting();
    sim.media.set_members(&session_id(1), []);
    sim.reconcile();
    sim.media.lose_sessions();
    assert_eq!(sim.reconcile().steps, ["reserve 2"]);
    assert_eq!((recorded(&sim), sim.media.sessions().len()), ((2, false), 0));
}

#[test]
fn a_room_that_is_to_have_its_session_at_once_after_all_gets_it_under_the_name_that_waited() {
    let mut sim = waiting().edited(|spec| spec.session = None);
    assert_eq!(sim.plan().describe()[0], "ensure 1");
    let pass = sim.reconcile();
    assert_eq!((recorded(&sim), pass.event_drafts), ((1, true), vec![]));
}

#[test]
fn a_session_that_waits_is_given_up_at_the_end() {
    let sim = waiting().at("10:00");
    assert_eq!(sim.plan().describe()[0], "close 1");
}

#[test]
fn a_session_in_which_nobody_was_for_long_enough_is_closed_and_the_next_one_waits() {
    let mut sim = Simulation::new(spec()).edited(closing_when_empty);
    sim.reconcile();
    sim.empty_since = Some(sim.now);
    sim.now += SignedDuration::from_secs(59);
    assert_eq!(sim.plan().describe(), Vec::<String>::new());
    sim.now += SignedDuration::from_secs(1);
    let pass = sim.reconcile();
    assert_eq!(pass.steps, ["close 1", "reserve 2"]);
    assert_eq!((recorded(&sim), sim.status().phase, sim.media.sessions().len()), ((2, false), Phase::Open, 0));
    assert_eq!(pass.event_drafts.len(), 1);
    assert_eq!(sim.plan().describe(), Vec::<String>::new(), "it stays closed until somebody joins");
}

#[test]
fn somebody_in_the_session_keeps_it_whatever_was_seen_before() {
    let mut sim = Simulation::new(spec()).edited(closing_when_empty);
    sim.reconcile();
    sim.join("ada");
    sim.empty_since = Some(at("08:00"));
    assert_eq!(sim.plan().describe(), Vec::<String>::new());
}

#[test]
fn a_session_that_could_not_be_closed_keeps_its_name() {
    let mut sim = Simulation::new(spec()).edited(closing_when_empty);
    sim.reconcile();
    let session = sim.status().session.clone();
    sim.empty_since = Some(at("08:00"));
    sim.media.fail(Operation::Close, unreachable());
    assert_eq!(sim.plan().describe(), ["close 1", "reserve 2"]);
    sim.reconcile();
    assert_eq!(sim.status().session, session);
}
