//! What a guest is told about itself.

use jiff::Timestamp;

use super::condition::{ConditionState, condition};
use super::rejection::Rejection;
use super::roster::Person;
use crate::api::{ConditionType, Phase, Reason, RoomGuest, RoomGuestStatus, RoomStatus};

/// The status of a guest: as a person of a Room with this status, or as one who is not let in.
#[must_use]
pub fn guest_status(guest: &RoomGuest, judged: Result<(&Person, &RoomStatus), &Rejection>, now: Timestamp) -> RoomGuestStatus {
    let before = guest.status.clone().unwrap_or_default();
    let (secret_name, verdict) = match judged {
        Err(rejection) => (None, (false, rejection.reason, rejection.message.clone())),
        Ok((person, room)) => invited(person, room),
    };
    let ready = condition(&before.conditions, ConditionType::Ready, verdict, guest.metadata.generation, now);
    RoomGuestStatus { secret_name, conditions: vec![ready] }
}

fn invited(person: &Person, room: &RoomStatus) -> (Option<String>, ConditionState) {
    if let Some(entry) = room.participants.iter().find(|entry| entry.name == person.name) {
        let secret = entry.secret_name.clone();
        return (Some(secret), (true, Reason::Issued, "The guest has an invite Secret".to_owned()));
    }
    let verdict = if room.phase == Phase::Expired {
        (false, Reason::Expired, "The Room is over, its invites are deleted".to_owned())
    } else if let Some(rejected) = room.condition(ConditionType::Accepted, false) {
        (false, Reason::NotAccepted, format!("The Room is not accepted: {}", rejected.message))
    } else {
        (false, Reason::Progressing, "The invite is not issued yet".to_owned())
    };
    (None, verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{LedgerEntry, Role};

    fn told(judged: Result<(&Person, &RoomStatus), &Rejection>) -> (Option<String>, String, String) {
        let status = guest_status(&RoomGuest::default(), judged, Timestamp::UNIX_EPOCH);
        (status.secret_name, status.conditions[0].status.clone(), status.conditions[0].reason.clone())
    }

    #[test]
    fn a_guest_is_told_whether_there_is_an_invite_and_else_why_not() {
        let person = Person { name: "guest-eve".into(), display_name: "Eve".into(), role: Role::Attendee, suspended: false, generation: 0 };
        let entry = LedgerEntry { name: "guest-eve".into(), secret_name: "standup-invite-guest-eve".into(), ..LedgerEntry::default() };
        let of = |phase, participants| RoomStatus { phase, participants, ..RoomStatus::default() };
        let issued = of(Phase::Open, vec![entry]);
        assert_eq!(told(Ok((&person, &issued))), (Some("standup-invite-guest-eve".into()), "True".into(), "Issued".into()));
        assert_eq!(told(Ok((&person, &of(Phase::Open, vec![])))), (None, "False".into(), "Progressing".into()));
        assert_eq!(told(Ok((&person, &of(Phase::Expired, vec![])))), (None, "False".into(), "Expired".into()));
        let rejection = Rejection { reason: Reason::RoomNotFound, message: String::new() };
        assert_eq!(told(Err(&rejection)), (None, "False".into(), "RoomNotFound".into()));
    }
}
