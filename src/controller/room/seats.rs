//! How many Rooms are worked on at the same time. Each class has seats of its own, so that a media server that hangs holds up no other
//! class; and each priority has, so that no herd of Rooms that were all woken at once holds up an end or an edit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::domain::Priority;

/// Seats of each class for calls that have to be ended.
const ENDING: usize = 32;
/// Seats of each class for what somebody waits for.
const PROMPT: usize = 32;
/// Seats of each class for everything else.
const BACKGROUND: usize = 16;
/// How many Rooms may wait for each of those seats, so that the next one takes it at once. All others come again: kube's Controller asks each Room
/// that waits whenever one of them is done.
const WAITING: usize = 4;
/// How long a Room waits for a seat, during which its next change wakes nobody. Then it makes room for others and comes again. A call that has to
/// be ended waits for longer: it has nothing more urgent to do.
const PATIENCE: Duration = Duration::from_millis(250);
const PATIENCE_OF_ENDS: Duration = Duration::from_secs(10);
/// Calls that have to be ended are a herd when more than there are seats come within this time: they are woken one after the other.
const HERD_WITHIN: Duration = Duration::from_millis(250);
/// How long it takes to see whether a call that was ended is the first of a herd.
const HERD_SHOWS: Duration = Duration::from_millis(50);

/// The seats of all classes.
#[derive(Default)]
pub struct Seats(Mutex<HashMap<String, Arc<ClassSeats>>>);

struct ClassSeats {
    ending: Row,
    prompt: Row,
    background: Row,
    /// How many calls have to be ended, and are not yet.
    to_end: AtomicUsize,
    ends: Mutex<Ends>,
}

/// Seats for what is equally urgent.
struct Row {
    seats: Arc<Semaphore>,
    /// Who may wait for one.
    waiting: Semaphore,
}

/// Uptimes at which calls came that had to be ended: the last ones, one more than there are seats.
#[derive(Default)]
struct Ends(VecDeque<Duration>);

/// A seat, until it is dropped.
pub struct Seat {
    _permit: OwnedSemaphorePermit,
    turn: Turn,
}

/// Somebody who waits for a seat, or has it.
struct Turn {
    class: Arc<ClassSeats>,
    priority: Priority,
}

impl Seats {
    /// Takes a seat for a Room of a class. `None` when there is none in time, or many wait already.
    pub async fn take(&self, class: &str, priority: Priority) -> Option<Seat> {
        let turn = Turn::new(self.0.lock().entry(class.to_owned()).or_default().clone(), priority);
        let permit = match priority {
            Priority::Ending => turn.class.ending.take(PATIENCE_OF_ENDS).await,
            Priority::Prompt => turn.class.prompt.take(PATIENCE).await,
            // What can wait leaves the machine and the API server to the ends.
            Priority::Background if turn.class.is_crowded() => None,
            Priority::Background => turn.class.background.take(PATIENCE).await,
        };
        Some(Seat { _permit: permit?, turn })
    }

    /// Forgets a class that is gone. Whoever has a seat of it keeps it.
    pub fn forget(&self, class: &str) {
        self.0.lock().remove(class);
    }
}

impl Default for ClassSeats {
    fn default() -> Self {
        Self {
            ending: Row::of(ENDING),
            prompt: Row::of(PROMPT),
            background: Row::of(BACKGROUND),
            to_end: AtomicUsize::default(),
            ends: Mutex::default(),
        }
    }
}

impl ClassSeats {
    /// More calls have to be ended than there are seats for, or so many have come a moment ago.
    fn is_crowded(&self) -> bool {
        self.to_end.load(Ordering::Relaxed) > ENDING || self.ends.lock().are_a_herd(clock::uptime())
    }

    /// A call has to be ended.
    fn end_came(&self) {
        self.to_end.fetch_add(1, Ordering::Relaxed);
        self.ends.lock().came(clock::uptime());
    }
}

impl Row {
    fn of(number: usize) -> Self {
        Self { seats: Arc::new(Semaphore::new(number)), waiting: Semaphore::new(WAITING * number) }
    }

    async fn take(&self, patience: Duration) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.seats.clone().try_acquire_owned() {
            return Some(permit);
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        timeout(patience, self.seats.clone().acquire_owned()).await.ok()?.ok()
    }
}

