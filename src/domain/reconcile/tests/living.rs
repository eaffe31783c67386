use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rstest::rstest;

use crate::api::{InviteTemplate, InviteTemplateMetadata, Role, RoomSpec};
use crate::domain::tests::{Simulation, at, session_id, spec};
use crate::domain::{Goal, SessionMember};
use crate::fixtures::participant;

/// An open Room with both people in the call, at 09:10.
fn in_the_call() -> Simulation {
    Simulation::reconciled_at("09:00").at("09:10").with(|sim| {
        sim.join("ada");
        sim.join("bob");
    })
}

/// The steps that concern the call, without those for invites.
fn in_the_call_after(change: impl FnOnce(&mut RoomSpec)) -> Vec<String> {
    let steps = in_the_call().edited(change).plan().describe();
    steps.into_iter().filter(|step| step.ends_with("from 1") || step.ends_with("in 1")).collect()
}

#[test]
fn people_who_are_in_the_call_as_the_spec_has_them_are_left_alone() {
    assert_eq!(in_the_call().plan().describe(), [""; 0]);
}

#[rstest]
#[case::removed(|spec: &mut RoomSpec| drop(spec.participants.remove(1)))]
#[case::suspended(|spec: &mut RoomSpec| spec.participants[1].suspended = true)]
#[case::rotated(|spec: &mut RoomSpec| spec.participants[1].invite_generation = Some(1))]
#[case::replaced(|spec: &mut RoomSpec| spec.participants[1].name = "cy".into())]
fn who_may_no_longer_be_in_the_call_is_put_out(#[case] change: fn(&mut RoomSpec)) {
    assert_eq!(in_the_call_after(change), ["remove bob from 1"]);
}

#[rstest]
#[case::role(|spec: &mut RoomSpec| spec.participants[1].role = Some(Role::Consumer), "make bob Consumer \"bob\" in 1")]
#[case::default_role(|spec: &mut RoomSpec| spec.participants[0].role = None, "make ada Attendee \"ada\" in 1")]
#[case::display_name(|spec: &mut RoomSpec| spec.participants[1].display_name = Some("Bob B.".into()), "make bob Attendee \"Bob B.\" in 1")]
fn a_changed_role_or_name_reaches_people_in_the_call(#[case] change: fn(&mut RoomSpec), #[case] step: &str) {
    assert_eq!(in_the_call_after(change), [step]);
}

#[rstest]
#[case::unknown("eve", Some(Role::Attendee), Some(0), "remove eve from 1")]
#[case::of_unknown_generation("bob", Some(Role::Attendee), None, "remove bob from 1")]
#[case::with_permissions_of_no_role("bob", None, Some(0), "make bob Attendee \"bob\" in 1")]
fn who_does_not_sit_there_by_our_doing_is_put_right(
    #[case] identity: &str,
    #[case] role: Option<Role>,
    #[case] generation: Option<i64>,
    #[case] step: &str,
) {
    let member = SessionMember { identity: identity.into(), display_name: identity.into(), role, generation, signed_by: None };
    let sim = in_the_call();
    let others = sim.media.members(&session_id(1)).unwrap().into_iter().filter(|other| other.identity != identity);
    sim.media.set_members(&session_id(1), others.chain([member]));
    assert_eq!(sim.plan().describe(), [step]);
}

#[test]
fn a_person_who_joins_the_list_gets_an_invite_and_nothing_else_is_written() {
    let steps = in_the_call().edited(|spec| spec.participants.push(participant("cy", Role::Consumer))).plan().describe();
    assert_eq!(steps, ["create cy"]);
}

#[test]
fn a_person_who_leaves_the_list_is_put_out_before_the_invite_is_deleted() {
    let steps = in_the_call().edited(|spec| drop(spec.participants.remove(0))).plan().describe();
    assert_eq!(steps, ["remove ada from 1", "withdraw ada by secret-1"]);
}

#[test]
fn a_suspended_person_keeps_the_invite() {
    let sim = in_the_call().edited(|spec| spec.participants[1].suspended = true);
    assert_eq!(sim.plan().describe(), ["remove bob from 1"]);
}

