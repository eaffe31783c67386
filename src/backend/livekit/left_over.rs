//! People whom a server of a LiveKit cluster has left in Redis when it died. LiveKit lists them for ever and cannot remove them; only the
//! number of people of a room is right again, once another server has taken the room over.

use std::collections::HashSet;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use livekit_api::services::room::{RoomClient, UpdateParticipantOptions};
use livekit_protocol::ParticipantInfo;
use livekit_protocol::participant_info::Kind;
use parking_lot::Mutex;

use super::failures;

/// Who came within this time may not be in the number yet.
const COUNTED_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// So many are remembered at most.
const MOST_REMEMBERED: usize = 10_000;

/// Those who did not answer, by the id that each stay in a call has.
#[derive(Default)]
pub(super) struct LeftOver(Mutex<HashSet<String>>);

impl LeftOver {
    /// Takes those who are not there off the list of a room that has `number` people. Where it cannot be told who they are, all stay.
    pub async fn take_off(
        &self,
        rooms: &RoomClient,
        session: &str,
        mut people: Vec<ParticipantInfo>,
        number: u32,
        now: Timestamp,
    ) -> Vec<ParticipantInfo> {
        let excess = excess(&people, number, now);
        if excess > self.known(&people) {
            let silent = join_all(people.iter().map(async |person| is_silent(rooms, session, person).await)).await;
            let silent: Vec<_> = people.iter().zip(silent).filter_map(|(person, silent)| silent.then_some(person)).collect();
            if silent.len() == excess {
                self.remember(silent.into_iter());
            }
        }
        if excess > 0 && excess == self.known(&people) {
            people.retain(|person| !self.has(person));
        }
        people
    }

    fn known(&self, people: &[ParticipantInfo]) -> usize {
        people.iter().filter(|person| self.has(person)).count()
    }

    fn has(&self, person: &ParticipantInfo) -> bool {
        self.0.lock().contains(&person.sid)
    }

    fn remember<'a>(&self, people: impl Iterator<Item = &'a ParticipantInfo>) {
        let mut known = self.0.lock();
        if known.len() > MOST_REMEMBERED {
            known.clear();
        }
        known.extend(people.map(|person| person.sid.clone()));
    }
}

/// Whether the server that has this person does not answer to a request that changes nothing.
async fn is_silent(rooms: &RoomClient, session: &str, person: &ParticipantInfo) -> bool {
    let answer = rooms.update_participant(session, &person.identity, UpdateParticipantOptions::default()).await;
    answer.is_err_and(|error| failures::is_unanswered(&error))
}

/// How many more are on the list than there are people.
fn excess(people: &[ParticipantInfo], number: u32, now: Timestamp) -> usize {
    // Agents and recorders are not in the number.
    let counts = |person: &&ParticipantInfo| !matches!(person.kind(), Kind::Agent | Kind::Egress);
    let is_counted = |person: &&ParticipantInfo| {
        let joined_at = Timestamp::from_second(person.joined_at).unwrap_or(now);
        now.duration_since(joined_at) > COUNTED_AFTER
    };
    people.iter().filter(counts).filter(is_counted).count().saturating_sub(usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_just_come_and_who_is_not_in_the_number_makes_no_excess() {
        let person = |kind: Kind, joined_at: i64| ParticipantInfo { kind: kind.into(), joined_at, ..ParticipantInfo::default() };
        let people = [person(Kind::Standard, 0), person(Kind::Standard, 5), person(Kind::Agent, 0), person(Kind::Standard, 95)];
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!([0, 1, 2, 3, 9].map(|number| excess(&people, number, now)), [2, 1, 0, 0, 0]);
    }
}
