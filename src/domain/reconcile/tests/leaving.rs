use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;

use crate::api::{Phase, Role, RoomClassLimits, RoomSpec};
use crate::domain::Goal;
use crate::domain::tests::{Simulation, at, spec};
use crate::fixtures::{participant, unreachable};

/// A Room that a reconciliation has brought to its end.
fn expired() -> Simulation {
    Simulation::reconciled_at("09:00").at("10:00").with(|sim| drop(sim.reconcile()))
}

#[test]
fn at_the_end_the_session_is_closed_before_the_invites_are_deleted_by_uid() {
    let plan = Simulation::reconciled_at("09:00").at("10:00").plan();
    assert_eq!(plan.goal, Goal::Expired);
    assert_eq!(plan.describe(), ["close 1", "close 2", "withdraw ada by secret-1", "withdraw bob by secret-2"]);
}

#[test]
fn an_expired_room_is_quiet() {
    let mut sim = expired();
    assert!(sim.media.sessions().is_empty() && sim.secrets.is_empty());
    let pass = sim.reconcile();
    assert_eq!((pass.steps, pass.wrote_status), (vec![], false));
}

#[rstest]
#[case::over_by_its_own_window(spec(), "10:00")]
#[case::over_before_it_was_made(RoomSpec { valid_from: None, valid_until: Some(Time(at("07:00"))), ..spec() }, "08:00")]
fn a_room_that_is_made_again_after_its_end_gets_nothing_at_all(#[case] spec: RoomSpec, #[case] now: &str) {
    let mut sim = Simulation::new(spec).at(now);
    let pass = sim.reconcile();
    assert_eq!((pass.goal, pass.steps), (Goal::Expired, vec![]));
    assert_eq!(sim.room().metadata.finalizers, None);
    assert_eq!(sim.status().phase, Phase::Expired);
}

#[rstest]
#[case::edited(|sim: &mut Simulation| sim.edit(|spec| spec.valid_until = Some(Time(at("09:20")))))]
#[case::suspended(|sim: &mut Simulation| sim.edit(|spec| spec.suspend = true))]
#[case::class_gone(|sim: &mut Simulation| sim.class = None)]
#[case::bad_edit(|sim: &mut Simulation| sim.edit(|spec| spec.max_participants = Some(0)))]
#[case::not_accepted_for_a_while(|sim: &mut Simulation| { sim.class = None; sim.reconcile(); })]
fn the_end_comes_whatever_the_spec_has_become(#[case] change: fn(&mut Simulation)) {
    let mut sim = Simulation::reconciled_at("09:00").at("09:10").with(change).at("10:00");
    let steps = sim.plan().describe();
    for step in ["close 1", "withdraw ada by secret-1", "withdraw bob by secret-2"] {
        assert!(steps.iter().any(|planned| planned == step), "{steps:?}");
    }
    sim.reconcile();
    assert!(sim.media.sessions().is_empty() && sim.secrets.is_empty());
    assert_eq!((sim.status().phase, sim.plan().describe()), (Phase::Expired, vec![]));
}

#[test]
fn an_end_that_moves_into_the_past_ends_the_room_now() {
    let sim = Simulation::reconciled_at("09:00").at("09:30").edited(|spec| spec.valid_until = Some(Time(at("09:20"))));
    assert_eq!(sim.plan().goal, Goal::Expired);
    assert!(sim.plan().describe().contains(&"close 1".to_owned()));
}

#[rstest]
#[case::of_the_room(Some(600), Some(1), false, Some("10:10"))]
#[case::at_once(Some(0), Some(1), false, Some("10:00:01"))]
#[case::of_the_class(None, Some(120), false, Some("10:02"))]
#[case::tracked_by_gitops(None, Some(120), true, None)]
#[case::tracked_by_gitops_with_its_own(Some(600), Some(120), true, Some("10:10"))]
fn an_expired_room_is_deleted_after_its_ttl(
    #[case] own: Option<i32>,
    #[case] of_class: Option<i32>,
    #[case] tracked: bool,
    #[case] removal: Option<&str>,
) {
    let mut sim = Simulation::new(RoomSpec { ttl_seconds_after_expired: own, ..spec() });
    sim.class.as_mut().unwrap().spec.ttl_seconds_after_expired = of_class;
    let tracking = tracked.then(|| [("argocd.argoproj.io/tracking-id".to_owned(), "x".to_owned())].into());
    sim.room_mut().metadata.annotations = tracking;
    sim.reconcile();
    assert_eq!(sim.clone().at("23:59").plan().describe().last().unwrap(), "withdraw bob by secret-2", "what nobody recorded stays");
    sim = sim.at("10:00");
    assert_eq!(sim.reconcile().next_transition, removal.map(at));
    let deletes = |time: &str| sim.clone().at(time).plan().describe() == ["delete room"];
    assert_eq!(deletes("23:59"), removal.is_some());
    if let Some(removal) = removal {
        let before = at(removal) - jiff::SignedDuration::from_secs(1) - jiff::SignedDuration::from_nanos(1);
        assert!(deletes(removal) && !deletes(&before.strftime("%H:%M:%S%.f").to_string()));
        assert_eq!(sim.clone().at(removal).plan().next_transition, None);
    }
}

