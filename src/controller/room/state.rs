//! What the controller remembers of each Room between two reconciliations, by UID. A Room that is made again under the same name
//! is another one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::ObjectMeta;
use parking_lot::Mutex;

use super::backoff::Backoff;
use super::recheck::{RecheckWindow, holds_for_all};
use super::resync::ResyncSchedule;
use super::write_cache::WriteCache;
use crate::api::{Room, invite_secret_name};
use crate::clock;
use crate::cluster::{CachedRoom, Lists, NamespacedName, RoomCache, keep_what_is_read};
use crate::domain::{Failure, Outcome, recorded_session};

/// Shortest time until the next reconciliation: the clock that wakes and the clock that decides may differ by less.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// When a Room is looked at again that stands in line, or whose reconciliation panicked. More often costs too much where many wait.
const AT_THE_LATEST: Duration = Duration::from_mins(1);

/// The memory of all Rooms.
pub struct RoomStates {
    started: Timestamp,
    resync: Duration,
    lists: Lists,
    rooms: Mutex<HashMap<Arc<str>, RoomState>>,
    /// The Rooms that were written to a moment ago.
    written: Mutex<HashSet<NamespacedName>>,
}

/// What is remembered of a Room with which nothing happens: of these there are very many.
#[derive(Default)]
struct RoomState {
    resync: ResyncSchedule,
    recheck: RecheckWindow,
    /// When the clock alone changes what the Room should be, by the last plan.
    next_transition: Option<Timestamp>,
    /// None while there is nothing in it.
    recent: Option<Box<RecentState>>,
}

/// What is remembered of a Room with which something happens.
#[derive(Default)]
struct RecentState {
    written: WriteCache,
    backoff: Backoff,
    /// The session that was closed, and when, while everything else was left for later.
    closed: Option<(String, Timestamp)>,
    /// People whose invites were written, while the status that would tell of them was not.
    unrecorded: BTreeSet<String>,
}

impl RoomStates {
    /// Of a controller that starts at `now` and looks at the invites of each Room about every `resync`.
    pub fn new(resync: Duration, lists: Lists, now: Timestamp) -> Self {
        Self { started: now, resync, lists, rooms: Mutex::default(), written: Mutex::default() }
    }

    /// The newer one of what the watch shows of the Room of this UID and what was written. From here on the Room is remembered.
    pub fn newest(&self, uid: &Arc<str>, watched: Arc<Room>) -> Arc<Room> {
        let mut rooms = self.rooms.lock();
        match &mut rooms.entry(uid.clone()).or_default().recent {
            Some(recent) => recent.written.newest(watched, self.lists.asked_at()),
            None => watched,
        }
    }

    /// What was written after what the watch shows.
    pub fn ahead_of(&self, watched: &CachedRoom) -> Option<Arc<Room>> {
        self.rooms.lock().get_mut(watched.uid())?.recent.as_mut()?.written.ahead_of(watched, self.lists.asked_at())
    }

    /// Remembers the answer to an own write.
    pub fn wrote(&self, mut room: Room) -> Arc<Room> {
        keep_what_is_read(&mut room);
        let room = Arc::new(room);
        self.written.lock().insert(NamespacedName::of(room.as_ref()));
        self.change(room.metadata.uid.as_deref().unwrap_or_default(), |state| state.recent().written.wrote(room.clone(), clock::uptime()));
        room
    }

    /// Forgets the answers to own writes that the watch has shown. A Room that nothing happens to would be held twice for as long.
    pub fn forget_shown(&self, rooms: &RoomCache) {
        let written = std::mem::take(&mut *self.written.lock());
        let is_ahead = |name: &NamespacedName| {
            let watched = rooms.get(name)?;
            let mut states = self.rooms.lock();
            let state = states.get_mut(watched.uid())?;
            let is_ahead = state.recent.as_mut()?.written.ahead_of(watched.as_ref(), self.lists.asked_at()).is_some();
            state.tidy();
            Some(is_ahead)
        };
        let ahead: Vec<_> = written.into_iter().filter(|name| is_ahead(name) == Some(true)).collect();
        self.written.lock().extend(ahead);
    }

