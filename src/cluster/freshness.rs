//! How fresh the view of the Rooms is, proven by own writes: a watch shows things in the order in which they happened, so one that shows a
//! write has shown everything that happened before it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::changes::is_older;
use super::lists::Lists;
use super::namespaced_name::NamespacedName;
use super::room_cache::RoomCache;
use super::scope::Scope;
use crate::api::Room;

/// For how long after it was sent a write proves that what the watch shows is what is true now.
const RECENT: Duration = Duration::from_secs(1);
/// How old the last proof is when the next one is sent for, so that there is always a recent one while many need it.
const AGAIN_AFTER: Duration = Duration::from_millis(400);

/// The views of all watches of Rooms.
pub struct Freshness {
    scope: Scope,
    lists: Lists,
    views: Mutex<HashMap<String, View>>,
}

/// What one watch shows.
#[derive(Default)]
struct View {
    /// Own writes that it has not shown yet.
    sent: VecDeque<(Arc<Room>, Duration)>,
    /// Uptime at which the last one was sent that it has shown.
    proven: Duration,
    /// Whether somebody is about to write.
    is_asked_for: bool,
}

/// Whoever has it is about to write, and to prove by that how fresh the view is.
pub struct Proof<'a> {
    freshness: &'a Freshness,
    namespace: &'a str,
}

impl Freshness {
    /// Of the watches of Rooms in `scope`, whose lists these are.
    #[must_use]
    pub fn new(scope: Scope, lists: Lists) -> Self {
        Self { scope, lists, views: Mutex::default() }
    }

    /// Remembers the answer to an own write, and the uptime from before it was sent.
    pub fn wrote(&self, room: Arc<Room>, sent_at: Duration) {
        let namespace = room.metadata.namespace.clone().unwrap_or_default();
        self.look(&namespace, |view| {
            view.forget(sent_at);
            view.sent.push_back((room, sent_at));
        });
    }

    /// Whether what `rooms` has of a namespace was true a moment ago. A list may be older than what was shown before it.
    pub fn is_recent(&self, namespace: &str, rooms: &RoomCache, uptime: Duration) -> bool {
        let listed_at = self.lists.asked_at();
        self.look(namespace, |view| {
            view.forget(uptime);
            let is_shown = |room: &Room| rooms.get(&NamespacedName::of(room)).is_some_and(|shown| !is_older(shown.as_ref(), room));
            if let Some(last) = view.sent.iter().rposition(|(room, _)| is_shown(room)) {
                view.proven = view.sent.drain(..=last).map(|(_, sent_at)| sent_at).fold(view.proven, Duration::max);
            }
            view.proven > listed_at && uptime.saturating_sub(view.proven) <= RECENT
        })
    }

    /// For one that could write now, whether it should: a proof is needed, and nobody else is about to bring it.
    pub fn ask<'a>(&'a self, namespace: &'a str, uptime: Duration) -> Option<Proof<'a>> {
        let is_needed = self.look(namespace, |view| {
            let sent_at = view.sent.back().map_or(view.proven, |(_, sent_at)| view.proven.max(*sent_at));
            let is_needed = !view.is_asked_for && uptime.saturating_sub(sent_at) > AGAIN_AFTER;
            view.is_asked_for |= is_needed;
            is_needed
        });
        // Not made where it is not needed: its end lets the next one be asked.
        is_needed.then(|| Proof { freshness: self, namespace })
    }

    /// The view of the watch that shows this namespace.
    fn look<T>(&self, namespace: &str, look: impl FnOnce(&mut View) -> T) -> T {
        let part = match &self.scope {
            Scope::Everywhere => "",
            Scope::Namespaces(_) => namespace,
        };
        let mut views = self.views.lock();
        if let Some(view) = views.get_mut(part) {
            return look(view);
        }
        look(views.entry(part.to_owned()).or_default())
    }
}

impl View {
    /// Forgets writes that can prove nothing any more.
    fn forget(&mut self, uptime: Duration) {
        while self.sent.front().is_some_and(|(_, sent_at)| uptime.saturating_sub(*sent_at) > RECENT) {
            self.sent.pop_front();
        }
    }
}

