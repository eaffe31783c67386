//! Places in calls, reserved by the gateway, because people who have a grant are not seen in the call yet.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::call_snapshot::{CallSnapshot, LONGEST_REQUEST, has_passed};
use super::denied::Denied;

/// How often the reservations of all sessions are gone through, so that those of calls that nobody joins any more are dropped.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How long a place waits for a visitor to connect: longer than it takes, and too short to keep a call full by asking alone.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// Who holds a grant that is still good, by session.
///
/// A place is reserved as long as the grant is good, even when its holder has been seen in the call: somebody who left could
/// come back with it. It is kept a little longer than that, for requests that saw the call while it was good.
///
/// Whoever has a shared link can ask for any number of grants, each for another visitor. So the place of a visitor who has not connected
/// yet is one on approval: nobody but other visitors respects it, and of one call there are few. When they connect it is theirs. Where
/// the gateway is not there when they do, the place has to be theirs at once, and beyond a number no more are given.
#[derive(Default)]
pub struct Reservations(Mutex<Reserved>);

/// Who asks for a place.
pub struct Claim<'a> {
    pub identity: &'a str,
    /// What holds for somebody who comes by a shared link; `None` for people who have an identity of their own.
    pub visit: Option<Visit<'a>>,
}

/// What holds for a visitor.
pub struct Visit<'a> {
    /// Whether the gateway judges them once more when they connect.
    pub is_judged_again: bool,
    /// Most visitors of a call who have a place and are not in it.
    pub most_waiting: usize,
    /// People whose places are kept for them.
    pub hosts: Vec<&'a str>,
}

#[derive(Default)]
struct Reserved {
    sessions: HashMap<String, HashMap<String, Place>>,
    swept_at: Option<Timestamp>,
    /// Counts the places that were given, to tell which is older.
    last: u64,
}

struct Place {
    /// When the grant of the person ends.
    ends: Timestamp,
    number: u64,
    is_visit: bool,
    /// Of a visitor who has not connected yet, and will be judged again then.
    on_approval: bool,
    /// Connections that the gateway passes on.
    connections: usize,
}

impl Reservations {
    /// How many people other than the claimant are in the call or may come with a grant.
    pub fn others(&self, claim: &Claim<'_>, snapshot: &CallSnapshot) -> usize {
        self.0.lock().others(claim, snapshot)
    }

    /// Reserves a place, if `admit` gives a grant when told the number of others. Nobody else reserves one in the meantime.
    /// `admit` returns the end of the grant besides what is handed on.
    pub fn reserve<T>(
        &self,
        claim: &Claim<'_>,
        snapshot: &CallSnapshot,
        now: Timestamp,
        admit: impl FnOnce(usize) -> Result<(Timestamp, T), Denied>,
    ) -> Result<T, Denied> {
        let mut reserved = self.0.lock();
        reserved.sweep(now);
        let on_approval = claim.visit.as_ref().is_some_and(|visit| visit.is_judged_again);
        if let Some(visit) = claim.visit.as_ref().filter(|visit| !visit.is_judged_again)
            && reserved.waiting(claim.identity, snapshot).count() >= visit.most_waiting
        {
            return Err(Denied::Crowded);
        }
        let (ends, admitted) = admit(reserved.others(claim, snapshot))?;
        let ends = if on_approval { ends.min(now.saturating_add(PATIENCE).unwrap_or(ends)) } else { ends };
        let place = reserved.place(claim, &snapshot.session, ends);
        place.on_approval = on_approval && place.connections == 0;
        if let Some(visit) = claim.visit.as_ref().filter(|visit| visit.is_judged_again) {
            reserved.drop_oldest(snapshot, visit.most_waiting);
        }
        Ok(admitted)
    }

    /// The same for somebody who connects. [`Self::disconnected`] tells of the end of it.
    pub fn connect<T>(
        &self,
        claim: &Claim<'_>,
        snapshot: &CallSnapshot,
        admit: impl FnOnce(usize) -> Result<(Timestamp, T), Denied>,
    ) -> Result<T, Denied> {
        let mut reserved = self.0.lock();
        let (ends, admitted) = admit(reserved.others(claim, snapshot))?;
        let place = reserved.place(claim, &snapshot.session, ends);
        place.on_approval = false;
        place.connections += 1;
        Ok(admitted)
    }