    /// Whether this controller has not carried out a plan for the Room yet.
    pub fn is_first(&self, uid: &str) -> bool {
        self.rooms.lock().get(uid).is_none_or(|state| !state.resync.has_begun())
    }

    /// Whether it is time to look at the Room's invites.
    pub fn resync_due(&self, uid: &str, now: Timestamp) -> bool {
        self.rooms.lock().get(uid).is_some_and(|state| state.resync.is_due(now))
    }

    /// A plan was made: the Room is reconciled again at its next transition, whatever becomes of this one.
    pub fn planned(&self, uid: &str, next_transition: Option<Timestamp>) {
        self.change(uid, |state| state.next_transition = next_transition);
    }

    /// A plan was carried out, in which the invites were looked at or not.
    pub fn executed(&self, uid: &str, resynced: bool, now: Timestamp) {
        self.change(uid, |state| state.resync.advance(uid, self.resync, resynced, now));
    }

    /// A spec has changed, or somebody was removed: somebody who should not be there may come back for a while.
    pub fn begin_recheck(&self, uid: &str, now: Timestamp) {
        self.change(uid, |state| state.recheck.begin(now));
    }

    /// Whether the Room's call is looked into at every sweep.
    pub fn is_rechecked(&self, uid: &str, now: Timestamp) -> bool {
        holds_for_all(self.started, now) || self.rooms.lock().get(uid).is_some_and(|state| state.recheck.holds(now))
    }

    /// The time until the next reconciliation after one that went well.
    pub fn after_success(&self, uid: &str, now: Timestamp) -> Duration {
        let mut rooms = self.rooms.lock();
        let Some(state) = rooms.get_mut(uid) else { return self.resync };
        if let Some(recent) = &mut state.recent {
            recent.backoff.reset();
        }
        state.tidy();
        let wait = state.resync.remaining(self.resync, now);
        state.bounded(wait, now)
    }

    /// The time until the next reconciliation after one that failed.
    pub fn after_failure(&self, uid: &str, failure: &Failure, now: Timestamp) -> Duration {
        let mut rooms = self.rooms.lock();
        let Some(state) = rooms.get_mut(uid) else { return Backoff::default().next(failure) };
        let pause = state.recent().backoff.next(failure);
        state.bounded(pause, now)
    }

    /// The time until a Room is looked at again that stands in line now. Its next transition may make it more urgent: that of its last plan, or the
    /// `recorded` one while there is none.
    pub fn at_the_latest(&self, uid: &str, recorded: Option<Timestamp>, now: Timestamp) -> Duration {
        let planned = self.rooms.lock().get(uid).and_then(|state| state.next_transition);
        let until = planned.or(recorded).map(|at| until(at, now)).filter(|until| !until.is_zero());
        until.map_or(AT_THE_LATEST, |until| until.min(AT_THE_LATEST)).max(SHORTEST_WAIT)
    }

    /// The session that the Room's status names was closed, and everything else is left for later: the time until then.
    pub fn closed(&self, room: &Room, now: Timestamp) -> Duration {
        let session = recorded_session(room).unwrap_or_default().to_owned();
        let uid = room.metadata.uid.as_deref().unwrap_or_default();
        self.change(uid, |state| state.recent().closed = Some((session, now)));
        SHORTEST_WAIT
    }

    /// When the living session that the Room's status names was closed, if it was and no status tells of it yet.
    pub fn closed_at(&self, uid: &str, recorded: Option<&str>) -> Option<Timestamp> {
        let rooms = self.rooms.lock();
        let (session, at) = rooms.get(uid)?.recent.as_ref()?.closed.as_ref()?;
        (recorded == Some(session)).then_some(*at)
    }

    /// Invites were written, or not, and no status tells of it.
    pub fn not_recorded(&self, uid: &str, outcome: &Outcome) {
        let mut invited = outcome.invited().map(str::to_owned).peekable();
        if invited.peek().is_some() {
            self.change(uid, |state| state.recent().unrecorded.extend(invited));
        }
    }

