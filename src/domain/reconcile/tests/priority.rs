//! Which Rooms go first.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use rstest::rstest;

use crate::api::{ConditionType, Reason, RoomGuest, RoomGuestStatus};
use crate::domain::tests::{Simulation, at, spec};
use crate::domain::{Priority, RoomSummary, condition, priority};

fn open() -> Simulation {
    Simulation::reconciled_at("09:00")
}

/// A guest whose only condition has this status.
fn guest(status: &str) -> Arc<RoomGuest> {
    let told = (false, Reason::Progressing, String::new());
    let ready = Condition { status: status.into(), ..condition(&[], ConditionType::Ready, told, None, at("09:00")) };
    Arc::new(RoomGuest { status: Some(RoomGuestStatus { conditions: vec![ready], ..RoomGuestStatus::default() }), ..RoomGuest::default() })
}

#[rstest]
#[case::over(open().at("10:00"), Priority::Ending)]
#[case::ended_earlier(open().at("09:10").edited(|spec| spec.valid_until = spec.valid_from.clone()), Priority::Ending)]
#[case::suspended(open().edited(|spec| spec.suspend = true), Priority::Ending)]
#[case::deleted(open().with(Simulation::delete), Priority::Ending)]
#[case::never_seen(Simulation::new(spec()), Priority::Prompt)]
#[case::edited(open().edited(|spec| drop(spec.participants.pop())), Priority::Prompt)]
#[case::its_window_begins(Simulation::reconciled_at("08:10").at("09:00"), Priority::Prompt)]
#[case::with_a_new_guest(open().with(|sim| sim.guests = vec![guest("Unknown")]), Priority::Prompt)]
#[case::with_a_guest_who_was_told(open().with(|sim| sim.guests = vec![guest("False")]), Priority::Background)]
#[case::open(open(), Priority::Background)]
#[case::over_and_closed(open().at("10:00").with(|sim| drop(sim.reconcile())), Priority::Background)]
#[case::before_its_window(Simulation::reconciled_at("08:10"), Priority::Background)]
fn calls_that_have_to_end_go_first_then_what_somebody_waits_for(#[case] sim: Simulation, #[case] expected: Priority) {
    assert_eq!(priority(&RoomSummary::of(sim.room()), &sim.guests, sim.now), expected);
}
