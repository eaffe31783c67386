//! When each Room is due again although nothing changes: its window begins or ends, a failure is tried again, or its invites are looked at.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use crate::cluster::NamespacedName;

/// Longest time until a Room is due: the timer knows no moment that is more than two years away.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// The next time of each Room.
#[derive(Default)]
pub struct Requeues(Mutex<Timers>);

#[derive(Default)]
struct Timers {
    queue: DelayQueue<NamespacedName>,
    keys: HashMap<NamespacedName, Key>,
}

impl Requeues {
    /// The Room is due after `wait`, whatever was said before.
    pub fn after(&self, room: &NamespacedName, wait: Duration) {
        let Timers { queue, keys } = &mut *self.0.lock();
        let wait = wait.min(LONGEST);
        match keys.get(room) {
            Some(key) => queue.reset(key, wait),
            None => drop(keys.insert(room.clone(), queue.insert(room.clone(), wait))),
        }
    }

    /// The Room is due after `wait`, if it is not before.
    pub fn at_the_latest(&self, room: &NamespacedName, wait: Duration) {
        let Timers { queue, keys } = &mut *self.0.lock();
        let latest = queue.insert(room.clone(), wait.min(LONGEST));
        match keys.get(room) {
            Some(known) if queue.deadline(known) <= queue.deadline(&latest) => drop(queue.remove(&latest)),
            _ => drop(keys.insert(room.clone(), latest).map(|later| queue.remove(&later))),
        }
    }

    /// The Room is gone.
    pub fn forget(&self, room: &NamespacedName) {
        let Timers { queue, keys } = &mut *self.0.lock();
        if let Some(key) = keys.remove(room) {
            queue.remove(&key);
        }
    }

    /// Waits for the next Room that is due.
    pub async fn next(&self) -> NamespacedName {
        poll_fn(|wakeup| {
            let Timers { queue, keys } = &mut *self.0.lock();
            // An empty queue wakes whoever has asked when something comes into it.
            let Poll::Ready(Some(due)) = queue.poll_expired(wakeup) else { return Poll::Pending };
            let room = due.into_inner();
            keys.remove(&room);
            Poll::Ready(room)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn room(name: &str) -> NamespacedName {
        NamespacedName::new("clinic", name)
    }

    /// Who is due in so many seconds from now on.
    async fn due_within(requeues: &Requeues, seconds: f64) -> Vec<String> {
        let mut due = Vec::new();
        let asked = async {
            loop {
                due.push(requeues.next().await.name().to_owned());
            }
        };
        assert!(timeout(Duration::from_secs_f64(seconds), asked).await.is_err());
        due
    }

    #[tokio::test(start_paused = true)]
    async fn each_room_is_due_once_and_at_the_time_that_was_said_last() {
        let requeues = Requeues::default();
        requeues.after(&room("a"), 60 * SECOND);
        requeues.after(&room("b"), 20 * SECOND);
        requeues.after(&room("a"), 10 * SECOND);
        requeues.after(&room("b"), 40 * SECOND);
        assert_eq!(due_within(&requeues, 9.9).await, [""; 0]);
        assert_eq!(due_within(&requeues, 0.2).await, ["a"]);
        assert_eq!(due_within(&requeues, 29.7).await, [""; 0]);
        assert_eq!(due_within(&requeues, 3_600.0).await, ["b"]);
        assert!(requeues.0.lock().keys.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_to_be_the_latest_makes_nothing_later() {
        let requeues = Requeues::default();
        requeues.after(&room("soon"), 10 * SECOND);
        requeues.after(&room("late"), 90 * SECOND);
        for name in ["soon", "late", "new"] {
            requeues.at_the_latest(&room(name), 60 * SECOND);
        }
        assert_eq!(due_within(&requeues, 10.1).await, ["soon"]);
        assert_eq!(due_within(&requeues, 49.8).await, [""; 0]);
        let mut due = due_within(&requeues, 0.2).await;
        due.sort();
        assert_eq!(due, ["late", "new"]);
        assert_eq!(due_within(&requeues, 3_600.0).await, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_that_is_gone_is_never_due_and_one_that_is_due_in_years_is_no_fault() {
        let requeues = Requeues::default();
        requeues.after(&room("gone"), SECOND);
        requeues.after(&room("far"), Duration::MAX);
        requeues.at_the_latest(&room("farther"), Duration::MAX);
        requeues.forget(&room("gone"));
        requeues.forget(&room("gone"));
        assert_eq!(due_within(&requeues, 3_600.0).await, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_room_is_woken_by_one_that_comes() {
        let requeues = Arc::new(Requeues::default());
        let waiting = tokio::spawn({
            let requeues = requeues.clone();
            async move { requeues.next().await }
        });
        tokio::task::yield_now().await;
        requeues.after(&room("a"), SECOND);
        assert_eq!(waiting.await.unwrap(), room("a"));
    }
}
