//! Places in calls, held at the door, because people who have a ticket are not seen in the call yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::LONGEST_REQUEST;
use crate::domain::Seat;

/// How often the places of all sessions are gone through, so that those of calls that nobody joins any more are dropped.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// What was seen in a session.
pub struct Sight {
    /// Name of the session.
    pub session: String,
    /// The people in it.
    pub seats: Vec<Seat>,
    /// The moment the media server was asked: people who came since then may be missing.
    pub asked_at: Timestamp,
}

impl Sight {
    /// Whether places that matter for this sight may have been dropped since.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        ended(self.asked_at, LONGEST_REQUEST, now)
    }
}

/// Who holds a ticket that is still good, by session.
///
/// A place is held as long as the ticket is good, even when its holder has been seen in the call: who left again could come
/// back with it. It is kept a little longer than that, for requests that saw the call while it was good.
#[derive(Default)]
pub struct Places {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// When the ticket of a person ends, by session and identity.
    sessions: HashMap<String, HashMap<String, Timestamp>>,
    swept_at: Option<Timestamp>,
}

impl Places {
    /// How many people other than `visitor` are in the call or may come with a ticket.
    pub fn others(&self, visitor: &str, sight: &Sight) -> usize {
        self.held().others(visitor, sight)
    }

    /// Takes a place for `visitor`, if `admit` gives a ticket when told the number of others. Nobody else takes one in the
    /// meantime. `admit` returns the end of the ticket besides what is handed on.
    pub fn take<T, E>(
        &self,
        visitor: &str,
        sight: &Sight,
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
    fn others(&self, visitor: &str, sight: &Sight) -> usize {
        let seated = sight.seats.iter().map(|seat| seat.identity.as_str());
        // A ticket that had ended when the media server was asked: its holder was seen, or does not come any more.
        let tickets = self.sessions.get(&sight.session).into_iter().flatten();
        let coming = tickets.filter(|(_, ends)| **ends > sight.asked_at).map(|(identity, _)| identity.as_str());
        seated.chain(coming).filter(|identity| *identity != visitor).collect::<HashSet<_>>().len()
    }

    /// Drops what no request can ask for any more, at most once in [`SWEEP_EVERY`].
    fn sweep(&mut self, now: Timestamp) {
        let due = self.swept_at.is_none_or(|swept_at| now < swept_at || ended(swept_at, SWEEP_EVERY, now));
        if !due {
            return;
        }
        self.swept_at = Some(now);
        self.sessions.retain(|_, tickets| {
            tickets.retain(|_, ends| !ended(*ends, LONGEST_REQUEST, now));
            !tickets.is_empty()
        });
        self.sessions.shrink_to(self.sessions.len() * 2);
    }
}

/// Whether `length` has passed since `moment`.
fn ended(moment: Timestamp, length: Duration, now: Timestamp) -> bool {
    now.duration_since(moment) >= length.try_into().unwrap_or(jiff::SignedDuration::MAX)
}
