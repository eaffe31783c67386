//! Reservations in calls, held at the door, because people who have a grant are not seen in the call yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::SessionMember;
use crate::gateway::LONGEST_REQUEST;

/// How often the places of all sessions are gone through, so that those of calls that nobody joins any more are dropped.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// What was seen in a session.
pub struct CallSnapshot {
    /// Name of the session.
    pub session: String,
    /// The people in it.
    pub members: Vec<SessionMember>,
    /// The moment the media server was asked: people who came since then may be missing.
    pub asked_at: Timestamp,
}

impl CallSnapshot {
    /// Whether places that matter for this sight may have been dropped since.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        ended(self.asked_at, LONGEST_REQUEST, now)
    }
}

/// Who holds a grant that is still good, by session.
///
/// A place is held as long as the grant is good, even when its holder has been seen in the call: who left again could come
/// back with it. It is kept a little longer than that, for requests that saw the call while it was good.
#[derive(Default)]
pub struct Reservations {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// When the grant of a person ends, by session and identity.
    sessions: HashMap<String, HashMap<String, Timestamp>>,
    swept_at: Option<Timestamp>,
}

impl Reservations {
    /// How many people other than `visitor` are in the call or may come with a grant.
    pub fn others(&self, visitor: &str, sight: &CallSnapshot) -> usize {
        self.held().others(visitor, sight)
    }

    /// Takes a place for `visitor`, if `admit` gives a grant when told the number of others. Nobody else takes one in the
    /// meantime. `admit` returns the end of the grant besides what is handed on.
    pub fn take<T, E>(
        &self,
        visitor: &str,
        sight: &CallSnapshot,
        now: Timestamp,
        admit: impl FnOnce(usize) -> Result<(Timestamp, T), E>,
    ) -> Result<T, E> {
        let mut held = self.held();
        held.sweep(now);
        let (ends, admitted) = admit(held.others(visitor, sight))?;
        let session = held.sessions.entry(sight.session.clone()).or_default();
        session.entry(visitor.to_owned()).and_modify(|before| *before = ends.max(*before)).or_insert(ends);
        Ok(admitted)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn others(&self, visitor: &str, sight: &CallSnapshot) -> usize {
        let seated = sight.members.iter().map(|member| member.identity.as_str());
        // A grant that had ended when the media server was asked: its holder was seen, or does not come any more.
        let grants = self.sessions.get(&sight.session).into_iter().flatten();
        let coming = grants.filter(|(_, ends)| **ends > sight.asked_at).map(|(identity, _)| identity.as_str());
        seated.chain(coming).filter(|identity| *identity != visitor).collect::<HashSet<_>>().len()
    }

    /// Drops what no request can ask for any more, at most once in [`SWEEP_EVERY`].
    fn sweep(&mut self, now: Timestamp) {
        let due = self.swept_at.is_none_or(|swept_at| now < swept_at || ended(swept_at, SWEEP_EVERY, now));
        if !due {
            return;
        }
        self.swept_at = Some(now);
        self.sessions.retain(|_, grants| {
            grants.retain(|_, ends| !ended(*ends, LONGEST_REQUEST, now));
            !grants.is_empty()
        });
        self.sessions.shrink_to(self.sessions.len() * 2);
    }
}

/// Whether `length` has passed since `moment`.
fn ended(moment: Timestamp, length: Duration, now: Timestamp) -> bool {
    now.duration_since(moment) >= length.try_into().unwrap_or(jiff::SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sight(session: &str, members: &[&str], asked_at: i64) -> CallSnapshot {
        let member = |name: &&str| SessionMember { identity: (*name).into(), display_name: String::new(), role: None, generation: None };
        CallSnapshot { session: session.into(), members: members.iter().map(member).collect(), asked_at: at(asked_at) }
    }

    /// Takes a place whose grant is good from `now` to `ends`, and says how many others there were.
    fn take(places: &Reservations, visitor: &str, session: &str, now: i64, ends: i64) -> usize {
        places.take(visitor, &sight(session, &[], now), at(now), |others| Ok::<_, ()>((at(ends), others))).unwrap()
    }

    fn kept(places: &Reservations) -> usize {
        places.held().sessions.values().map(HashMap::len).sum()
    }

    #[test]
    fn people_in_the_call_and_people_with_a_ticket_are_counted_once_and_the_visitor_never() {
        let places = Reservations::default();
        take(&places, "seated-with-grant", "s", 0, 60);
        take(&places, "on-the-way", "s", 0, 60);
        take(&places, "visitor", "s", 0, 60);
        let sight = sight("s", &["seated", "seated-with-grant", "visitor"], 1);
        assert_eq!(places.others("visitor", &sight), 3);
        assert_eq!(places.others("somebody", &sight), 4);
    }

    #[test]
    fn sessions_do_not_share_places() {
        let places = Reservations::default();
        take(&places, "a", "one", 0, 60);
        assert_eq!(take(&places, "b", "two", 0, 60), 0);
        assert_eq!(take(&places, "b", "one", 0, 60), 1);
    }

    #[test]
    fn a_refused_visitor_takes_no_place() {
        let places = Reservations::default();
        assert_eq!(places.take("a", &sight("s", &[], 0), at(0), |_| Err::<(Timestamp, ()), _>("full")), Err("full"));
        assert_eq!(kept(&places), 0);
        assert!(places.held().sessions.is_empty());
    }

    #[test]
    fn a_ticket_that_ended_while_the_media_server_was_asked_still_counts() {
        let places = Reservations::default();
        take(&places, "a", "s", 0, 60);
        let asked_before_the_end = sight("s", &[], 59);
        take(&places, "b", "s", 65, 125);
        assert_eq!(places.others("c", &asked_before_the_end), 2);
        assert_eq!(places.others("c", &sight("s", &[], 60)), 1);
    }

    #[test]
    fn a_second_ticket_never_shortens_the_first() {
        let places = Reservations::default();
        take(&places, "a", "s", 0, 60);
        take(&places, "a", "s", 1, 30);
        assert_eq!(places.others("b", &sight("s", &[], 59)), 1);
    }

    #[test]
    fn places_of_calls_that_nobody_joins_any_more_are_dropped() {
        let places = Reservations::default();
        for number in 0..1000 {
            take(&places, "a", &format!("s{number}"), 0, 60);
        }
        take(&places, "b", "s0", 69, 129);
        assert_eq!(kept(&places), 1001, "kept as long as a request could ask for them");
        take(&places, "b", "s1", 130, 190);
        assert_eq!(kept(&places), 2);
        assert_eq!(places.held().sessions.len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_dropping() {
        let places = Reservations::default();
        take(&places, "a", "s", 1_000_000, 1_000_060);
        take(&places, "a", "t", 0, 60);
        take(&places, "b", "t", 1_000_130, 1_000_190);
        assert_eq!(kept(&places), 1);
    }

    #[test]
    fn a_sight_is_stale_when_a_request_may_have_ended_since() {
        let sight = sight("s", &[], 0);
        assert!(!sight.is_stale(at(9)));
        assert!(sight.is_stale(at(10)));
    }
}
