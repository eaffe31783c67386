//! How many Rooms are worked on at the same time. Each class has seats of its own, so that a media server that hangs holds up no other
//! class; and each priority has, so that no herd of Rooms that were all woken at once holds up an end or an edit.
//!
//! A Room that is due stands in line, and is called when there is a seat for it. None waits inside of its reconciliation: its next change has to
//! find it in the line, because it may have become more urgent. So however many are due, there is no task but for those that were called.

use std::collections::HashMap;
use std::iter;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::line::Line;
use crate::cluster::NamespacedName;
use crate::domain::Priority;

/// Seats of each class for calls that have to be ended.
const ENDING: usize = 32;
/// Seats of each class for what somebody waits for.
const PROMPT: usize = 32;
/// Seats of each class for everything else.
const BACKGROUND: usize = 16;

/// The seats of all classes.
pub struct Seats {
    classes: Mutex<HashMap<String, Arc<ClassSeats>>>,
    called: mpsc::UnboundedSender<NamespacedName>,
}

/// A seat, until it is dropped.
pub struct Seat {
    class: Arc<ClassSeats>,
    priority: Priority,
}

struct ClassSeats {
    lines: Mutex<Lines>,
    called: mpsc::UnboundedSender<NamespacedName>,
}

/// The lines of a class.
struct Lines {
    ending: Line,
    prompt: Line,
    background: Line,
}

impl Seats {
    /// All of them free. Rooms whose turn has come are sent to `called`.
    pub fn new(called: mpsc::UnboundedSender<NamespacedName>) -> Self {
        Self { classes: Mutex::default(), called }
    }

    /// A Room of a class is due: it stands in line, and is called when there is a seat for it.
    pub fn line_up(&self, room: &NamespacedName, class: &str, priority: Priority) {
        self.of(class).change(|lines| lines.line_up(room, priority));
    }

    /// Takes a seat for a Room of a class that was called. `None` when there is none after all: the Room stands in line again.
    pub fn take(&self, room: &NamespacedName, class: &str, priority: Priority) -> Option<Seat> {
        let class = self.of(class);
        let has_seat = class.change(|lines| lines.take(room, priority));
        has_seat.then(|| Seat { class, priority })
    }

    /// A Room that is gone stands in line no longer.
    pub fn leave(&self, room: &NamespacedName) {
        for class in self.all() {
            class.change(|lines| lines.all().for_each(|line| line.leave(room)));
        }
    }

    /// Gives the seats of those who were called and did not come to the next ones: a Room that became another installation's, for example.
    /// To be called again and again, with as much time between as a Room needs to come.
    pub fn call_again(&self) {
        for class in self.all() {
            class.change(|lines| lines.all().for_each(Line::forget_calls));
        }
    }

    /// Nobody stands in line any more, and whoever was called and has not come is called no longer.
    pub fn clear(&self) {
        for class in self.all() {
            class.change(|lines| lines.all().for_each(Line::clear));
        }
    }

    /// Forgets a class that is gone. Whoever has a seat of it keeps it; whoever waits for one is due now.
    pub fn forget(&self, class: &str) {
        let Some(class) = self.classes.lock().remove(class) else { return };
        for room in class.lines.lock().all().flat_map(Line::dissolve) {
            class.send(room);
        }
    }

    fn of(&self, class: &str) -> Arc<ClassSeats> {
        let mut classes = self.classes.lock();
        if let Some(seats) = classes.get(class) {
            return seats.clone();
        }
        classes.entry(class.to_owned()).or_insert_with(|| Arc::new(ClassSeats::new(self.called.clone()))).clone()
    }

    fn all(&self) -> Vec<Arc<ClassSeats>> {
        self.classes.lock().values().cloned().collect()
    }
}

impl Seat {
    /// Whether the call that was ended on this seat should leave the rest of its work for later, because others wait to be ended.
    pub fn is_wanted(&self) -> bool {
        self.priority == Priority::Ending && self.class.lines.lock().ending.is_waited_in()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.class.change(|lines| lines.of(self.priority).give_back());
    }
}

impl ClassSeats {
    fn new(called: mpsc::UnboundedSender<NamespacedName>) -> Self {
        let lines = Lines { ending: Line::of(ENDING), prompt: Line::of(PROMPT), background: Line::of(BACKGROUND) };
        Self { lines: Mutex::new(lines), called }
    }

    /// Changes the lines, and calls whoever has a seat by that.
    fn change<T>(&self, change: impl FnOnce(&mut Lines) -> T) -> T {
        let mut lines = self.lines.lock();
        let changed = change(&mut lines);
        iter::from_fn(|| lines.call()).for_each(|room| self.send(room));
        changed
    }

    fn send(&self, room: NamespacedName) {
        // The receiver lives as long as the controller; when it is gone there is nothing left to do.
        let _ = self.called.send(room);
    }
}

impl Lines {
    fn all(&mut self) -> impl Iterator<Item = &mut Line> {
        [&mut self.ending, &mut self.prompt, &mut self.background].into_iter()
    }

    fn of(&mut self, priority: Priority) -> &mut Line {
        match priority {
            Priority::Ending => &mut self.ending,
            Priority::Prompt => &mut self.prompt,
            Priority::Background => &mut self.background,
        }
    }

    /// A Room that is due stands in the line of its priority, and in no other one.
    fn line_up(&mut self, room: &NamespacedName, priority: Priority) {
        self.leave_others(room, priority);
        self.of(priority).line_up(room);
    }