impl Ends {
    fn came(&mut self, uptime: Duration) {
        if self.0.len() > ENDING {
            self.0.pop_front();
        }
        self.0.push_back(uptime);
    }

    fn are_a_herd(&self, uptime: Duration) -> bool {
        self.0.len() > ENDING && self.0.front().is_some_and(|first| uptime.saturating_sub(*first) <= HERD_WITHIN)
    }
}

impl Seat {
    /// Whether the call that was ended on this seat should leave the rest of its work for later, because others wait to be ended. The first of
    /// a herd take a moment to see that.
    pub async fn is_wanted(&self) -> bool {
        if self.turn.priority != Priority::Ending {
            return false;
        }
        if !self.turn.class.is_crowded() {
            sleep(HERD_SHOWS).await;
        }
        self.turn.class.is_crowded()
    }
}

impl Turn {
    fn new(class: Arc<ClassSeats>, priority: Priority) -> Self {
        if priority == Priority::Ending {
            class.end_came();
        }
        Self { class, priority }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.priority == Priority::Ending {
            self.class.to_end.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    async fn take(seats: &Seats, class: &str, priority: Priority, number: usize) -> Vec<Option<Seat>> {
        join_all((0..number).map(|_| seats.take(class, priority))).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_whose_seats_are_all_taken_holds_up_no_other_and_a_herd_no_end_and_no_edit() {
        let seats = Seats::default();
        let herd = take(&seats, "slow", Priority::Background, 1_000).await;
        assert_eq!(herd.iter().flatten().count(), BACKGROUND);
        for (class, priority) in [("slow", Priority::Prompt), ("slow", Priority::Ending), ("other", Priority::Background)] {
            assert!(seats.take(class, priority).await.is_some(), "{class} {priority:?}");
        }
        drop(herd);
        assert!(seats.take("slow", Priority::Background).await.is_some());
    }

    async fn all_are_wanted(seats: &[Option<Seat>]) -> bool {
        join_all(seats.iter().flatten().map(Seat::is_wanted)).await.into_iter().all(|wanted| wanted)
    }

    #[tokio::test(start_paused = true)]
    async fn while_more_calls_have_to_end_than_there_are_seats_everything_else_is_left_for_later() {
        let seats = Seats::default();
        let ends = take(&seats, "class", Priority::Ending, ENDING).await;
        assert!(!all_are_wanted(&ends).await);
        let (seat, (wanted, refused)) = futures::join!(seats.take("class", Priority::Ending), async {
            tokio::task::yield_now().await;
            (all_are_wanted(&ends).await, seats.take("class", Priority::Background).await.is_none())
        });
        assert!(seat.is_none() && wanted && refused);
        assert_eq!(
            ends.iter().flatten().next().map(|seat| seat.turn.class.to_end.load(Ordering::Relaxed)),
            Some(ENDING),
            "nobody waits any more"
        );
    }

    #[test]
    fn ends_are_a_herd_when_more_than_there_are_seats_come_within_a_moment_and_for_as_long() {
        let ends = |pause: u64| {
            let mut ends = Ends::default();
            (0..=ENDING as u64).for_each(|number| ends.came(Duration::from_millis(pause * number)));
            (ends, pause * ENDING as u64)
        };
        let (herd, last) = ends(1);
        assert!(herd.are_a_herd(Duration::from_millis(last)));
        assert!(!herd.are_a_herd(HERD_WITHIN + Duration::from_millis(1)), "it is over");
        let (few, last) = ends(10);
        assert!(!few.are_a_herd(Duration::from_millis(last)));
        let mut too_few = Ends::default();
        (0..ENDING).for_each(|_| too_few.came(Duration::ZERO));
        assert!(!too_few.are_a_herd(Duration::ZERO));
    }

    #[tokio::test]
    async fn the_first_of_a_herd_see_it_although_the_others_come_after_they_are_ended() {
        let seats = Seats::default();
        let first = seats.take("class", Priority::Ending).await.unwrap();
        let first = async {
            let is_wanted = first.is_wanted().await;
            drop(first);
            is_wanted
        };
        let (is_wanted, _others) = futures::join!(first, take(&seats, "class", Priority::Ending, ENDING));
        assert!(is_wanted);
        assert!(seats.take("class", Priority::Background).await.is_none(), "they came a moment ago");
    }
}
