//! Rooms on a media server that keeps a roster of its own.

use rstest::rstest;
use serde_json::json;

use crate::api::{ConditionType, JoinPolicy, Provision, Reason, Role, RoomClass, RoomSession, RoomSpec};
use crate::domain::tests::{Simulation, at, installation, session_id, spec};
use crate::domain::{Batch, Execution, RoomStep, SessionMember, plan};
use crate::fixtures::{default_class, member, participant, unreachable};

fn azure() -> RoomClass {
    let mut class = default_class();
    let backend = json!({"endpoint": "https://contoso.communication.azure.com", "credentialsSecretRef": {"name": "key"}});
    class.spec.backend.azure_communication_services = serde_json::from_value(backend).unwrap();
    class
}

/// A Room of a class on Azure Communication Services, at 09:10.
fn on_azure(spec: RoomSpec) -> Simulation {
    Simulation::new(spec).with(|sim| sim.class = Some(azure())).at("09:10")
}

/// The same, when its session is made and these people are on the roster.
fn admitted(people: &[(&str, Role)]) -> Simulation {
    let mut sim = on_azure(spec());
    sim.reconcile();
    let seat = |&(name, role): &(&str, Role)| SessionMember { role: Some(role), ..member(name, 0) };
    sim.media.set_members(&session_id(1), people.iter().map(seat));
    sim
}

const BOTH: &[(&str, Role)] = &[("ada", Role::Presenter), ("bob", Role::Attendee)];

/// The steps with the session.
fn steps(sim: &Simulation) -> Vec<String> {
    sim.plan().describe().into_iter().filter(|step| step.ends_with('1') || step.ends_with('2')).collect()
}

#[test]
fn everybody_is_admitted_to_a_session_that_is_made() {
    assert_eq!(steps(&on_azure(spec())), ["ensure 1", "admit [\"ada\", \"bob\"] to 1"]);
}

#[test]
fn a_session_that_has_everybody_is_asked_for_its_window_alone() {
    assert_eq!(steps(&admitted(BOTH)), ["admit [] to 1"]);
}

#[test]
fn who_is_not_on_the_roster_is_admitted_and_who_may_not_be_there_is_removed_first() {
    let strangers = &[("ada", Role::Presenter), ("8:acs:somebody", Role::Attendee)];
    assert_eq!(steps(&admitted(strangers)), ["remove 8:acs:somebody from 1", "admit [\"bob\"] to 1"]);
}

#[test]
fn a_rotated_invite_has_its_holder_removed_and_admitted_again() {
    let sim = admitted(BOTH).edited(|spec| spec.participants[1].invite_generation = Some(1));
    assert_eq!(steps(&sim), ["remove bob from 1", "admit [\"bob\"] to 1"]);
}

#[test]
fn nobody_is_admitted_who_is_suspended_and_no_more_than_there_are_places() {
    let suspended = admitted(&BOTH[..1]).edited(|spec| spec.participants[1].suspended = true);
    assert_eq!(steps(&suspended), ["admit [] to 1"]);
    let full = on_azure(spec()).with(|sim| sim.guests = vec![crate::fixtures::guest("eve", "Attendee", None)]);
    let full = full.edited(|spec| spec.max_participants = Some(2));
    assert_eq!(steps(&full), ["ensure 1", "admit [\"ada\", \"bob\"] to 1"]);
}

#[test]
fn a_session_whose_room_is_gone_is_made_anew_with_everybody() {
    let sim = admitted(BOTH).with(|sim| sim.media.lose(&session_id(1)));
    assert_eq!(steps(&sim), ["ensure 2", "admit [\"ada\", \"bob\"] to 2"]);
}

#[test]
fn nobody_is_admitted_while_the_media_server_does_not_make_the_session() {
    let sim = on_azure(spec());
    let observed = sim.observe();
    let mut execution = Execution::begin(plan(&observed, &installation(), sim.now), &observed);
    assert_eq!(execution.next_batch(), Some(Batch::Room(RoomStep::AddFinalizer)));
    let Some(Batch::Session(ensure)) = execution.next_batch() else { panic!("the session is made") };
    execution.record_session(ensure, Err(unreachable()));
    assert!(matches!(execution.next_batch(), Some(Batch::Invites(_))));
}