    /// A connection has ended at `now`. A visitor without one is judged anew before they come back, and has no place until then; who is
    /// still in the call is seen there.
    pub fn disconnected(&self, session: &str, identity: &str, now: Timestamp) {
        let mut reserved = self.0.lock();
        let Some(place) = reserved.sessions.get_mut(session).and_then(|places| places.get_mut(identity)) else { return };
        place.connections = place.connections.saturating_sub(1);
        if place.is_visit && place.connections == 0 {
            place.ends = place.ends.min(now);
        }
    }
}

impl Reserved {
    fn others(&self, claim: &Claim<'_>, snapshot: &CallSnapshot) -> usize {
        let members = snapshot.members.iter().map(|member| member.identity.as_str());
        // A visitor who has a place on approval was counted with those that there were.
        let respects = claim.visit.is_some() && !self.coming(snapshot).any(|(identity, _)| identity == claim.identity);
        let coming = self.coming(snapshot).filter(|(_, place)| respects || !place.on_approval).map(|(identity, _)| identity);
        let hosts = claim.visit.iter().flat_map(|visit| visit.hosts.iter().copied());
        members.chain(coming).chain(hosts).filter(|identity| *identity != claim.identity).collect::<HashSet<_>>().len()
    }

    /// Who may come. The holder of a grant that had ended when the media server was asked was seen, or does not come any more.
    fn coming(&self, snapshot: &CallSnapshot) -> impl Iterator<Item = (&str, &Place)> {
        let places = self.sessions.get(&snapshot.session).into_iter().flatten();
        places.filter(|(_, place)| place.ends > snapshot.asked_at).map(|(identity, place)| (identity.as_str(), place))
    }

    /// Visitors other than `identity` who have a place and are not in the call.
    fn waiting<'a>(&'a self, identity: &'a str, snapshot: &'a CallSnapshot) -> impl Iterator<Item = (&'a str, &'a Place)> {
        let visits = self.coming(snapshot).filter(|(_, place)| place.is_visit && place.connections == 0);
        visits.filter(move |(other, _)| *other != identity && !snapshot.has(other))
    }

    /// Gives a place until `ends`; somebody who has one keeps it.
    fn place(&mut self, claim: &Claim<'_>, session: &str, ends: Timestamp) -> &mut Place {
        self.last += 1;
        let number = self.last;
        let place = self.sessions.entry(session.to_owned()).or_default().entry(claim.identity.to_owned());
        let place = place.or_insert(Place { ends, number, is_visit: claim.visit.is_some(), on_approval: false, connections: 0 });
        place.ends = place.ends.max(ends);
        place.number = number;
        place
    }

    /// Drops the oldest of the places on approval that are more than `most`.
    fn drop_oldest(&mut self, snapshot: &CallSnapshot, most: usize) {
        let Some(places) = self.sessions.get_mut(&snapshot.session) else { return };
        let mut numbers: Vec<u64> = places.values().filter(|place| place.on_approval).map(|place| place.number).collect();
        numbers.sort_unstable();
        let Some(last_dropped) = numbers.len().checked_sub(most + 1).and_then(|position| numbers.get(position)) else { return };
        places.retain(|_, place| !place.on_approval || place.number > *last_dropped);
    }

    /// Drops what no request can ask for any more, at most once in [`SWEEP_EVERY`].
    fn sweep(&mut self, now: Timestamp) {
        let due = self.swept_at.is_none_or(|swept_at| now < swept_at || has_passed(SWEEP_EVERY, swept_at, now));
        if !due {
            return;
        }
        self.swept_at = Some(now);
        self.sessions.retain(|_, places| {
            places.retain(|_, place| place.connections > 0 || !has_passed(LONGEST_REQUEST, place.ends, now));
            !places.is_empty()
        });
        self.sessions.shrink_to(self.sessions.len() * 2);
    }
}

#[cfg(test)]
mod tests;