#[rstest]
#[case::an_end_in_the_far_past(|sim: &mut Simulation| sim.edit(|spec| {
    spec.valid_from = None;
    spec.valid_until = Some(Time("2020-01-01T00:00:00Z".parse().unwrap()));
}))]
#[case::restored_long_after_its_end(|sim: &mut Simulation| sim.room_mut().status = None)]
#[case::a_clock_that_was_set(|_: &mut Simulation| ())]
fn the_ttl_counts_from_when_a_room_was_first_seen_to_be_over(#[case] change: fn(&mut Simulation)) {
    let mut sim = Simulation::new(RoomSpec { ttl_seconds_after_expired: Some(60), ..spec() });
    sim.reconcile();
    sim = sim.with(change).at("12:00");
    let pass = sim.reconcile();
    assert_eq!((pass.goal, pass.next_transition), (Goal::Expired, Some(at("12:01"))));
    assert!(!pass.steps.contains(&"delete room".to_owned()));
    assert_eq!(sim.clone().at("12:01").reconcile().steps, ["delete room"]);
    // Somebody gives it a later end, and it ends again.
    sim.edit(|spec| (spec.valid_from, spec.valid_until) = (Some(Time(at("09:00"))), Some(Time(at("13:00")))));
    sim.reconcile();
    assert_eq!(sim.status().expired_at, None);
    assert_eq!(sim.at("13:00").reconcile().next_transition, Some(at("13:01")));
}

#[test]
fn the_ttl_counts_anew_from_a_later_end_that_came_and_passed_while_nobody_looked() {
    let mut sim = Simulation::new(RoomSpec { ttl_seconds_after_expired: Some(60), ..spec() }).at("10:00");
    sim.reconcile();
    sim.edit(|spec| spec.valid_until = Some(Time(at("13:00"))));
    sim = sim.at("13:00:30");
    let pass = sim.reconcile();
    assert!(!pass.steps.contains(&"delete room".to_owned()), "{:?}", pass.steps);
    assert_eq!(pass.next_transition, Some(at("13:01:30")));
    assert_eq!(sim.at("13:01:30").reconcile().steps, ["delete room"]);
}

#[test]
fn while_a_spec_is_not_accepted_the_room_is_kept_because_a_later_end_may_wait_in_it() {
    let mut sim = Simulation::new(RoomSpec { ttl_seconds_after_expired: Some(60), ..spec() });
    sim.reconcile();
    let sim = sim.edited(|spec| spec.max_participants = Some(0)).at("23:00");
    assert_eq!((sim.plan().goal, sim.plan().next_transition), (Goal::Expired, None));
    assert!(!sim.plan().describe().contains(&"delete room".to_owned()));
}

#[test]
fn a_call_that_was_closed_before_everything_else_is_not_closed_again_and_ended_then() {
    let mut sim = Simulation::reconciled_at("09:00").at("10:00:07").with(|sim| sim.closed_at = Some(at("10:00")));
    assert_eq!(sim.reconcile().steps, ["close 2", "withdraw ada by secret-1", "withdraw bob by secret-2"]);
    let session = sim.status().session.clone().unwrap();
    assert_eq!(session.ended_at, Some(Time(at("10:00"))));
}

