//! How somebody stands with a Room: judged by the live Room at every use of an invite and at every connection.

use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use crate::api::{Room, RoomStatus};
use crate::backend::TokenSubject;
use crate::domain::{Invite, NamespaceView, Person, Refusal, Roster, TokenGrant, ValidRoom, accept, admit, guests_of, identify, recognize};
use crate::gateway::admission::join::{AdmissionService, Denied, unavailable};
use crate::gateway::admission::reservations::CallSnapshot;

/// How long somebody waits for the session of a call that has just opened.
const SESSION_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Somebody with a valid invite before the door, as things stand at `now`.
pub struct Authorization {
    /// Who they are; for the shared link, what stands for all who have it.
    pub person: Person,
    /// The Room.
    pub room: ValidRoom,
    deleted: bool,
    /// Names under which the Room's session may live.
    pub sessions: Vec<String>,
    /// The moment at which things stand so.
    pub now: Timestamp,
}

impl Authorization {
    /// The grant, with this many other people in the call or on their way.
    pub fn grant(&self, others: usize) -> Result<TokenGrant, Refusal> {
        if self.deleted { Err(Refusal::Over) } else { admit(&self.room, &self.person, others, self.now) }
    }

    /// The grant by what was seen in the session, if that still tells anything.
    pub fn grant_by(&self, sight: &CallSnapshot, others: usize) -> Result<TokenGrant, Denied> {
        self.grant(0)?;
        if !self.sessions.contains(&sight.session) {
            return Err(unavailable("the session was replaced in the meantime"));
        }
        if sight.is_stale(self.now) {
            return Err(unavailable("the media server took too long to answer"));
        }
        Ok(self.grant(others)?)
    }
}

impl AdmissionService {
    /// Judges the invite by the Room as it is now; while the call is open and has no session, waits a little for the one
    /// that the controller is making: at the moment when a Room opens, many people come.
    pub async fn settled(&self, invite: &Invite) -> Result<Authorization, Denied> {
        let waited = tokio::time::timeout(SESSION_PATIENCE, async {
            loop {
                let standing = self.stand(invite)?;
                if !standing.sessions.is_empty() || standing.grant(0).is_err() {
                    return Ok(standing);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        waited.await.unwrap_or_else(|_| self.stand(invite))
    }

    /// Judges the invite by the Room as it is now. An invite that is not valid is refused before anything else is looked at.
    pub fn stand(&self, invite: &Invite) -> Result<Authorization, Denied> {
        let room = self.rooms.get(&ObjectRef::new(&invite.room).within(&invite.namespace)).ok_or(Refusal::InvalidInvite)?;
        self.stand_in(&room, |roster| identify(&room, roster, invite))
    }

    /// UID of a Room.
    pub fn uid(&self, room: &ObjectRef<Room>) -> Option<String> {
        self.rooms.get(room)?.metadata.uid.clone()
    }

    /// Judges the holder of a media token by the Room whose session it is for, as it is now.
    pub fn stand_by(&self, holder: &TokenSubject) -> Result<Authorization, Denied> {
        let room = self.rooms.find(|room| self.is_session_of(room, &holder.session)).ok_or(Refusal::InvalidInvite)?;
        self.stand_in(&room, |roster| recognize(roster, &holder.identity, holder.generation))
    }

    /// The Room whose session this is, or may be, and the name of its class.
    pub fn room_of(&self, session: &str) -> Option<(ObjectRef<Room>, String)> {
        let room = self.rooms.find(|room| self.is_session_of(room, session))?;
        let class = self.accepted(&room, self.roster(&room)).ok()?.class;
        Some((ObjectRef::from_obj(room.as_ref()), class))
    }

    /// Who of the people in a Room's call may not stay there as things stand, and when the call ends for all of them.
    ///
    /// While the Room is not accepted nobody is put out: only the end of the window last in force comes all the same.
    pub fn judge(&self, room: &ObjectRef<Room>, holders: &[&TokenSubject]) -> (Vec<Option<Refusal>>, Option<Timestamp>) {
        let now = (self.clock)();
        let all = |refusal: Refusal| vec![Some(refusal); holders.len()];
        let Some(live) = self.rooms.get(room) else { return (all(Refusal::InvalidInvite), None) };
        if live.metadata.deletion_timestamp.is_some() {
            return (all(Refusal::Over), None);
        }
        let Ok(valid) = self.accepted(&live, self.roster(&live)) else {
            let until = live.status.as_ref().and_then(|status| status.valid_until.as_ref()).map(|until| until.0);
            return (if has_ended(&live, now) { all(Refusal::Over) } else { vec![None; holders.len()] }, until);
        };
        let judged = holders.iter().map(|holder| {
            if !self.is_session_of(&live, &holder.session) {
                return Some(Refusal::InvalidInvite);
            }
            let person = recognize(&valid.roster, &holder.identity, holder.generation);
            person.and_then(|person| admit(&valid, &person, 0, now)).err()
        });
        (judged.collect(), Some(valid.window.until))
    }

    fn stand_in(&self, room: &Room, who: impl FnOnce(&Roster) -> Result<Person, Refusal>) -> Result<Authorization, Denied> {
        let now = (self.clock)();
        let roster = self.roster(room);
        let person = who(&roster)?;
        let deleted = room.metadata.deletion_timestamp.is_some();
        let recorded = room.status.as_ref().and_then(RoomStatus::live_session);
        let uid = room.metadata.uid.as_deref().unwrap_or_default();
        let sessions = recorded.map(|recorded| self.installation.sessions(uid, recorded)).unwrap_or_default();
        match self.accepted(room, roster) {
            Ok(room) => Ok(Authorization { person, room, deleted, sessions, now }),
            // The end comes whatever the spec has become.
            Err(_) if deleted || has_ended(room, now) => Err(Refusal::Over.into()),
            Err(denial) => Err(denial),
        }
    }

    /// Whether a session is, or may be, that of a Room.
    fn is_session_of(&self, room: &Room, session: &str) -> bool {
        let recorded = room.status.as_ref().and_then(RoomStatus::live_session);
        recorded.is_some_and(|recorded| self.installation.is_session(room.metadata.uid.as_deref().unwrap_or_default(), recorded, session))
    }

    /// Everybody whom a Room may let in. Built once for each judgement, because it is made of all its people and guests.
    fn roster(&self, room: &Room) -> Roster {
        Roster::new(room, &guests_of(room, self.guests.state()))
    }

    /// The Room, while the controller and its class accept it.
    fn accepted(&self, room: &Room, roster: Roster) -> Result<ValidRoom, Denied> {
        let classes = self.classes.state();
        let accepted = accept(room, roster, classes.iter().map(AsRef::as_ref), NamespaceView::Recorded);
        accepted.map_err(|rejection| unavailable(rejection.to_string()))
    }
}

/// Whether the window that was last in force is over.
fn has_ended(room: &Room, now: Timestamp) -> bool {
    room.status.as_ref().and_then(|status| status.valid_until.as_ref()).is_some_and(|until| until.0 <= now)
}
