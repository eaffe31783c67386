//! What follows from the results of steps.

use crate::api::{ConditionType, FINALIZER, LedgerEntry, Reason, RoomSpec};
use crate::domain::tests::{Simulation, at, installation, session_id, spec};
use crate::domain::{Batch, Execution, Failure, InviteChange, InviteStep, RoomStep, SessionStep, Window, plan, status};
use crate::fixtures::unreachable;

/// The execution of the plan for a Room, before its first step.
fn begun(sim: &Simulation) -> Execution {
    let observed = sim.observe();
    Execution::begin(plan(&observed, &installation(), sim.now), &observed)
}

fn conflict(message: &str) -> Failure {
    Failure::rejected(Reason::NameConflict, message)
}

/// A Room in its window that is being deleted, with what its session and its two invites give when they go.
fn deleted(now: &str, session: &Result<(), Failure>, invites: &Result<(), Failure>) -> Execution {
    let sim = Simulation::reconciled_at("09:00").at("09:10").with(Simulation::delete).at(now);
    assert_eq!(sim.room().metadata.finalizers, Some(vec![FINALIZER.to_owned()]));
    let mut execution = begun(&sim);
    for _ in 0..2 {
        let Some(Batch::Session(step)) = execution.next_batch() else { panic!("both sessions are closed") };
        execution.record_session(step, session.clone());
    }
    let Some(Batch::Invites(steps)) = execution.next_batch() else { panic!("the invites are withdrawn") };
    for step in steps {
        let InviteStep::Withdraw { secret_name, .. } = &step else { panic!("nothing is issued") };
        execution.record_invite(&step, invites.clone().map(|()| InviteChange::Withdrawn { secret_name: secret_name.clone() }));
    }
    execution
}

#[test]
fn steps_are_due_one_by_one_and_invites_at_the_same_time() {
    let mut execution = begun(&Simulation::new(spec()));
    assert_eq!(execution.next_batch(), Some(Batch::Room(RoomStep::AddFinalizer)));
    let window = Window { from: at("09:00"), until: at("10:00") };
    assert_eq!(
        execution.next_batch(),
        Some(Batch::Session(SessionStep::Ensure { session: session_id(1), epoch: 1, settings: window.into() }))
    );
    assert!(matches!(execution.next_batch(), Some(Batch::Invites(steps)) if steps.len() == 2));
    assert_eq!(execution.next_batch(), None);
}

#[test]
fn without_its_finalizer_a_room_gets_nothing_and_there_is_nothing_to_tell_of() {
    let mut execution = begun(&Simulation::new(spec()));
    let Some(Batch::Room(step)) = execution.next_batch() else { panic!("the finalizer comes first") };
    execution.record_room(&step, Err(unreachable()));
    assert_eq!(execution.next_batch(), None);
    assert_eq!(execution.finish().unwrap_err(), unreachable());
}

#[test]
fn the_deadline_of_a_plan_survives_a_failure() {
    let mut execution = begun(&Simulation::new(spec()));
    while let Some(batch) = execution.next_batch() {
        match batch {
            Batch::Room(step) => execution.record_room(&step, Ok(())),
            Batch::Session(step) => execution.record_session(step, Err(unreachable())),
            Batch::Members(_) => panic!("nobody is there"),
            Batch::Invites(steps) => steps.iter().for_each(|step| execution.record_invite(step, Err(unreachable()))),
        }
    }
    let outcome = execution.finish().unwrap();
    assert_eq!((outcome.failure(), outcome.next_transition()), (Some(&unreachable()), Some(at("10:00"))));
}

#[test]
fn a_deleted_room_is_released_when_everything_is_gone() {
    let mut execution = deleted("09:10", &Ok(()), &Ok(()));
    let Some(Batch::Room(step @ RoomStep::ReleaseFinalizer { give_up: false })) = execution.next_batch() else { panic!("released") };
    execution.record_room(&step, Ok(()));
    let outcome = execution.finish().unwrap();
    assert_eq!((outcome.is_gone(), outcome.left_behind()), (true, None));
}

#[test]
fn a_deleted_room_is_held_after_any_failure() {
    for (session, invites) in [(Err(unreachable()), Ok(())), (Ok(()), Err(unreachable()))] {
        let mut execution = deleted("09:10", &session, &invites);
        assert_eq!(execution.next_batch(), None);
        assert!(!execution.finish().unwrap().is_gone());
    }
}

#[test]
fn a_room_that_is_released_in_spite_of_a_failure_tells_what_it_left_behind() {
    let mut execution = deleted("09:11", &Err(unreachable()), &Ok(()));
    let Some(Batch::Room(step @ RoomStep::ReleaseFinalizer { give_up: true })) = execution.next_batch() else { panic!("released") };
    execution.record_room(&step, Ok(()));
    let outcome = execution.finish().unwrap();
    assert_eq!((outcome.is_gone(), outcome.left_behind()), (true, Some(&unreachable())));
}

