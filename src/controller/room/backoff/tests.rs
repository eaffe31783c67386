use jiff::SignedDuration;
use rstest::rstest;

use super::*;
use crate::api::Reason;

const HOUR: Duration = Duration::from_hours(1);

fn now() -> Timestamp {
    "2030-01-15T09:00:00Z".parse().unwrap()
}

fn transient(after: Option<Duration>) -> Failure {
    Failure { class: FailureClass::Transient { after }, ..Failure::transient(Reason::Unreachable, "the media server cannot be reached") }
}

fn uids() -> impl Iterator<Item = String> {
    (0_u32..1_000).map(|number| format!("{number:08x}-0000-4000-8000-{:012x}", u64::from(number) * 7_919))
}

#[rstest]
#[case::for_now(transient(None))]
#[case::for_good(Failure::rejected(Reason::Rejected, "the media server refused the request"))]
#[case::of_credentials(Failure::unauthorized("the media server refuses the credentials"))]
#[case::of_settings(Failure::misconfigured(Reason::Misconfigured, "the class has no backend"))]
fn pauses_double_with_every_failure_up_to_a_minute(#[case] failure: Failure) {
    let retries = RetrySchedule::new(HOUR);
    let pauses: Vec<u128> = (0..10).map(|_| retries.failed("a", &failure).as_millis()).collect();
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
}

#[test]
fn pauses_stay_at_a_minute_however_long_it_lasts() {
    let retries = RetrySchedule::new(HOUR);
    assert_eq!((0..100).map(|_| retries.failed("a", &transient(None))).last(), Some(LONGEST_RETRY));
}

#[rstest]
#[case::within_bounds(Duration::from_secs(7), Duration::from_secs(7))]
#[case::too_short(Duration::from_millis(1), FIRST_RETRY)]
#[case::too_long(HOUR, LONGEST_RETRY)]
fn a_wait_that_the_other_side_asked_for_is_honoured_within_bounds(#[case] asked: Duration, #[case] pause: Duration) {
    let retries = RetrySchedule::new(HOUR);
    for _ in 0..10 {
        assert_eq!(retries.failed("a", &transient(Some(asked))), pause);
    }
}

#[test]
fn a_success_starts_over_and_each_room_has_its_own_pauses() {
    let retries = RetrySchedule::new(HOUR);
    for _ in 0..5 {
        retries.failed("a", &transient(None));
    }
    assert_eq!(retries.failed("b", &transient(None)), FIRST_RETRY);
    retries.succeeded("a");
    retries.succeeded("unknown");
    assert_eq!(retries.failed("a", &transient(None)), FIRST_RETRY);
}

#[test]
fn invites_are_never_due_at_first_sight_then_in_the_second_half_of_the_interval_then_every_interval() {
    for uid in uids() {
        let retries = RetrySchedule::new(HOUR);
        assert!(!retries.recheck_due(&uid, now()));
        let first = retries.until_recheck(&uid, now());
        assert!(HOUR / 2 <= first && first <= HOUR, "{uid}: {first:?}");
        let due = now() + first;
        assert!(!retries.recheck_due(&uid, due - SignedDuration::from_nanos(1)));
        assert!(retries.recheck_due(&uid, due));
        assert!(!retries.recheck_due(&uid, due));
        assert_eq!(retries.until_recheck(&uid, due), HOUR);
        assert!(retries.recheck_due(&uid, due + HOUR));
    }
}

#[test]
fn first_looks_at_the_invites_of_many_rooms_are_spread_evenly() {
    let retries = RetrySchedule::new(HOUR);
    let mut tenths = [0; 10];
    for uid in uids() {
        retries.recheck_due(&uid, now());
        let part = retries.until_recheck(&uid, now()).saturating_sub(HOUR / 2).as_secs() * 10 / (HOUR / 2).as_secs();
        tenths[usize::try_from(part).unwrap().min(9)] += 1;
    }
    assert!(tenths.iter().all(|rooms| (50..=200).contains(rooms)), "{tenths:?}");
}

#[test]
fn the_same_room_is_looked_at_after_the_same_part_of_the_interval_again() {
    let wait = || {
        let retries = RetrySchedule::new(HOUR);
        retries.recheck_due("a", now());
        retries.until_recheck("a", now())
    };
    assert_eq!(wait(), wait());
}

#[test]
fn a_clock_that_is_set_back_puts_no_look_off_for_longer_than_the_interval() {
    let retries = RetrySchedule::new(HOUR);
    retries.recheck_due("a", now());
    let corrected = now() - SignedDuration::from_hours(10_000);
    assert!(!retries.recheck_due("a", corrected));
    assert!(retries.until_recheck("a", corrected) <= HOUR);
    assert!(retries.recheck_due("a", corrected + HOUR));
}

#[test]
fn a_room_that_nothing_is_known_of_is_looked_at_after_the_interval() {
    assert_eq!(RetrySchedule::new(HOUR).until_recheck("a", now()), HOUR);
}

#[test]
fn a_look_that_is_overdue_is_due_at_once() {
    let retries = RetrySchedule::new(HOUR);
    retries.recheck_due("a", now());
    assert_eq!(retries.until_recheck("a", now() + HOUR * 2), Duration::ZERO);
}

#[test]
fn a_room_that_is_gone_is_forgotten() {
    let retries = RetrySchedule::new(HOUR);
    retries.recheck_due("a", now());
    for _ in 0..5 {
        retries.failed("a", &transient(None));
    }
    retries.forget("a");
    assert!(retries.rooms().is_empty());
    assert_eq!(retries.failed("a", &transient(None)), FIRST_RETRY);
    assert!(!retries.recheck_due("a", now() + HOUR * 9));
}
