//! Seats for what is equally urgent, and the Rooms that stand in line for one.

use std::collections::{HashSet, VecDeque};

use crate::cluster::NamespacedName;

/// So many seats, and who stands in line for one.
///
/// Who is called has a seat that nobody else takes, so that a Room that waits gets its turn before one that comes later.
pub struct Line {
    free: usize,
    /// Who waits, in turn, and who has left the line meanwhile.
    order: VecDeque<NamespacedName>,
    waiting: HashSet<NamespacedName>,
    /// Who was called and has not come yet: never more than there are free seats.
    called: HashSet<NamespacedName>,
}

impl Line {
    /// Without anybody in it.
    pub fn of(seats: usize) -> Self {
        Self { free: seats, order: VecDeque::new(), waiting: HashSet::new(), called: HashSet::new() }
    }

    /// Whether a Room gets a seat. One that gets none stands in line.
    pub fn take(&mut self, room: &NamespacedName) -> bool {
        let has_seat = self.called.remove(room) || self.free > self.called.len();
        if has_seat {
            self.waiting.remove(room);
            self.free -= 1;
        } else {
            self.wait(room);
        }
        has_seat
    }

    /// A Room is due: it stands in line, unless it was called and has not come yet. When it comes it sees why it is due now.
    pub fn line_up(&mut self, room: &NamespacedName) {
        if !self.called.contains(room) {
            self.wait(room);
        }
    }

    /// A Room stands in line, though a seat may be free, or it was called.
    pub fn wait(&mut self, room: &NamespacedName) {
        self.called.remove(room);
        if self.waiting.insert(room.clone()) {
            self.order.push_back(room.clone());
        }
    }

    /// A Room needs no seat here any more.
    pub fn leave(&mut self, room: &NamespacedName) {
        self.waiting.remove(room);
        self.called.remove(room);
    }

    /// Somebody gives a seat back.
    pub fn give_back(&mut self) {
        self.free += 1;
    }

    /// Calls the next Room, if there is one and a seat for it.
    pub fn call(&mut self) -> Option<NamespacedName> {
        while self.free > self.called.len() {
            let room = self.order.pop_front()?;
            if self.waiting.remove(&room) {
                self.called.insert(room.clone());
                return Some(room);
            }
        }
        None
    }

    /// Who was called and has not come yet has a seat no longer.
    pub fn forget_calls(&mut self) {
        self.called.clear();
    }

    /// Whether somebody waits.
    pub fn is_waited_in(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Everybody leaves, those who were called too.
    pub fn clear(&mut self) {
        self.order.clear();
        self.waiting.clear();
        self.called.clear();
    }

    /// Everybody who waits leaves.
    pub fn dissolve(&mut self) -> impl Iterator<Item = NamespacedName> {
        self.order.clear();
        self.waiting.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> NamespacedName {
        NamespacedName::new("namespace", name)
    }

    fn called(line: &mut Line) -> Vec<String> {
        std::iter::from_fn(|| line.call()).map(|room| room.name().to_owned()).collect()
    }

    /// One seat, which `first` has; the others wait for it.
    fn taken(others: &[&str]) -> Line {
        let mut line = Line::of(1);
        assert!(line.take(&room("first")));
        for other in others {
            assert!(!line.take(&room(other)));
        }
        assert_eq!(called(&mut line), [""; 0]);
        line
    }

    #[test]
    fn who_waits_is_called_in_turn_and_has_the_seat_before_one_that_comes_meanwhile() {
        let mut line = taken(&["second", "third", "second"]);
        line.give_back();
        assert_eq!(called(&mut line), ["second"]);
        assert!(!line.take(&room("fourth")));
        assert!(line.take(&room("second")));
        line.give_back();
        assert_eq!(called(&mut line), ["third"]);
        assert!(line.is_waited_in(), "the fourth waits");
    }

    #[test]
    fn who_has_left_is_not_called_and_holds_nobody_up() {
        let mut line = taken(&["second", "third"]);
        line.leave(&room("second"));
        line.give_back();
        assert_eq!(called(&mut line), ["third"]);
        line.leave(&room("third"));
        assert!(line.take(&room("fourth")));
    }

    #[test]
    fn who_does_not_come_when_called_loses_the_seat_to_the_next() {
        let mut line = taken(&["second", "third"]);
        line.give_back();
        assert_eq!(called(&mut line), ["second"]);
        line.forget_calls();
        assert_eq!(called(&mut line), ["third"]);
        assert!(!line.take(&room("second")), "it stands in line again");
        assert!(line.take(&room("third")));
        line.give_back();
        assert_eq!(called(&mut line), ["second"]);
    }

    #[test]
    fn who_was_called_and_has_not_come_yet_is_not_called_again_before_that() {
        let mut line = Line::of(2);
        line.line_up(&room("first"));
        assert_eq!(called(&mut line), ["first"]);
        line.line_up(&room("first"));
        assert_eq!(called(&mut line), [""; 0]);
        assert!(line.take(&room("first")));
        line.line_up(&room("first"));
        assert_eq!(called(&mut line), ["first"], "it is due once more");
    }

    #[test]
    fn who_waits_although_a_seat_is_free_is_called_like_everybody_and_nobody_twice() {
        let mut line = Line::of(2);
        line.wait(&room("first"));
        line.wait(&room("first"));
        assert_eq!(called(&mut line), ["first"]);
        assert!(line.take(&room("second")), "there is one for each");
        assert!(line.take(&room("first")));
        assert!(!line.is_waited_in());
    }
}