    /// The status tells what came of this outcome.
    pub fn recorded(&self, room: &Room, outcome: &Outcome) {
        let ObjectMeta { uid, name, .. } = &room.metadata;
        let name = name.as_deref().unwrap_or_default();
        let is_settled = |identity: &String| outcome.has_settled(&invite_secret_name(name, identity));
        self.change(uid.as_deref().unwrap_or_default(), |state| {
            if let Some(recent) = &mut state.recent {
                recent.unrecorded.retain(|identity| !is_settled(identity));
            }
        });
    }

    /// People whose invites may be there although no status tells of them.
    pub fn unrecorded(&self, room: &Room) -> BTreeSet<String> {
        let rooms = self.rooms.lock();
        let state = rooms.get(room.metadata.uid.as_deref().unwrap_or_default());
        state.and_then(|state| state.recent.as_ref()).map(|recent| recent.unrecorded.clone()).unwrap_or_default()
    }

    /// Forgets a Room that is gone.
    pub fn forget(&self, uid: &str) {
        self.rooms.lock().remove(uid);
    }

    /// Changes what is known of a Room. A Room that is gone stays forgotten, also when its last reconciliation ends after that.
    fn change(&self, uid: &str, change: impl FnOnce(&mut RoomState)) {
        if let Some(state) = self.rooms.lock().get_mut(uid) {
            change(state);
        }
    }
}

impl RoomState {
    fn recent(&mut self) -> &mut RecentState {
        self.recent.get_or_insert_default()
    }

    /// Takes no memory for what is over.
    fn tidy(&mut self) {
        self.recent = self.recent.take().filter(|recent| !recent.is_empty());
    }

    /// No longer than until the next transition, so that an opening or an end comes in time whatever failed before it. One that
    /// came meanwhile is due now, and once: if that fails too, the pauses grow.
    fn bounded(&mut self, wait: Duration, now: Timestamp) -> Duration {
        let transition = self.next_transition.map(|at| until(at, now));
        self.next_transition = self.next_transition.filter(|at| *at > now);
        transition.map_or(wait, |transition| wait.min(transition)).max(SHORTEST_WAIT)
    }
}

