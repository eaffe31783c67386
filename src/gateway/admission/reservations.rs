//! Places in calls, reserved by the gateway, because people who have a grant are not seen in the call yet.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::call_snapshot::{CallSnapshot, LONGEST_REQUEST, has_passed};

/// How often the reservations of all sessions are gone through, so that those of calls that nobody joins any more are dropped.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Who holds a grant that is still good, by session.
///
/// A place is reserved as long as the grant is good, even when its holder has been seen in the call: somebody who left could
/// come back with it. It is kept a little longer than that, for requests that saw the call while it was good.
#[derive(Default)]
pub struct Reservations(Mutex<Reserved>);

#[derive(Default)]
struct Reserved {
    /// When the grant of a person ends, by session and identity.
    sessions: HashMap<String, HashMap<String, Timestamp>>,
    swept_at: Option<Timestamp>,
}

impl Reservations {
    /// How many people other than `person` are in the call or may come with a grant.
    pub fn others(&self, person: &str, snapshot: &CallSnapshot) -> usize {
        self.0.lock().others(person, snapshot)
    }

    /// Reserves a place for `person`, if `admit` gives a grant when told the number of others. Nobody else reserves one in
    /// the meantime. `admit` returns the end of the grant besides what is handed on.
    pub fn reserve<T, E>(
        &self,
        person: &str,
        snapshot: &CallSnapshot,
        now: Timestamp,
        admit: impl FnOnce(usize) -> Result<(Timestamp, T), E>,
    ) -> Result<T, E> {
        let mut reserved = self.0.lock();
        reserved.sweep(now);
        let (ends, admitted) = admit(reserved.others(person, snapshot))?;
        let session = reserved.sessions.entry(snapshot.session.clone()).or_default();
        session.entry(person.to_owned()).and_modify(|before| *before = ends.max(*before)).or_insert(ends);
        Ok(admitted)
    }
}

impl Reserved {
    fn others(&self, person: &str, snapshot: &CallSnapshot) -> usize {
        let members = snapshot.members.iter().map(|member| member.identity.as_str());
        // The holder of a grant that had ended when the media server was asked was seen, or does not come any more.
        let grants = self.sessions.get(&snapshot.session).into_iter().flatten();
        let coming = grants.filter(|(_, ends)| **ends > snapshot.asked_at).map(|(identity, _)| identity.as_str());
        members.chain(coming).filter(|identity| *identity != person).collect::<HashSet<_>>().len()
    }

    /// Drops what no request can ask for any more, at most once in [`SWEEP_EVERY`].
    fn sweep(&mut self, now: Timestamp) {
        let due = self.swept_at.is_none_or(|swept_at| now < swept_at || has_passed(SWEEP_EVERY, swept_at, now));
        if !due {
            return;
        }
        self.swept_at = Some(now);
        self.sessions.retain(|_, grants| {
            grants.retain(|_, ends| !has_passed(LONGEST_REQUEST, *ends, now));
            !grants.is_empty()
        });
        self.sessions.shrink_to(self.sessions.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SessionMember;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn snapshot(session: &str, members: &[&str], asked_at: i64) -> CallSnapshot {
        let member = |name: &&str| SessionMember { identity: (*name).into(), display_name: String::new(), role: None, generation: None };
        CallSnapshot { session: session.into(), exists: true, members: members.iter().map(member).collect(), asked_at: at(asked_at) }
    }

    /// Reserves a place whose grant is good from `now` to `ends`, and says how many others there were.
    fn reserve(reservations: &Reservations, person: &str, session: &str, now: i64, ends: i64) -> usize {
        reservations.reserve(person, &snapshot(session, &[], now), at(now), |others| Ok::<_, ()>((at(ends), others))).unwrap()
    }

    fn kept(reservations: &Reservations) -> usize {
        reservations.0.lock().sessions.values().map(HashMap::len).sum()
    }

    #[test]
    fn people_in_the_call_and_people_with_a_grant_are_counted_once_and_whoever_asks_never() {
        let reservations = Reservations::default();
        reserve(&reservations, "seated-with-grant", "s", 0, 60);
        reserve(&reservations, "on-the-way", "s", 0, 60);
        reserve(&reservations, "asking", "s", 0, 60);
        let snapshot = snapshot("s", &["seated", "seated-with-grant", "asking"], 1);
        assert_eq!(reservations.others("asking", &snapshot), 3);
        assert_eq!(reservations.others("somebody", &snapshot), 4);
    }

    #[test]
    fn sessions_do_not_share_places() {
        let reservations = Reservations::default();
        reserve(&reservations, "a", "one", 0, 60);
        assert_eq!(reserve(&reservations, "b", "two", 0, 60), 0);
        assert_eq!(reserve(&reservations, "b", "one", 0, 60), 1);
    }

    #[test]
    fn a_refused_person_takes_no_place() {
        let reservations = Reservations::default();
        assert_eq!(reservations.reserve("a", &snapshot("s", &[], 0), at(0), |_| Err::<(Timestamp, ()), _>("full")), Err("full"));
        assert_eq!(kept(&reservations), 0);
        assert!(reservations.0.lock().sessions.is_empty());
    }

    #[test]
    fn a_grant_that_ended_while_the_media_server_was_asked_still_counts() {
        let reservations = Reservations::default();
        reserve(&reservations, "a", "s", 0, 60);
        let asked_before_the_end = snapshot("s", &[], 59);
        reserve(&reservations, "b", "s", 65, 125);
        assert_eq!(reservations.others("c", &asked_before_the_end), 2);
        assert_eq!(reservations.others("c", &snapshot("s", &[], 60)), 1);
    }

    #[test]
    fn a_second_grant_never_shortens_the_first() {
        let reservations = Reservations::default();
        reserve(&reservations, "a", "s", 0, 60);
        reserve(&reservations, "a", "s", 1, 30);
        assert_eq!(reservations.others("b", &snapshot("s", &[], 59)), 1);
    }

    #[test]
    fn places_of_calls_that_nobody_joins_any_more_are_dropped() {
        let reservations = Reservations::default();
        for number in 0..1000 {
            reserve(&reservations, "a", &format!("s{number}"), 0, 60);
        }
        reserve(&reservations, "b", "s0", 69, 129);
        assert_eq!(kept(&reservations), 1001, "kept as long as a request could ask for them");
        reserve(&reservations, "b", "s1", 130, 190);
        assert_eq!(kept(&reservations), 2);
        assert_eq!(reservations.0.lock().sessions.len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_dropping() {
        let reservations = Reservations::default();
        reserve(&reservations, "a", "s", 1_000_000, 1_000_060);
        reserve(&reservations, "a", "t", 0, 60);
        reserve(&reservations, "b", "t", 1_000_130, 1_000_190);
        assert_eq!(kept(&reservations), 1);
    }
}
