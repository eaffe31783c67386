use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;

use crate::api::{FINALIZER, Phase};
use crate::domain::tests::{OTHER_FINALIZER, Simulation, at, spec};
use crate::domain::{Goal, Window, session_to_observe};
use crate::fixtures::unreachable;

#[test]
fn a_new_room_in_its_window_gets_finalizer_session_and_invites_in_this_order() {
    let plan = Simulation::new(spec()).at("09:30").plan();
    assert_eq!(plan.goal, Goal::Open);
    assert_eq!(plan.window, Some(Window { from: at("09:00"), until: at("10:00") }));
    assert_eq!(plan.describe(), ["add finalizer", "ensure 1", "create ada", "create bob"]);
}

#[rstest]
#[case::well_before("08:10", Goal::Scheduled, false)]
#[case::a_nanosecond_before("08:59:59.999999999", Goal::Scheduled, false)]
#[case::at_the_first_moment("09:00", Goal::Open, true)]
#[case::a_nanosecond_before_the_end("09:59:59.999999999", Goal::Open, true)]
fn a_session_is_made_at_the_first_moment_of_the_window_and_invites_before(#[case] now: &str, #[case] goal: Goal, #[case] session: bool) {
    let plan = Simulation::new(spec()).at(now).plan();
    let mut expected = vec!["add finalizer", "create ada", "create bob"];
    if session {
        expected.insert(1, "ensure 1");
    }
    assert_eq!((plan.goal.clone(), plan.describe()), (goal, expected.into_iter().map(str::to_owned).collect()));
}

#[test]
fn a_scheduled_room_needs_nothing_but_its_session_when_the_time_comes() {
    let sim = Simulation::reconciled_at("08:10");
    assert_eq!(sim.plan().describe(), [""; 0]);
    assert_eq!(sim.at("09:00").plan().describe(), ["ensure 1"]);
}

#[test]
fn a_room_with_the_finalizer_of_somebody_else_gets_ours_too() {
    let sim = Simulation::new(spec()).with(|sim| sim.room_mut().metadata.finalizers = Some(vec![OTHER_FINALIZER.into()]));
    assert_eq!(sim.plan().describe()[0], "add finalizer");
}

#[test]
fn a_finalizer_that_somebody_took_away_comes_back() {
    let sim = Simulation::reconciled_at("09:00").with(|sim| sim.room_mut().metadata.finalizers = None);
    assert_eq!(sim.plan().describe(), ["add finalizer"]);
}

#[test]
fn a_new_room_that_is_suspended_gets_its_invites_and_no_session() {
    let plan = Simulation::new(spec()).edited(|spec| spec.suspend = true).at("09:30").plan();
    assert_eq!(plan.goal, Goal::Suspended);
    assert_eq!(plan.describe(), ["add finalizer", "create ada", "create bob"]);
}

#[test]
fn a_suspended_room_that_goes_on_gets_the_next_session_and_keeps_its_invites() {
    let mut sim = Simulation::reconciled_at("09:00").edited(|spec| spec.suspend = true);
    assert_eq!(sim.plan().describe(), ["close 1", "close 2"]);
    sim.reconcile();
    sim.edit(|spec| spec.suspend = false);
    assert_eq!(sim.plan().describe(), ["ensure 2"]);
}

#[test]
fn an_expired_room_that_gets_a_later_end_opens_again_with_the_next_session_and_all_invites() {
    let mut sim = Simulation::reconciled_at("09:00").at("10:00");
    sim.reconcile();
    assert_eq!(sim.status().phase, Phase::Expired);
    sim.edit(|spec| spec.valid_until = Some(Time(at("12:00"))));
    assert_eq!(sim.plan().describe(), ["ensure 2", "create ada", "create bob"]);
}

#[test]
fn an_open_room_that_gets_a_later_end_keeps_its_session() {
    let sim = Simulation::reconciled_at("09:00").edited(|spec| spec.valid_until = Some(Time(at("12:00"))));
    assert_eq!(sim.plan().describe(), ["refresh ada", "refresh bob"]);
}

#[test]
fn an_open_room_whose_window_moves_into_the_future_loses_its_session_until_then() {
    let sim = Simulation::reconciled_at("09:00").edited(|spec| spec.valid_from = Some(Time(at("09:40"))));
    assert_eq!(sim.plan().goal, Goal::Scheduled);
    assert_eq!(sim.plan().describe(), ["close 1", "close 2", "refresh ada", "refresh bob"]);
}

#[test]
fn a_session_that_the_media_server_lost_is_made_anew_under_the_next_name_and_invites_stay() {
    let sim = Simulation::reconciled_at("09:00").with(|sim| sim.media.lose_sessions());
    assert_eq!(sim.plan().describe(), ["ensure 2"]);
}

#[test]
fn a_session_that_cannot_be_seen_is_left_alone_while_invites_go_on() {
    let sim = Simulation::reconciled_at("09:00").with(|sim| sim.media.fail_with(Some(unreachable())));
    assert_eq!(sim.plan().describe(), [""; 0]);
    let sim = sim.edited(|spec| drop(spec.participants.remove(0)));
    assert_eq!(sim.plan().describe(), ["withdraw ada by secret-1"]);
}

#[rstest]
#[case::open("09:30", true)]
#[case::before("08:59", false)]
#[case::over("10:00", false)]
fn the_media_server_is_asked_about_sessions_of_open_rooms_only(#[case] now: &str, #[case] asked: bool) {
    let sim = Simulation::reconciled_at("09:00").at(now);
    let asks = |sim: &Simulation| session_to_observe(sim.room(), sim.valid().as_ref(), sim.now).is_some();
    assert_eq!(asks(&sim), asked);
    assert!(!asks(&sim.clone().edited(|spec| spec.suspend = true)));
    assert_eq!(asks(&sim.clone().with(|sim| sim.class = None)), asked);
    assert!(!asks(&sim.with(Simulation::delete)));
}

#[rstest]
#[case::scheduled("08:10", "09:00")]
#[case::open("09:00", "10:00")]
#[case::expired("10:00", "10:01")]
fn the_next_look_comes_when_the_clock_alone_changes_the_goal(#[case] now: &str, #[case] next: &str) {
    let sim = Simulation::new(spec()).edited(|spec| spec.ttl_seconds_after_expired = Some(60)).at(now);
    assert_eq!(sim.plan().next_transition, Some(at(next)));
}

#[rstest]
#[case::before("08:10")]
#[case::during("09:10")]
fn nothing_but_the_end_changes_a_suspended_room(#[case] now: &str) {
    let sim = Simulation::new(spec()).edited(|spec| spec.suspend = true).at(now);
    assert_eq!(sim.plan().next_transition, Some(at("10:00")));
}

#[test]
fn a_second_pass_over_an_open_room_plans_nothing_and_changes_nothing() {
    let mut sim = Simulation::reconciled_at("09:00");
    assert_eq!(sim.room().metadata.finalizers, Some(vec![FINALIZER.to_owned()]));
    let pass = sim.reconcile();
    assert_eq!((pass.steps, pass.wrote_status), (vec![], false));
}
