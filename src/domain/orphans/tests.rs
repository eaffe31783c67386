use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;

use crate::domain::tests::{Simulation, at, installation, session_id, spec};
use crate::domain::{ended_checks, recorded_session};
use crate::fixtures::ROOM_UID;

/// A Room as it is once its reconciliations until this time are done, at this time.
fn room_at(time: &str) -> Simulation {
    let mut sim = Simulation::reconciled_at("08:10").at("09:00");
    if at(time) >= sim.now {
        sim.reconcile();
    }
    sim = sim.at(time);
    sim.reconcile();
    sim
}

fn found_with(sim: &Simulation, sessions: &[&str]) -> Vec<String> {
    let sim = sim.clone();
    sim.media.lose_sessions();
    for session in sessions {
        sim.media.set_members(session, []);
    }
    sim.orphans()
}

#[test]
fn a_session_of_a_room_that_cannot_be_read_is_no_orphan() {
    let mut sim = room_at("09:30");
    sim.room = None;
    assert_eq!(found_with(&sim, &[&session_id(1)]), [session_id(1)]);
    sim.unreadable.insert(ROOM_UID.into());
    assert_eq!(found_with(&sim, &[&session_id(1)]), [""; 0]);
}

#[rstest]
#[case::without_our_prefix("standup")]
#[case::of_another_installation("rk-5e1f00000002-11111111-2222-3333-4444-555555555555-1")]
#[case::of_an_installation_whose_id_begins_like_ours("rk-5e1f000000010-11111111-2222-3333-4444-555555555555-1")]
#[case::that_only_contains_our_prefix("x-rk-5e1f00000001-11111111-2222-3333-4444-555555555555-1")]
#[case::without_a_name("")]
fn a_session_of_somebody_else_is_never_an_orphan(#[case] session: &str) {
    let mut sim = room_at("09:30");
    assert_eq!(found_with(&sim, &[session]), [""; 0]);
    sim.room = None;
    assert_eq!(found_with(&sim, &[session]), [""; 0]);
}

#[rstest]
#[case::of_a_room_that_is_gone("rk-5e1f00000001-11111111-0000-4000-8000-000000000000-1")]
#[case::without_an_epoch("rk-5e1f00000001-11111111-2222-3333-4444-555555555555")]
#[case::with_a_strange_epoch("rk-5e1f00000001-11111111-2222-3333-4444-555555555555-x")]
#[case::with_nothing_but_the_prefix("rk-5e1f00000001-")]
fn a_session_with_our_prefix_that_no_room_can_have_is_an_orphan(#[case] session: &str) {
    assert_eq!(found_with(&room_at("09:30"), &[session]), [session]);
}

#[test]
fn the_session_of_an_open_room_is_no_orphan_and_every_older_one_is() {
    let mut sim = room_at("09:30").with(|sim| sim.media.lose_sessions());
    sim.reconcile();
    let (older, living) = (session_id(1), session_id(2));
    assert_eq!(found_with(&sim, &[&older, &living]), [older]);
}

#[test]
fn the_session_of_a_deleted_room_is_an_orphan() {
    let mut sim = room_at("09:30");
    sim.delete();
    let (living, next) = (session_id(1), session_id(2));
    assert_eq!(found_with(&sim, &[&living, &next]), [living.clone(), next.clone()], "while it waits for other finalizers");
    sim.room = None;
    assert_eq!(found_with(&sim, &[&living, &next]), [living, next]);
}

#[rstest]
#[case::scheduled("08:30", "08:30", false)]
#[case::scheduled_and_opening_at_this_moment("08:30", "09:00", true)]
#[case::scheduled_and_over_at_this_moment("08:30", "10:00", false)]
#[case::open("09:30", "09:31", true)]
#[case::open_and_over_at_this_moment("09:30", "10:00", false)]
#[case::expired("10:00", "10:01", false)]
fn the_next_session_is_spared_while_a_pass_may_be_making_it(#[case] passed: &str, #[case] now: &str, #[case] spared: bool) {
    let sim = room_at(passed).at(now);
    let last = sim.status().session.as_ref().map_or(0, |session| session.epoch);
    assert_eq!(found_with(&sim, &[&session_id(last + 1)]).is_empty(), spared);
    let edited = sim.edited(|spec| spec.ttl_seconds_after_expired = Some(9));
    assert_eq!(found_with(&edited, &[&session_id(last + 1)]), [""; 0], "a reconciliation of the new spec may be under way");
}

#[rstest]
#[case::suspended(room_at("09:30").edited(|spec| spec.suspend = true))]
#[case::not_accepted(room_at("09:30").edited(|spec| spec.max_participants = Some(0)))]
#[case::moved_into_the_future(room_at("09:30").edited(|spec| spec.valid_from = Some(Time(at("09:50")))))]
fn what_a_crash_left_of_a_room_that_does_not_open_is_an_orphan_once_a_pass_has_seen_its_spec(#[case] mut sim: Simulation) {
    let next = session_id(2);
    assert_eq!(found_with(&sim, &[&next]), [""; 0]);
    sim.reconcile();
    assert_eq!(found_with(&sim, &[&next]), [next]);
}

#[test]
fn a_room_that_no_pass_has_seen_may_have_its_first_session() {
    let sim = Simulation::new(spec());
    assert_eq!(found_with(&sim, &[&session_id(1)]), [""; 0]);
    assert_eq!(found_with(&sim.with(|sim| sim.room_mut().status = None), &[&session_id(1)]), [""; 0]);
}

#[test]
fn a_session_that_could_not_be_closed_is_left_to_the_passes_of_its_room() {
    let mut sim = room_at("09:30").at("10:00").with(|sim| sim.media.fail_with(Some(crate::fixtures::unreachable())));
    sim.reconcile();
    assert_eq!(sim.orphans(), [""; 0]);
    assert_eq!(recorded_session(sim.room()), Some(session_id(1).as_str()));
}

#[test]
fn only_a_session_that_lives_is_recorded_as_living() {
    assert_eq!(recorded_session(Simulation::new(spec()).room()), None);
    assert_eq!(recorded_session(room_at("09:30").room()), Some(session_id(1).as_str()));
    assert_eq!(recorded_session(room_at("10:00").room()), None);
}

#[test]
fn uids_that_contain_each_other_are_told_apart() {
    let mut sim = room_at("09:30");
    sim.room_mut().metadata.uid = Some(format!("{ROOM_UID}-1"));
    let session = installation().session_id(ROOM_UID, 1);
    assert_eq!(found_with(&sim, &[&session]), [session]);
}

#[test]
fn sessions_in_which_people_check_their_connection_are_no_orphans_and_end_by_their_name() {
    let sim = room_at("09:30");
    let (check, ends_at) = installation().check_session(ROOM_UID, sim.now);
    assert_eq!(found_with(&sim, &[&check]), [""; 0]);
    let sessions = [check, session_id(1), "standup".to_owned()];
    let ended = |now| ended_checks(&sessions, &installation(), now);
    assert!(ended(ends_at - jiff::SignedDuration::from_nanos(1)).is_empty());
    assert_eq!(ended(ends_at), [&sessions[0]]);
}