#[test]
fn a_call_that_was_closed_and_opens_again_before_that_is_told_is_another_one() {
    let mut sim = Simulation::reconciled_at("09:00").at("10:00:07").with(|sim| sim.closed_at = Some(at("10:00")));
    sim.media.lose_sessions();
    sim.edit(|spec| spec.valid_until = Some(Time(at("11:00"))));
    assert_eq!(sim.reconcile().steps, ["ensure 2", "refresh ada", "refresh bob"]);
    let session = sim.status().session.clone().unwrap();
    assert_eq!((session.epoch, session.ended_at), (2, None));
}

#[rstest]
#[case::its_own(|_: &mut RoomSpec| (), true)]
#[case::with_a_later_end(|spec: &mut RoomSpec| spec.valid_until = Some(Time(at("23:00"))), false)]
#[case::without_an_end(|spec: &mut RoomSpec| spec.valid_until = None, false)]
#[case::without_its_own(|spec: &mut RoomSpec| spec.ttl_seconds_after_expired = None, false)]
fn where_the_class_is_gone_only_the_rooms_own_ttl_counts_from_its_own_end(#[case] change: fn(&mut RoomSpec), #[case] deleted: bool) {
    let mut sim = Simulation::new(RoomSpec { ttl_seconds_after_expired: Some(60), ..spec() }).with(|sim| drop(sim.reconcile())).at("10:00");
    sim.class = None;
    sim.reconcile();
    let sim = sim.edited(change).at("10:02");
    assert_eq!(sim.plan().describe().contains(&"delete room".to_owned()), deleted);
}

#[test]
fn the_ttl_takes_a_room_away_with_everything_it_had() {
    let mut sim = Simulation::new(RoomSpec { ttl_seconds_after_expired: Some(0), ..spec() }).with(|sim| drop(sim.reconcile())).at("10:00");
    assert_eq!(sim.reconcile().steps, ["close 1", "close 2", "withdraw ada by secret-1", "withdraw bob by secret-2"]);
    sim = sim.at("10:00:01");
    assert_eq!(sim.reconcile().steps, ["delete room"]);
    assert!(sim.room().metadata.deletion_timestamp.is_some());
    sim.reconcile();
    assert!(sim.room.is_none() && sim.media.sessions().is_empty() && sim.secrets.is_empty());
}

#[test]
fn a_deleted_room_gives_up_session_then_invites_then_the_object() {
    let sim = Simulation::reconciled_at("09:00").at("09:10").with(Simulation::delete);
    let plan = sim.plan();
    assert_eq!(plan.goal, Goal::Gone { give_up: false });
    assert_eq!(plan.describe(), ["close 1", "close 2", "withdraw ada by secret-1", "withdraw bob by secret-2", "release finalizer"]);
    assert_eq!(plan.next_transition, Some(at("09:11")));
}

#[test]
fn deleting_an_expired_room_only_releases_it() {
    assert_eq!(expired().with(Simulation::delete).plan().describe(), ["release finalizer"]);
}

#[rstest]
#[case::waiting("09:10:59.999999999", false)]
#[case::done_waiting("09:11", true)]
fn a_media_server_that_does_not_answer_holds_a_deletion_for_a_minute(#[case] now: &str, #[case] gives_up: bool) {
    let mut sim = Simulation::reconciled_at("09:00").at("09:10").with(Simulation::delete).at(now);
    assert_eq!(sim.plan().goal, Goal::Gone { give_up: gives_up });
    sim.media.fail_with(Some(unreachable()));
    sim.reconcile();
    assert_eq!(sim.room.is_none(), gives_up);
    assert!(!sim.media.sessions().is_empty());
}

#[rstest]
#[case::class_gone(|sim: &mut Simulation| sim.class = None)]
#[case::bad_edit(|sim: &mut Simulation| sim.edit(|spec| spec.max_participants = Some(0)))]
fn a_room_that_is_not_accepted_can_be_deleted_all_the_same(#[case] change: fn(&mut Simulation)) {
    let mut sim = Simulation::reconciled_at("09:00").at("09:10").with(change).with(Simulation::delete);
    sim.reconcile();
    assert!(sim.room.is_none() && sim.media.sessions().is_empty() && sim.secrets.is_empty());
}

#[test]
fn a_deleted_room_without_our_finalizer_is_left_alone() {
    let sim = Simulation::reconciled_at("09:00").with(|sim| {
        sim.room_mut().metadata.finalizers = Some(vec!["example.org/archive".into()]);
        sim.delete();
    });
    assert_eq!(sim.plan().describe(), [""; 0]);
}