impl Drop for Proof<'_> {
    fn drop(&mut self) {
        self.freshness.look(self.namespace, |view| view.is_asked_for = false);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{FutureExt, StreamExt, stream};
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::cluster::{Cache, RoomCacheWriter};

    const NAMESPACE: &str = "clinic";

    fn room(name: &str, version: &str) -> Room {
        let mut room = Room::new(name, crate::api::RoomSpec::default());
        room.metadata.namespace = Some(NAMESPACE.into());
        room.metadata.resource_version = Some(version.into());
        room
    }

    /// A watch that shows what it is told to.
    struct Watch {
        rooms: RoomCache,
        writer: RoomCacheWriter,
        freshness: Freshness,
    }

    impl Watch {
        fn new() -> Self {
            let (rooms, writer) = RoomCache::new();
            Self { rooms, writer, freshness: Freshness::new(Scope::Everywhere, Lists::default()) }
        }

        fn show(&mut self, room: &Room) {
            self.writer.apply(Event::Apply(room.clone().into()));
        }

        fn wrote(&self, room: Room, milliseconds: u64) {
            self.freshness.wrote(room.into(), at(milliseconds));
        }

        fn is_recent(&self, milliseconds: u64) -> bool {
            self.freshness.is_recent(NAMESPACE, &self.rooms, at(milliseconds))
        }
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_secs(100) + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_view_is_recent_for_a_second_after_a_write_was_sent_that_it_shows() {
        let mut watch = Watch::new();
        watch.show(&room("a", "9"));
        assert!(!watch.is_recent(0), "nothing was written");
        watch.wrote(room("a", "10"), 0);
        assert!(!watch.is_recent(10), "the watch shows what was before");
        watch.show(&room("a", "10"));
        assert!(watch.is_recent(20) && watch.is_recent(1_000));
        assert!(!watch.is_recent(1_001));
    }

    #[test]
    fn what_others_write_and_what_comes_late_proves_nothing() {
        let mut watch = Watch::new();
        watch.show(&room("b", "20"));
        assert!(!watch.is_recent(0));
        watch.wrote(room("a", "10"), 0);
        watch.show(&room("b", "21"));
        assert!(!watch.is_recent(10));
        watch.show(&room("a", "10"));
        assert!(!watch.is_recent(1_001), "the write was sent too long ago");
    }

    #[test]
    fn a_later_state_of_what_was_written_proves_as_much_and_an_earlier_write_is_shown_with_a_later_one() {
        let mut watch = Watch::new();
        watch.wrote(room("a", "10"), 0);
        watch.wrote(room("b", "11"), 500);
        watch.show(&room("b", "12"));
        assert!(watch.is_recent(1_400));
        assert!(watch.freshness.views.lock()[""].sent.is_empty());
    }

    #[test]
    fn a_list_that_was_asked_for_since_may_be_older_than_what_was_shown_before_it() {
        let mut watch = Watch::new();
        watch.freshness.wrote(room("a", "10").into(), crate::clock::uptime());
        watch.show(&room("a", "10"));
        assert!(watch.freshness.is_recent(NAMESPACE, &watch.rooms, crate::clock::uptime()));
        let events = stream::iter([Event::<Room>::Init, Event::InitDone].map(Ok::<_, Infallible>));
        watch.freshness.lists.of(events).for_each(|_| std::future::ready(())).now_or_never().unwrap();
        assert!(!watch.freshness.is_recent(NAMESPACE, &watch.rooms, crate::clock::uptime()));
    }

    #[test]
    fn one_at_a_time_is_asked_for_a_proof_and_the_next_when_that_gets_old() {
        let watch = Watch::new();
        let first = watch.freshness.ask(NAMESPACE, at(0));
        assert!(first.is_some());
        for _ in 0..3 {
            assert!(watch.freshness.ask(NAMESPACE, at(0)).is_none(), "one is about to write");
        }
        watch.wrote(room("a", "10"), 0);
        drop(first);
        assert!(watch.freshness.ask(NAMESPACE, at(400)).is_none(), "one was written a moment ago");
        assert!(watch.freshness.ask(NAMESPACE, at(401)).is_some());
        assert!(watch.freshness.ask(NAMESPACE, at(402)).is_some(), "who was asked has written nothing");
    }

    #[test]
    fn where_namespaces_are_watched_one_by_one_each_has_a_proof_of_its_own() {
        let scope = Scope::new(&[NAMESPACE.to_owned(), "bank".to_owned()]);
        let mut watch = Watch { freshness: Freshness::new(scope, Lists::default()), ..Watch::new() };
        watch.wrote(room("a", "10"), 0);
        watch.show(&room("a", "10"));
        assert!(watch.is_recent(10));
        assert!(!watch.freshness.is_recent("bank", &watch.rooms, at(10)));
    }
}
