//! How many Rooms are worked on at the same time. Each class has seats of its own, so that a media server that hangs holds up no other
//! class; and each priority has, so that no herd of Rooms that were all woken at once holds up an end or an edit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::domain::Priority;

/// Seats of each class for calls that have to be ended.
const ENDING: usize = 32;
/// Seats of each class for what somebody waits for.
const PROMPT: usize = 32;
/// Seats of each class for everything else.
const BACKGROUND: usize = 16;
/// How long a Room waits for a seat, during which its next change wakes nobody. Then it makes room for others and comes again. A call that has to
/// be ended waits for longer: it has nothing more urgent to do.
const PATIENCE: Duration = Duration::from_millis(250);
const PATIENCE_OF_ENDS: Duration = Duration::from_secs(10);

/// The seats of all classes.
#[derive(Default)]
pub struct Seats(Mutex<HashMap<String, Arc<ClassSeats>>>);

struct ClassSeats {
    ending: Arc<Semaphore>,
    prompt: Arc<Semaphore>,
    background: Arc<Semaphore>,
    /// How many calls have to be ended, and are not yet.
    to_end: AtomicUsize,
}

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
    /// Takes a seat for a Room of a class. `None` when there is none in time.
    pub async fn take(&self, class: &str, priority: Priority) -> Option<Seat> {
        let turn = Turn::new(self.0.lock().entry(class.to_owned()).or_default().clone(), priority);
        let (seats, patience) = match priority {
            Priority::Ending => (&turn.class.ending, PATIENCE_OF_ENDS),
            Priority::Prompt => (&turn.class.prompt, PATIENCE),
            // What can wait leaves the machine and the API server to the ends.
            Priority::Background if turn.class.is_crowded() => return None,
            Priority::Background => (&turn.class.background, PATIENCE),
        };
        let permit = timeout(patience, seats.clone().acquire_owned()).await.ok()?.ok()?;
        Some(Seat { _permit: permit, turn })
    }

    /// Forgets a class that is gone. Whoever has a seat of it keeps it.
    pub fn forget(&self, class: &str) {
        self.0.lock().remove(class);
    }
}

impl Default for ClassSeats {
    fn default() -> Self {
        let seats = |number| Arc::new(Semaphore::new(number));
        Self { ending: seats(ENDING), prompt: seats(PROMPT), background: seats(BACKGROUND), to_end: AtomicUsize::default() }
    }
}

impl ClassSeats {
    /// More calls have to be ended than there are seats for.
    fn is_crowded(&self) -> bool {
        self.to_end.load(Ordering::Relaxed) > ENDING
    }
}

impl Seat {
    /// Whether the call that was ended on this seat should leave the rest of its work for later, because others wait to be ended.
    pub fn is_wanted(&self) -> bool {
        self.turn.priority == Priority::Ending && self.turn.class.is_crowded()
    }
}

impl Turn {
    fn new(class: Arc<ClassSeats>, priority: Priority) -> Self {
        if priority == Priority::Ending {
            class.to_end.fetch_add(1, Ordering::Relaxed);
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

    #[tokio::test(start_paused = true)]
    async fn while_more_calls_have_to_end_than_there_are_seats_everything_else_is_left_for_later() {
        let seats = Seats::default();
        let ends = take(&seats, "class", Priority::Ending, ENDING).await;
        assert!(ends.iter().flatten().all(|seat| !seat.is_wanted()));
        let one_more = async {
            let waiting = seats.take("class", Priority::Ending);
            let look = async {
                tokio::task::yield_now().await;
                (ends.iter().flatten().all(Seat::is_wanted), seats.take("class", Priority::Background).await.is_none())
            };
            futures::join!(waiting, look)
        };
        let (seat, (wanted, refused)) = one_more.await;
        assert!(seat.is_none() && wanted && refused);
        assert!(seats.take("class", Priority::Background).await.is_some(), "nobody waits any more");
    }
}