#[test]
fn a_room_that_could_not_be_released_is_not_gone_and_left_nothing_behind() {
    let mut execution = deleted("09:11", &Err(unreachable()), &Ok(()));
    let Some(Batch::Room(step)) = execution.next_batch() else { panic!("released") };
    execution.record_room(&step, Err(unreachable()));
    let outcome = execution.finish().unwrap();
    assert_eq!((outcome.is_gone(), outcome.left_behind(), outcome.failure()), (false, None, Some(&unreachable())));
}

/// The plan that follows when all invites of an open Room were written again, but for ada's.
fn planned_after(failure: &Failure) -> Vec<String> {
    let mut sim = Simulation::reconciled_at("09:00").with(|sim| sim.signing_key = 2);
    let observed = sim.observe();
    let mut execution = begun(&sim);
    while let Some(batch) = execution.next_batch() {
        match batch {
            Batch::Room(step) => execution.record_room(&step, Ok(())),
            Batch::Session(step) => execution.record_session(step, Ok(())),
            Batch::Members(_) => panic!("nobody is there"),
            Batch::Invites(steps) => steps.into_iter().for_each(|step| {
                let InviteStep::Issue { person, .. } = &step else { panic!("nothing is withdrawn") };
                let entry = observed.ledger().iter().find(|entry| entry.name == person.name).cloned().unwrap();
                let result = if person.name == "ada" { Err(failure.clone()) } else { Ok(InviteChange::Issued(entry)) };
                execution.record_invite(&step, result);
            }),
        }
    }
    let outcome = execution.finish().unwrap();
    sim.room_mut().status = Some(status(&observed, &outcome, sim.now));
    sim.plan().describe()
}

#[test]
fn an_invite_that_is_refused_is_tried_again_alone_and_one_that_failed_with_all_others() {
    assert_eq!(planned_after(&conflict("a Secret of others")), ["refresh ada"]);
    assert_eq!(planned_after(&unreachable()), ["refresh ada", "refresh bob"]);
}

#[test]
fn what_fails_with_the_object_says_nothing_of_the_invites() {
    let mut sim = Simulation::reconciled_at("09:00").at("10:00");
    sim.reconcile();
    let (observed, mut execution) = (sim.observe(), begun(&sim));
    execution.record_room(&RoomStep::Delete, Err(conflict("may not be deleted")));
    let status = status(&observed, &execution.finish().unwrap(), sim.now);
    assert!(status.condition(ConditionType::InvitesReady, true).is_some());
    assert_eq!(status.condition(ConditionType::Ready, false).map(|ready| ready.message.as_str()), Some("may not be deleted"));
}

#[test]
fn of_several_failures_with_invites_the_first_that_somebody_must_act_on_is_told() {
    let withdraw = InviteStep::Withdraw { secret_name: "secret".into(), secret_uid: None };
    let told = |failures: &[Failure]| {
        let mut execution = begun(&Simulation::new(spec()));
        execution.record_invite(&withdraw, Ok(InviteChange::Issued(LedgerEntry::default())));
        for failure in failures {
            execution.record_invite(&withdraw, Err(failure.clone()));
        }
        execution.finish().unwrap().failure().cloned()
    };
    assert_eq!(told(&[]), None);
    assert_eq!(told(&[unreachable(), conflict("one"), unreachable(), conflict("two")]), Some(conflict("one")));
    assert_eq!(told(&[unreachable(), Failure::transient(Reason::Refused, "later")]), Some(unreachable()));
}

#[test]
fn only_the_recorded_session_ends_the_call_and_only_the_window_ends_the_room() {
    let closed = |sim: &Simulation, epoch: i64| {
        let mut execution = begun(sim);
        execution.record_session(SessionStep::Close { session: session_id(epoch) }, Ok(()));
        execution.finish().unwrap().ended_window()
    };
    let sim = Simulation::reconciled_at("09:00");
    assert_eq!(closed(&sim.clone().at("10:00"), 1), Some(at("10:00")));
    assert_eq!(closed(&sim.clone().at("10:00"), 2), None, "the one that the gateway may have made");
    assert_eq!(closed(&sim.edited(|spec| spec.suspend = true), 1), None);
}

#[test]
fn an_end_and_an_edit_take_something_away_and_neither_a_beginning_nor_a_deletion_does() {
    let takes_away = |sim: Simulation| sim.plan().takes_away();
    assert!(!takes_away(Simulation::new(spec()).at("08:30")) && !takes_away(Simulation::new(spec()).at("09:00")));
    assert!(!takes_away(Simulation::reconciled_at("08:30").at("09:00")), "it opens");
    assert!(!takes_away(Simulation::reconciled_at("09:00").with(Simulation::delete)), "it does not come back");
    assert!(takes_away(Simulation::reconciled_at("09:00").at("10:00")), "it ends");
    for edit in [|spec: &mut RoomSpec| spec.suspend = true, |spec: &mut RoomSpec| spec.participants.truncate(1)] {
        assert!(takes_away(Simulation::reconciled_at("09:00").with(|sim| sim.edit(edit))));
    }
}
