//! When the objects of a kind were listed: what was written before that is in the list, or was undone by a restore from a backup.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::watcher::Event;
use parking_lot::Mutex;

use crate::clock;

/// The lists of the watches of a kind.
// One moment for all of them: where they are several, one that lists anew has the others seem newer than they are, by the moment that a
// watch takes to show what was written.
#[derive(Clone, Default)]
pub struct Lists(Arc<Mutex<Duration>>);

impl Lists {
    /// Uptime at which the last list was asked for that is complete.
    #[must_use]
    pub fn asked_at(&self) -> Duration {
        *self.0.lock()
    }

    /// The same events; takes note of their lists.
    pub(super) fn of<K, E, S>(&self, events: S) -> impl Stream<Item = Result<Event<K>, E>> + use<K, E, S>
    where
        S: Stream<Item = Result<Event<K>, E>>,
    {
        let (lists, mut asked_at) = (self.clone(), Duration::ZERO);
        events.inspect(move |event| match event {
            // It comes before the list is asked for.
            Ok(Event::Init) => asked_at = clock::uptime(),
            Ok(Event::InitDone) => *lists.0.lock() = asked_at,
            _ => {}
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::FutureExt;
    use futures::channel::mpsc;

    use super::*;

    #[test]
    fn a_list_counts_from_when_it_was_asked_for_once_it_is_complete() {
        let lists = Lists::default();
        let (sender, receiver) = mpsc::unbounded();
        let mut events = Box::pin(lists.of(receiver));
        let mut send = |event: Event<()>| {
            sender.unbounded_send(Ok::<_, Infallible>(event)).unwrap();
            assert!(events.next().now_or_never().flatten().is_some());
        };
        send(Event::Init);
        let between = clock::uptime();
        send(Event::InitApply(()));
        assert_eq!(lists.asked_at(), Duration::ZERO);
        send(Event::InitDone);
        assert!(Duration::ZERO < lists.asked_at() && lists.asked_at() <= between);
    }
}
