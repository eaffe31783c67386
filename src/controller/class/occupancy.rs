//! How many people were last seen in each session, and since when in some of them nobody was.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

/// For how long a sweep tells what is there: a little longer than until the next one.
const RECENT: Duration = Duration::from_secs(5);

/// The sessions of all classes, as of the last sweep of each.
#[derive(Default)]
pub struct Occupancy(Mutex<HashMap<String, Sessions>>);

#[derive(Default)]
struct Sessions {
    counts: HashMap<String, i32>,
    empty_since: HashMap<String, Timestamp>,
    /// Uptime of the last sweep.
    swept_at: Duration,
}

impl Occupancy {
    /// People in a session, as of the last count.
    pub fn joined(&self, class: &str, session: &str) -> i32 {
        self.all().get(class).and_then(|sessions| sessions.counts.get(session)).copied().unwrap_or_default()
    }

    /// Since when nobody was seen in a session; `None` when there is no such session, or somebody was seen last.
    pub fn empty_since(&self, class: &str, session: &str) -> Option<Timestamp> {
        self.all().get(class)?.empty_since.get(session).copied()
    }

    /// Whether a sweep of a moment ago saw a session, and nobody in it.
    pub fn was_seen_empty(&self, class: &str, session: &str, uptime: Duration) -> bool {
        let is_recent = |sessions: &&Sessions| uptime.saturating_sub(sessions.swept_at) <= RECENT;
        self.all().get(class).filter(is_recent).is_some_and(|sessions| sessions.empty_since.contains_key(session))
    }

    /// A sweep saw these sessions of a class, with as many people in them.
    pub fn swept(&self, class: &str, sessions: &HashMap<String, i32>, uptime: Duration, now: Timestamp) {
        let mut all = self.all();
        let of_class = all.entry(class.to_owned()).or_default();
        of_class.swept_at = uptime;
        let known = &mut of_class.empty_since;
        known.retain(|session, _| sessions.get(session) == Some(&0));
        for session in sessions.iter().filter(|(_, joined)| **joined == 0).map(|(session, _)| session) {
            let since = known.entry(session.clone()).or_insert(now);
            // One that is still to come was seen by a clock that was ahead.
            *since = now.min(*since);
        }
    }

    /// Somebody is in a session, or is coming.
    pub fn mark_used(&self, class: &str, session: &str) {
        if let Some(sessions) = self.all().get_mut(class) {
            sessions.empty_since.remove(session);
        }
    }

    /// Replaces the counts of a class.
    pub fn count(&self, class: &str, counts: HashMap<String, i32>) {
        self.all().entry(class.to_owned()).or_default().counts = counts;
    }

    /// Forgets a class.
    pub fn forget(&self, class: &str) {
        self.all().remove(class);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Sessions>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPTIME: Duration = Duration::from_secs(100);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_session_is_empty_from_the_first_sweep_that_saw_nobody_until_somebody_is_seen() {
        let occupancy = Occupancy::default();
        let saw = |joined: &[(&str, i32)], second| {
            let sessions = joined.iter().map(|(session, joined)| ((*session).to_owned(), *joined)).collect();
            occupancy.swept("class", &sessions, UPTIME, at(second));
        };
        saw(&[("a", 0), ("b", 1)], 1);
        saw(&[("a", 0), ("b", 0)], 2);
        assert_eq!((occupancy.empty_since("class", "a"), occupancy.empty_since("class", "b")), (Some(at(1)), Some(at(2))));
        assert_eq!(occupancy.empty_since("other", "a"), None);
        saw(&[("a", 3), ("b", 0)], 3);
        saw(&[("a", 0)], 4);
        assert_eq!((occupancy.empty_since("class", "a"), occupancy.empty_since("class", "b")), (Some(at(4)), None));
        saw(&[("a", 0)], 2);
        assert_eq!(occupancy.empty_since("class", "a"), Some(at(2)), "the clock was set back");
        occupancy.mark_used("class", "a");
        assert_eq!(occupancy.empty_since("class", "a"), None);
    }

    #[test]
    fn a_session_was_seen_empty_for_five_seconds_after_the_sweep_that_saw_it_so() {
        let occupancy = Occupancy::default();
        let sessions = HashMap::from([("empty".to_owned(), 0), ("used".to_owned(), 1)]);
        occupancy.swept("class", &sessions, UPTIME, at(0));
        let is_empty = |class, session, later| occupancy.was_seen_empty(class, session, UPTIME + Duration::from_secs(later));
        assert!(is_empty("class", "empty", 5) && !is_empty("class", "empty", 6));
        for (class, session) in [("class", "used"), ("class", "gone"), ("other", "empty")] {
            assert!(!is_empty(class, session, 0), "{class} {session}");
        }
        occupancy.mark_used("class", "empty");
        assert!(!is_empty("class", "empty", 0));
    }
}