#[test]
fn a_room_says_that_its_end_may_not_reach_everybody_at_once() {
    let mut sim = admitted(BOTH);
    let said = |sim: &Simulation, kind: ConditionType| {
        let conditions = &sim.status().conditions;
        conditions.iter().find(|condition| condition.type_ == kind.to_string()).map(|found| (found.status.clone(), found.reason.clone()))
    };
    let pair = |status: &str, reason: Reason| Some((status.to_owned(), reason.to_string()));
    assert_eq!(said(&sim, ConditionType::RolesEnforced), pair("True", Reason::Enforced));
    assert_eq!(said(&sim, ConditionType::EndEnforced), pair("False", Reason::BestEffort));
    assert!(sim.status().condition(ConditionType::Ready, true).is_some());
    sim.now = at("10:00");
    sim.reconcile();
    assert_eq!(said(&sim, ConditionType::EndEnforced), pair("False", Reason::BestEffort));
    let mut on_livekit = Simulation::new(spec()).at("09:10");
    on_livekit.reconcile();
    assert_eq!(said(&on_livekit, ConditionType::EndEnforced), None, "where everything is enforced, nothing is to be told");
}

fn shared(spec: &mut RoomSpec) {
    spec.join_policy = Some(JoinPolicy::AnyoneWithLink);
}

fn on_first_join(spec: &mut RoomSpec) {
    spec.session = Some(RoomSession { provision: Some(Provision::OnFirstJoin), ..RoomSession::default() });
}

fn closing_when_empty(spec: &mut RoomSpec) {
    let after = std::time::Duration::from_mins(1);
    spec.session = Some(RoomSession { close_when_empty_after: Some(after.into()), ..RoomSession::default() });
}

fn small(spec: &mut RoomSpec) {
    spec.max_participants = Some(1);
}

#[rstest]
#[case(shared, "spec.joinPolicy: AnyoneWithLink")]
#[case(on_first_join, "spec.session.provision: OnFirstJoin")]
#[case(closing_when_empty, "spec.session.closeWhenEmptyAfter")]
#[case(small, "spec.maxParticipants: 1 is less than the 2 people")]
fn what_the_media_server_of_the_class_cannot_do_is_refused_by_field_and_class(#[case] ask: fn(&mut RoomSpec), #[case] named: &str) {
    let rejection = on_azure(spec()).edited(ask).valid().unwrap_err();
    assert_eq!(rejection.reason, Reason::Unsupported);
    assert!(rejection.message.starts_with(named), "{rejection}");
    assert!(
        rejection.message.contains("RoomClass \"standard\"") && rejection.message.contains("azureCommunicationServices"),
        "{rejection}"
    );
    assert!(Simulation::new(spec()).edited(ask).valid().is_ok(), "LiveKit can do it");
}

#[test]
fn telephones_can_be_called_where_the_media_server_can_do_that_alone() {
    let calling = |spec: &mut RoomSpec| spec.pstn_dial_out_enabled = true;
    assert!(on_azure(spec()).edited(calling).valid().unwrap().session_settings().pstn_dial_out);
    let rejection = Simulation::new(spec()).edited(calling).valid().unwrap_err();
    assert_eq!(rejection.reason, Reason::Unsupported);
    assert!(rejection.message.starts_with("spec.pstnDialOutEnabled") && rejection.message.contains("liveKit"), "{rejection}");
}

#[test]
fn as_many_may_be_invited_as_there_are_places() {
    let many =
        |spec: &mut RoomSpec| spec.participants = (0..350).map(|number| participant(&format!("p{number}"), Role::Attendee)).collect();
    assert!(on_azure(spec()).edited(many).valid().is_ok());
}