    fn take(&mut self, room: &NamespacedName, priority: Priority) -> bool {
        self.leave_others(room, priority);
        if priority == Priority::Background && self.ending.is_waited_in() {
            self.background.wait(room);
            return false;
        }
        self.of(priority).take(room)
    }

    fn leave_others(&mut self, room: &NamespacedName, priority: Priority) {
        for other in [Priority::Ending, Priority::Prompt, Priority::Background] {
            if other != priority {
                self.of(other).leave(room);
            }
        }
    }

    fn call(&mut self) -> Option<NamespacedName> {
        self.ending.call().or_else(|| self.prompt.call()).or_else(|| {
            // What can wait leaves the machine and the API server to the ends.
            if self.ending.is_waited_in() { None } else { self.background.call() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats() -> (Seats, mpsc::UnboundedReceiver<NamespacedName>) {
        let (call, called) = mpsc::unbounded_channel();
        (Seats::new(call), called)
    }

    fn room(number: usize) -> NamespacedName {
        NamespacedName::new("namespace", &format!("room-{number}"))
    }

    fn take(seats: &Seats, class: &str, priority: Priority, rooms: impl IntoIterator<Item = usize>) -> Vec<Seat> {
        rooms.into_iter().filter_map(|number| seats.take(&room(number), class, priority)).collect()
    }

    fn called(receiver: &mut mpsc::UnboundedReceiver<NamespacedName>) -> Vec<String> {
        iter::from_fn(|| receiver.try_recv().ok()).map(|room| room.name().to_owned()).collect()
    }

    #[test]
    fn of_a_herd_that_is_due_as_many_are_called_as_there_are_seats_and_the_urgent_at_once() {
        let (seats, mut due) = seats();
        let line_up = |priority, number| seats.line_up(&room(number), "class", priority);
        (0..1_000).for_each(|number| line_up(Priority::Background, number));
        assert_eq!(called(&mut due).len(), BACKGROUND);
        line_up(Priority::Ending, 500);
        line_up(Priority::Prompt, 600);
        assert_eq!(called(&mut due), ["room-500", "room-600"]);
        drop(take(&seats, "class", Priority::Background, [0]));
        assert_eq!(called(&mut due), [format!("room-{BACKGROUND}")]);
        seats.clear();
        line_up(Priority::Background, 1_000);
        assert_eq!(called(&mut due), ["room-1000"], "nobody else waits any more");
    }

    #[test]
    fn a_class_whose_seats_are_all_taken_holds_up_no_other_and_a_herd_no_end_and_no_edit() {
        let (seats, mut due) = seats();
        let mut herd = take(&seats, "slow", Priority::Background, 0..1_000);
        assert_eq!(herd.len(), BACKGROUND);
        for (class, priority) in [("slow", Priority::Prompt), ("slow", Priority::Ending), ("other", Priority::Background)] {
            assert!(seats.take(&room(1_000), class, priority).is_some(), "{class} {priority:?}");
        }
        assert_eq!(called(&mut due), [""; 0]);
        herd.truncate(BACKGROUND - 2);
        assert_eq!(called(&mut due), ["room-16", "room-17"]);
        assert!(seats.take(&room(1_001), "slow", Priority::Background).is_none(), "it waits behind the others");
        assert!(seats.take(&room(17), "slow", Priority::Background).is_some());
    }

    #[test]
    fn while_more_calls_have_to_end_than_there_are_seats_everything_else_is_left_for_later() {
        let (seats, mut due) = seats();
        let mut ends = take(&seats, "class", Priority::Ending, 0..ENDING);
        assert!(!ends.iter().any(Seat::is_wanted));
        assert!(seats.take(&room(ENDING), "class", Priority::Ending).is_none());
        assert!(ends.iter().all(Seat::is_wanted));
        assert!(seats.take(&room(100), "class", Priority::Background).is_none());
        assert_eq!(called(&mut due), [""; 0]);
        ends.pop();
        assert_eq!(called(&mut due), [format!("room-{ENDING}"), "room-100".into()], "nobody waits to be ended any more");
        let prompt = seats.take(&room(101), "class", Priority::Prompt).expect("a seat");
        assert!(!prompt.is_wanted());
    }

    #[test]
    fn a_room_that_has_become_more_urgent_or_is_gone_stands_in_one_line_or_none() {
        let (seats, mut due) = seats();
        let herd = take(&seats, "class", Priority::Background, 0..BACKGROUND + 3);
        assert!(seats.take(&room(BACKGROUND), "class", Priority::Ending).is_some());
        seats.leave(&room(BACKGROUND + 1));
        drop(herd);
        assert_eq!(called(&mut due), [format!("room-{}", BACKGROUND + 2)]);
    }

    #[test]
    fn rooms_that_do_not_come_when_called_hold_up_nobody_for_long() {
        let (seats, mut due) = seats();
        drop(take(&seats, "class", Priority::Background, 0..3 * BACKGROUND));
        assert_eq!(called(&mut due).len(), BACKGROUND);
        seats.call_again();
        assert_eq!(called(&mut due).len(), BACKGROUND);
    }

    #[test]
    fn who_waits_for_a_seat_of_a_class_that_is_gone_is_due() {
        let (seats, mut due) = seats();
        let _herd = take(&seats, "class", Priority::Background, 0..=BACKGROUND);
        seats.forget("class");
        assert_eq!(called(&mut due), [format!("room-{BACKGROUND}")]);
    }
}