#[rstest]
#[case::at_the_end(|sim: &mut Simulation| sim.now = at("10:00"), "")]
#[case::by_deletion(Simulation::delete, "release finalizer")]
fn an_end_after_a_crash_takes_what_the_status_does_not_tell(#[case] end: fn(&mut Simulation), #[case] last: &str) {
    let mut sim = Simulation::new(spec());
    sim.crash_after(usize::MAX);
    let sim = sim.with(end);
    let mut expected = vec!["close 1", "withdraw ada by label", "withdraw bob by label"];
    expected.extend(Some(last).filter(|last| !last.is_empty()));
    assert_eq!(sim.plan().describe(), expected);
}

#[test]
fn after_a_crash_the_ledger_takes_its_invites_by_uid_and_the_rest_by_label() {
    let mut sim = Simulation::reconciled_at("09:00").edited(|spec| spec.participants.push(participant("cy", Role::Consumer)));
    sim.crash_after(usize::MAX);
    assert_eq!(
        sim.at("10:00").plan().describe(),
        ["close 1", "close 2", "withdraw ada by secret-1", "withdraw bob by secret-2", "withdraw cy by label"]
    );
}

#[test]
fn an_expired_room_that_was_opened_again_by_a_reconciliation_that_crashed_loses_all_of_it() {
    let mut sim = expired().edited(|spec| spec.valid_until = Some(Time(at("12:00"))));
    sim.crash_after(usize::MAX);
    assert_eq!((sim.media.sessions().len(), sim.secrets.len()), (1, 2));
    sim.edit(|spec| spec.valid_until = Some(Time(at("10:00"))));
    sim.reconcile();
    assert!(sim.media.sessions().is_empty() && sim.secrets.is_empty());
}

#[test]
fn an_expired_room_that_its_class_opened_again_for_a_reconciliation_that_crashed_loses_all_of_it() {
    let limits = |hours: u64| RoomClassLimits { max_duration: Some(Duration::from_hours(hours).into()), ..RoomClassLimits::default() };
    let limit = |sim: &mut Simulation, hours| sim.class.as_mut().unwrap().spec.limits = Some(limits(hours));
    let mut sim = Simulation::new(RoomSpec { valid_until: None, ..spec() }).with(|sim| limit(sim, 1));
    sim.reconcile();
    let mut sim = sim.at("10:00");
    sim.reconcile();
    assert_eq!(sim.status().phase, Phase::Expired);
    limit(&mut sim, 2);
    sim.crash_after(usize::MAX);
    assert_eq!((sim.media.sessions().len(), sim.secrets.len()), (1, 2));
    let mut sim = sim.at("11:00");
    sim.reconcile();
    assert!(sim.media.sessions().is_empty() && sim.secrets.is_empty());
}

#[rstest]
#[case::in_the_ledger(false)]
#[case::not_in_the_ledger(true)]
fn an_invite_that_could_not_be_deleted_at_the_end_is_deleted_later(#[case] crashed: bool) {
    let mut sim = Simulation::reconciled_at("09:00");
    if crashed {
        sim = Simulation::new(spec());
        sim.crash_after(usize::MAX);
    }
    let mut sim = sim.at("10:00").with(|sim| sim.secrets_failure = Some(unreachable()));
    sim.reconcile();
    assert_eq!(sim.secrets.len(), 2);
    sim.secrets_failure = None;
    sim.reconcile();
    assert_eq!((sim.secrets.len(), sim.plan().describe()), (0, vec![]));
}

#[test]
fn an_invite_that_no_status_could_tell_of_is_withdrawn_when_its_person_is_off_the_list_and_at_the_end() {
    let unrecorded = |sim: &mut Simulation| sim.unrecorded = ["ada".into(), "eve".into()].into();
    let mut open = Simulation::reconciled_at("09:00").with(unrecorded);
    assert_eq!(open.plan().describe(), ["withdraw eve by label"], "ada is recorded by now");
    open.edit(|spec| spec.participants.push(participant("eve", Role::Attendee)));
    assert!(!open.plan().describe().contains(&"withdraw eve by label".to_owned()), "she is on the list");
    let over = Simulation::reconciled_at("09:00").with(unrecorded).at("10:00").plan().describe();
    assert_eq!(over.iter().filter(|step| *step == "withdraw eve by label").count(), 1, "{over:?}");
}
