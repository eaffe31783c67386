//! When the invites of a Room are looked at although nothing seems to have changed.

use std::time::Duration;

use jiff::Timestamp;

/// The next time of one Room.
#[derive(Debug, Default)]
pub struct ResyncSchedule {
    at: Option<Timestamp>,
}

impl ResyncSchedule {
    /// Whether there is a next time.
    pub fn has_begun(&self) -> bool {
        self.at.is_some()
    }

    /// Whether it is time; never at first sight.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.at.is_some_and(|at| now >= at)
    }

    /// Goes on after a reconciliation that looked at the invites (`done`), or did not. The first time comes after a part of the
    /// interval that differs from Room to Room, so that they never all come at once, least of all at a restart.
    pub fn advance(&mut self, uid: &str, every: Duration, done: bool, now: Timestamp) {
        // One that is too far away was set before the clock was set back.
        let keeps = self.at.is_some_and(|at| at.duration_since(now) <= every.try_into().unwrap_or(jiff::SignedDuration::MAX));
        if done {
            self.at = now.checked_add(every).ok();
        } else if !keeps {
            self.at = now.checked_add(every.mul_f64(0.5 + 0.5 * spread(uid))).ok();
        }
    }

    /// Time until then.
    pub fn remaining(&self, every: Duration, now: Timestamp) -> Duration {
        self.at.map_or(every, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }
}

/// A number from 0 to 1 that is the same for the same text and spread evenly over all.
pub fn spread(text: &str) -> f64 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn now() -> Timestamp {
        "2030-01-15T09:00:00Z".parse().unwrap()
    }

    fn uids() -> impl Iterator<Item = String> {
        (0_u32..1_000).map(|number| format!("{number:08x}-0000-4000-8000-{:012x}", u64::from(number) * 7_919))
    }

    /// As a reconciliation does it; whether the invites were looked at.
    fn reconcile(schedule: &mut ResyncSchedule, uid: &str, now: Timestamp) -> bool {
        let due = schedule.is_due(now);
        schedule.advance(uid, HOUR, due, now);
        due
    }

    /// After the first reconciliation.
    fn seen(uid: &str) -> ResyncSchedule {
        let mut schedule = ResyncSchedule::default();
        assert!(!reconcile(&mut schedule, uid, now()));
        schedule
    }

    #[test]
    fn invites_are_never_due_at_first_sight_then_in_the_second_half_of_the_interval_then_every_interval() {
        for uid in uids() {
            let mut schedule = seen(&uid);
            let first = schedule.remaining(HOUR, now());
            assert!(HOUR / 2 <= first && first <= HOUR, "{uid}: {first:?}");
            let due = now() + first;
            assert!(!reconcile(&mut schedule, &uid, due - SignedDuration::from_nanos(1)));
            assert!(reconcile(&mut schedule, &uid, due));
            assert!(!reconcile(&mut schedule, &uid, due));
            assert_eq!(schedule.remaining(HOUR, due), HOUR);
            assert!(reconcile(&mut schedule, &uid, due + HOUR));
        }
    }

    #[test]
    fn first_looks_at_the_invites_of_many_rooms_are_spread_evenly() {
        let mut tenths = [0; 10];
        for uid in uids() {
            let part = seen(&uid).remaining(HOUR, now()).saturating_sub(HOUR / 2).as_secs() * 10 / (HOUR / 2).as_secs();
            tenths[usize::try_from(part).unwrap().min(9)] += 1;
        }
        assert!(tenths.iter().all(|rooms| (50..=200).contains(rooms)), "{tenths:?}");
    }

    #[test]
    fn the_same_room_is_looked_at_after_the_same_part_of_the_interval_again() {
        assert_eq!(seen("a").remaining(HOUR, now()), seen("a").remaining(HOUR, now()));
    }

    #[test]
    fn a_clock_that_is_set_back_puts_no_look_off_for_longer_than_the_interval() {
        let mut schedule = seen("a");
        let corrected = now() - SignedDuration::from_hours(10_000);
        assert!(!reconcile(&mut schedule, "a", corrected));
        assert!(schedule.remaining(HOUR, corrected) <= HOUR);
        assert!(schedule.is_due(corrected + HOUR));
    }

    #[test]
    fn a_room_that_nothing_is_known_of_is_looked_at_after_the_interval() {
        assert_eq!(ResyncSchedule::default().remaining(HOUR, now()), HOUR);
    }

    #[test]
    fn a_look_that_is_overdue_is_due_at_once_and_stays_so_until_it_was_done() {
        let mut schedule = seen("a");
        let late = now() + HOUR * 2;
        assert_eq!(schedule.remaining(HOUR, late), Duration::ZERO);
        // The moment came between the look at the caches and the plan.
        schedule.advance("a", HOUR, false, late);
        assert!(schedule.is_due(late));
    }
}