#[rstest]
#[case::window(in_the_call().edited(|spec| spec.valid_until = Some(Time(at("11:00")))))]
#[case::template(in_the_call().edited(|spec| {
    let metadata = InviteTemplateMetadata { labels: [("team".to_owned(), "a".to_owned())].into(), ..InviteTemplateMetadata::default() };
    spec.invite_template = Some(InviteTemplate { metadata: Some(metadata) });
}))]
#[case::signing_key(in_the_call().with(|sim| sim.signing_key = 2))]
#[case::time_to_look(in_the_call().with(|sim| sim.recheck = true))]
fn what_all_invites_share_brings_all_of_them_up_to_date_and_nothing_else(#[case] sim: Simulation) {
    assert_eq!(sim.plan().describe(), ["refresh ada", "refresh bob"]);
}

#[rstest]
#[case::role(|spec: &mut RoomSpec| spec.participants[1].role = Some(Role::Presenter), vec!["make bob Presenter \"bob\" in 1", "refresh bob"])]
#[case::generation(|spec: &mut RoomSpec| spec.participants[1].invite_generation = Some(7), vec!["remove bob from 1", "refresh bob"])]
#[case::display_name(|spec: &mut RoomSpec| spec.participants[1].display_name = Some("B".into()), vec!["make bob Attendee \"B\" in 1"])]
fn an_invite_that_differs_from_the_ledger_is_brought_up_to_date_alone(#[case] change: fn(&mut RoomSpec), #[case] steps: Vec<&str>) {
    assert_eq!(in_the_call().edited(change).plan().describe(), steps);
}

#[test]
fn an_edit_that_concerns_no_invite_writes_none() {
    assert_eq!(in_the_call().edited(|spec| spec.ttl_seconds_after_expired = Some(1)).plan().describe(), [""; 0]);
}

#[test]
fn after_edits_that_nothing_was_recorded_of_all_invites_are_brought_up_to_date() {
    let mut sim = in_the_call();
    sim.edit(|spec| drop(spec.participants.remove(1)));
    sim.crash_after(usize::MAX);
    sim.edit(|spec| spec.participants.push(participant("bob", Role::Attendee)));
    assert_eq!(sim.reconcile().steps, ["refresh ada", "refresh bob"]);
    assert_eq!((sim.secrets.len(), sim.plan().describe()), (2, vec![]));
}

#[test]
fn a_window_that_the_class_changes_brings_all_invites_up_to_date() {
    let limits = |hours: u64| crate::api::RoomClassLimits {
        max_duration: Some(std::time::Duration::from_secs(hours * 3600).into()),
        ..crate::api::RoomClassLimits::default()
    };
    let mut sim = Simulation::new(RoomSpec { valid_until: None, ..spec() });
    sim.class.as_mut().unwrap().spec.limits = Some(limits(2));
    sim.reconcile();
    assert_eq!(sim.plan().describe(), [""; 0]);
    sim.class.as_mut().unwrap().spec.limits = Some(limits(3));
    assert_eq!(sim.plan().describe(), ["refresh ada", "refresh bob"]);
}

/// An edit that no class accepts, besides this one.
fn unaccepted(change: impl FnOnce(&mut RoomSpec)) -> Simulation {
    in_the_call().edited(|spec| {
        spec.max_participants = Some(351);
        change(spec);
    })
}

/// This edit, while the class is gone.
fn without_class(change: impl FnOnce(&mut RoomSpec)) -> Simulation {
    in_the_call().with(|sim| sim.class = None).edited(change)
}

#[rstest]
#[case::nothing(|_: &mut RoomSpec| ())]
#[case::a_role_that_is_raised(|spec: &mut RoomSpec| spec.participants[1].role = Some(Role::Presenter))]
#[case::another_name(|spec: &mut RoomSpec| spec.participants[1].display_name = Some("B".into()))]
#[case::somebody_added(|spec: &mut RoomSpec| spec.participants.push(participant("cy", Role::Presenter)))]
#[case::a_later_end(|spec: &mut RoomSpec| spec.valid_until = Some(Time(at("11:00"))))]
#[case::no_end(|spec: &mut RoomSpec| spec.valid_until = None)]
fn while_a_spec_is_not_accepted_nothing_is_given_and_the_call_goes_on(
    #[case] change: fn(&mut RoomSpec),
    #[values(unaccepted, without_class)] spoil: fn(fn(&mut RoomSpec)) -> Simulation,
) {
    let mut sim = spoil(change);
    let pass = sim.reconcile();
    assert!(matches!(pass.goal, Goal::NotAccepted(_)), "{:?}", pass.goal);
    assert_eq!(pass.steps, [""; 0]);
    assert_eq!(pass.next_transition, Some(at("10:00")));
    assert_eq!(sim.media.members(&session_id(1)).unwrap().len(), 2);
    assert_eq!(sim.secrets.len(), 2);
}