impl RecentState {
    fn is_empty(&self) -> bool {
        let Self { written, backoff, closed, unrecorded } = self;
        written.is_empty() && backoff.is_reset() && closed.is_none() && unrecorded.is_empty()
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher;
    use rstest::rstest;

    use super::*;
    use crate::api::Reason;
    use crate::cluster::Cache;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn room(uid: &str, version: &str) -> Room {
        let mut room = Room::default();
        (room.metadata.name, room.metadata.uid) = (Some(uid.into()), Some(uid.into()));
        room.metadata.resource_version = Some(version.into());
        room
    }

    fn failure() -> Failure {
        Failure::rejected(Reason::Refused, "the API server refused a request with status 403 Forbidden")
    }

    fn newest(states: &RoomStates, room: Room) -> Arc<Room> {
        let uid = room.metadata.uid.as_deref().unwrap().into();
        states.newest(&uid, room.into())
    }

    /// Of a controller that has seen the Room `a`.
    fn states() -> RoomStates {
        let states = RoomStates::new(HOUR, Lists::default(), at(0));
        newest(&states, room("a", "1"));
        states
    }

    /// After so many failures that pauses are as long as they get.
    fn failing() -> RoomStates {
        let states = states();
        for _ in 0..10 {
            states.after_failure("a", &failure(), at(0));
        }
        states
    }

    #[rstest]
    #[case::an_opening_or_end_is_near(Some(at(107)), 7_000)]
    #[case::it_is_far_away(Some(at(400)), 60_000)]
    #[case::there_is_none(None, 60_000)]
    #[case::it_came_meanwhile(Some(at(99)), 5)]
    #[case::it_is_now(Some(at(100)), 5)]
    fn a_failure_never_makes_a_transition_later(#[case] next_transition: Option<Timestamp>, #[case] wait: u128) {
        let states = failing();
        states.planned("a", next_transition);
        assert_eq!(states.after_failure("a", &failure(), at(100)).as_millis(), wait);
    }

    #[rstest]
    #[case::an_opening_or_end_is_near(Some(at(107)), 7)]
    #[case::it_is_far_away(Some(at(400)), 60)]
    #[case::there_is_none(None, 60)]
    #[case::the_room_waits_for_it_already(Some(at(99)), 60)]
    fn a_room_that_stands_in_line_is_looked_at_at_its_next_transition(#[case] next_transition: Option<Timestamp>, #[case] wait: u64) {
        let states = states();
        assert_eq!(states.at_the_latest("a", next_transition, at(100)), Duration::from_secs(wait), "no plan was made yet");
        states.planned("a", next_transition);
        assert_eq!(states.at_the_latest("a", next_transition.and(Some(at(101))), at(100)), Duration::from_secs(wait));
    }

    #[test]
    fn a_plan_counts_until_the_next_one_however_many_reconciliations_fail_before_they_have_one() {
        let states = failing();
        states.planned("a", Some(at(130)));
        for (now, wait) in [(100, 30), (110, 20), (129, 1)] {
            assert_eq!(states.after_failure("a", &failure(), at(now)), Duration::from_secs(wait));
        }
        // It came: it is due at once, but not again and again.
        assert_eq!(states.after_failure("a", &failure(), at(130)), SHORTEST_WAIT);
        assert_eq!(states.after_failure("a", &failure(), at(130)), Duration::from_mins(1));
        states.planned("a", Some(at(140)));
        assert_eq!(states.after_failure("a", &failure(), at(131)), Duration::from_secs(9));
    }

    #[test]
    fn a_success_waits_for_the_next_transition_or_the_next_look_at_the_invites() {
        let states = failing();
        states.planned("a", Some(at(130)));
        states.executed("a", true, at(100));
        assert_eq!(states.after_success("a", at(100)), Duration::from_secs(30));
        states.planned("a", None);
        assert_eq!(states.after_success("a", at(100)), HOUR);
        assert_eq!(states.after_failure("a", &failure(), at(100)), Duration::from_millis(500), "pauses are short again");
    }

    #[test]
    fn each_room_has_its_own_memory_and_one_made_again_under_the_same_name_has_none() {
        let states = failing();
        newest(&states, room("b", "1"));
        assert_eq!(states.after_failure("b", &failure(), at(0)), Duration::from_millis(500));
        states.wrote(room("a", "10"));
        assert_eq!(newest(&states, room("b", "9")).metadata.uid.as_deref(), Some("b"));
        assert_eq!(newest(&states, room("a", "9")).metadata.resource_version.as_deref(), Some("10"));
    }

    #[test]
    fn what_was_written_is_held_until_the_watch_has_shown_it_and_no_longer() {
        let (rooms, mut writer) = RoomCache::new();
        let mut watched = |version| writer.apply(watcher::Event::Apply(room("a", version).into()));
        let states = states();
        let is_held = || states.rooms.lock()["a"].recent.is_some();
        watched("9");
        states.wrote(room("a", "10"));
        states.forget_shown(&rooms);
        assert!(is_held());
        watched("10");
        states.forget_shown(&rooms);
        assert!(!is_held() && states.written.lock().is_empty());
    }

    #[test]
    fn a_room_that_is_gone_is_forgotten_and_stays_so() {
        let states = failing();
        states.wrote(room("a", "10"));
        states.begin_recheck("a", at(10_000));
        assert!(states.is_rechecked("a", at(10_001)));
        states.forget("a");
        // What a reconciliation does that was under way.
        states.wrote(room("a", "11"));
        states.planned("a", Some(at(1)));
        states.executed("a", true, at(0));
        states.begin_recheck("a", at(10_000));
        assert_eq!(states.after_failure("a", &failure(), at(0)), Duration::from_millis(500));
        states.after_success("a", at(0));
        assert!(states.rooms.lock().is_empty());
        assert!(!states.is_rechecked("a", at(10_001)));
    }
}
