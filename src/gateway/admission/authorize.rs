//! Judges an invite or a media token by the live Room, as it is at one moment.

use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::call_snapshot::CallSnapshot;
use super::denied::Denied;
use super::live_rooms::LiveRooms;
use crate::api::Room;
use crate::backend::TokenSubject;
use crate::domain::{Invite, Person, Refusal, Roster, TokenGrant, ValidRoom, admit, has_ended, identify, recognize};

/// Somebody who belongs to a Room, at the moment `now`. Whether they come in is said by the grant.
pub struct Authorization {
    pub person: Person,
    pub room: ValidRoom,
    /// Names under which the Room's session may live.
    pub sessions: Vec<String>,
    /// Fingerprint of the key that signed the invite they come by.
    signed_by: Option<String>,
    /// The moment that this was judged at.
    pub now: Timestamp,
    deleted: bool,
}

impl Authorization {
    /// The Room, to ask for it anew.
    pub fn room_ref(&self) -> ObjectRef<Room> {
        ObjectRef::new(&self.room.name).within(&self.room.namespace)
    }

    /// Whether the Room lets this person in, were nobody else there.
    pub fn check(&self) -> Result<(), Refusal> {
        self.grant(0).map(drop)
    }

    /// The grant, by what was seen of the call if that is not out of date, with this many other people there or on their way.
    pub fn grant_in(&self, snapshot: &CallSnapshot, others: usize) -> Result<TokenGrant, Denied> {
        self.check()?;
        if !self.sessions.contains(&snapshot.session) {
            return Err(Denied::unavailable("the session was replaced in the meantime"));
        }
        if snapshot.is_stale(self.now) {
            return Err(Denied::unavailable("the media server took too long to answer"));
        }
        Ok(self.grant(others)?)
    }

    fn grant(&self, others: usize) -> Result<TokenGrant, Refusal> {
        if self.deleted {
            return Err(Refusal::Over);
        }
        let grant = admit(&self.room, &self.person, others, self.now)?;
        Ok(TokenGrant { signed_by: self.signed_by.clone(), ..grant })
    }
}

/// Who holds an invite that one of our keys signed, if it is still good: whatever else the Room says now.
pub fn holder(rooms: &LiveRooms, invite: &Invite) -> Result<Person, Denied> {
    Ok(identified(rooms, invite)?.2)
}

/// The Room of an invite, its roster, and whom of it the invite is for.
fn identified(rooms: &LiveRooms, invite: &Invite) -> Result<(Arc<Room>, Arc<Roster>, Person), Denied> {
    rooms.need_keys()?;
    let room = rooms.judged(rooms.get(&ObjectRef::new(&invite.room).within(&invite.namespace)).ok_or(Refusal::InvalidInvite))?;
    let roster = rooms.roster(&room);
    // The key may have been removed since the invite was verified.
    if !rooms.hold_key(invite.signed_by.as_deref()) {
        return Err(Refusal::InvalidInvite.into());
    }
    let person = rooms.judged(identify(&room, &roster, invite))?;
    Ok((room, roster, person))
}

/// Judges the holder of an invite that one of our keys signed. An invite that is not valid is refused before anything else
/// is looked at.
pub fn authorize_invite(rooms: &LiveRooms, invite: &Invite, now: Timestamp) -> Result<Authorization, Denied> {
    let (room, roster, person) = identified(rooms, invite)?;
    authorize(rooms, &room, roster, person, invite.signed_by.clone(), now)
}

/// Judges the holder of a media token by the Room whose session it is for.
pub fn authorize_token(rooms: &LiveRooms, subject: &TokenSubject, now: Timestamp) -> Result<Authorization, Denied> {
    rooms.need_keys()?;
    let room = rooms.judged(rooms.of_session(&subject.session).ok_or(Refusal::InvalidInvite))?;
    let roster = rooms.roster(&room);
    let person = rooms.judged(recognized(rooms, &roster, subject))?;
    authorize(rooms, &room, roster, person, subject.signed_by.clone(), now)
}

/// Who somebody in a call is, or somebody who comes back to it, if the key that signed their invite is in force.
pub fn recognized(rooms: &LiveRooms, roster: &Roster, subject: &TokenSubject) -> Result<Person, Refusal> {
    recognize(roster, &subject.member())
        .and_then(|person| if rooms.hold_key(subject.signed_by.as_deref()) { Ok(person) } else { Err(Refusal::InvalidInvite) })
}

fn authorize(
    rooms: &LiveRooms,
    room: &Room,
    roster: Arc<Roster>,
    person: Person,
    signed_by: Option<String>,
    now: Timestamp,
) -> Result<Authorization, Denied> {
    let deleted = room.metadata.deletion_timestamp.is_some();
    match rooms.accept(room, roster) {
        Ok(valid) => Ok(Authorization { person, room: valid, sessions: rooms.sessions(room), signed_by, now, deleted }),
        // The end comes whatever the spec has become.
        Err(_) if deleted || has_ended(room, now) => Err(Refusal::Over.into()),
        Err(denied) => Err(denied),
    }
}