#[rstest]
#[case::removed(|spec: &mut RoomSpec| drop(spec.participants.remove(1)), &["remove bob from 1", "withdraw bob by secret-2"])]
#[case::suspended(|spec: &mut RoomSpec| spec.participants[1].suspended = true, &["remove bob from 1"])]
#[case::rotated(|spec: &mut RoomSpec| spec.participants[1].invite_generation = Some(1), &["remove bob from 1"])]
#[case::role_lowered(|spec: &mut RoomSpec| spec.participants[0].role = None, &["make ada Attendee \"ada\" in 1"])]
#[case::all_suspended(|spec: &mut RoomSpec| spec.suspend = true, &["close 1", "close 2"])]
#[case::ended(
    |spec: &mut RoomSpec| spec.valid_until = Some(Time(at("09:05"))),
    &["close 1", "close 2", "withdraw ada by secret-1", "withdraw bob by secret-2"]
)]
#[case::shortened(
    |spec: &mut RoomSpec| (spec.valid_until, spec.duration) = (None, Some(std::time::Duration::from_mins(10).into())),
    &["close 1", "close 2", "withdraw ada by secret-1", "withdraw bob by secret-2"]
)]
fn what_a_spec_takes_away_counts_although_it_is_not_accepted(
    #[case] change: fn(&mut RoomSpec),
    #[case] steps: &[&str],
    #[values(unaccepted, without_class)] spoil: fn(fn(&mut RoomSpec)) -> Simulation,
) {
    let mut sim = spoil(change);
    assert_eq!(sim.reconcile().steps, steps);
    assert_eq!(sim.reconcile().steps, [""; 0], "once is enough");
}

#[test]
fn an_end_that_came_early_while_the_spec_was_not_accepted_is_taken_back_by_an_accepted_spec_alone() {
    let mut sim = unaccepted(|spec| spec.valid_until = Some(Time(at("09:05"))));
    sim.reconcile();
    sim.edit(|spec| spec.valid_until = Some(Time(at("10:00"))));
    assert_eq!(sim.reconcile().goal, Goal::Expired);
    sim.edit(|spec| spec.max_participants = None);
    assert_eq!(sim.reconcile().goal, Goal::Open);
}

#[test]
fn a_suspension_counts_before_anybody_is_asked_who_is_there() {
    let sim = unaccepted(|spec| spec.suspend = true);
    assert_eq!(crate::domain::session_to_observe(sim.room(), sim.valid().as_ref(), sim.now), None);
}

#[test]
fn a_class_that_comes_back_costs_no_write_of_invites() {
    let mut sim = in_the_call().with(|sim| sim.class = None);
    let class = in_the_call().class;
    sim.reconcile();
    sim.class = class;
    assert_eq!(sim.plan().describe(), [""; 0]);
}

#[test]
fn an_invite_that_a_crash_took_is_made_again_though_the_class_was_gone_in_between() {
    let mut sim = in_the_call();
    let (spec, class) = (sim.room().spec.clone(), sim.class.clone());
    sim.edit(|spec| drop(spec.participants.remove(1)));
    sim.crash_after(usize::MAX);
    assert_eq!(sim.secrets.len(), 1);
    sim.edit(|edited| *edited = spec);
    sim.class = None;
    sim.reconcile();
    sim.class = class;
    sim.reconcile();
    assert_eq!((sim.secrets.len(), sim.plan().describe()), (2, vec![]));
}

#[test]
fn a_new_room_that_is_not_accepted_is_left_alone() {
    let plan = Simulation::new(spec()).with(|sim| sim.class = None).plan();
    assert!(matches!(plan.goal, Goal::NotAccepted(_)));
    assert_eq!((plan.describe(), plan.window, plan.next_transition), (vec![], None, None));
}
