//! The Rooms, guests, removals and classes as the API server has them: a view to read from, filled by the watches.

use std::sync::Arc;

use jiff::Timestamp;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};

use super::denied::Denied;
use super::invite_keys::InviteKeys;
use super::rosters::Rosters;
use crate::api::{Room, RoomClass, RoomGuest, RoomRemoval, RoomStatus};
use crate::cluster::{Guests, Removals, Rooms, WatchAges};
use crate::domain::{Installation, NamespaceView, Refusal, Roster, ValidRoom, accept};

/// The live Rooms, their guests and their classes.
#[derive(Clone)]
pub struct LiveRooms {
    rooms: Rooms,
    guests: Guests,
    removals: Removals,
    classes: Store<RoomClass>,
    installation: Installation,
    keys: InviteKeys,
    ages: WatchAges,
    rosters: Rosters,
}

impl LiveRooms {
    /// A view of these stores; `installation` is the one whose sessions the Rooms have, and `keys` sign its invites.
    pub fn new(
        rooms: Rooms,
        guests: Guests,
        removals: Removals,
        classes: Store<RoomClass>,
        installation: Installation,
        keys: InviteKeys,
        ages: WatchAges,
    ) -> Self {
        Self { rooms, guests, removals, classes, installation, keys, ages, rosters: Rosters::default() }
    }

    /// How old this view can be.
    pub fn ages(&self) -> &WatchAges {
        &self.ages
    }

    /// A verdict by this view. While it is not known what happens now, whoever is not known may have come this moment.
    pub fn judged<T>(&self, verdict: Result<T, Refusal>) -> Result<T, Denied> {
        match verdict {
            Err(Refusal::InvalidInvite) if !self.ages.are_connected() => {
                Err(Denied::unavailable("the person is not known, and a watch of the API server is interrupted"))
            }
            verdict => Ok(verdict?),
        }
    }

    /// Refuses while there are no keys: then nobody can be told from a stranger.
    pub fn need_keys(&self) -> Result<(), Denied> {
        self.keys.current().map(drop)
    }

    /// Whether the key of this fingerprint is in force, which signed an invite by which somebody comes or has come.
    pub fn hold_key(&self, signed_by: Option<&str>) -> bool {
        self.keys.hold(signed_by)
    }

    /// Waits until the stores hold what the API server has: before that, good invites would look like unknown ones.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.rooms.ready().await?;
        self.guests.ready().await?;
        self.removals.ready().await?;
        self.classes.wait_until_ready().await
    }

    pub fn get(&self, room: &ObjectRef<Room>) -> Option<Arc<Room>> {
        self.rooms.get(room)
    }

    /// The Room whose session this is, or may be.
    pub fn of_session(&self, session: &str) -> Option<Arc<Room>> {
        if self.installation.check(session).is_some() {
            return None;
        }
        let named = self.installation.room_and_epoch(session).and_then(|(uid, _)| self.rooms.by_uid(uid));
        // One that another installation has made does not say its Room.
        named.filter(|room| self.has_session(room, session)).or_else(|| self.rooms.find(|room| self.has_session(room, session)))
    }

    /// The session in which people of a Room check their connection at `now`, and its end.
    pub fn check_session(&self, room_uid: &str, now: Timestamp) -> (String, Timestamp) {
        self.installation.check_session(room_uid, now)
    }

    /// The class whose media server has a session in which people check their connection, if its Room is there, and when it ends; none for
    /// every other session.
    pub fn check(&self, session: &str) -> Option<(Option<String>, Timestamp)> {
        let (of_room, ends_at) = self.installation.check(session)?;
        let room = self.rooms.by_uid(of_room).or_else(|| self.rooms.find(|room| uid(room) == of_room));
        Some((room.and_then(|room| room.class_name().map(str::to_owned)), ends_at))
    }

    /// Whether a session is, or may be, that of a Room.
    pub fn has_session(&self, room: &Room, session: &str) -> bool {
        let recorded = room.status.as_ref().and_then(RoomStatus::live_session);
        recorded.is_some_and(|recorded| self.installation.is_session(uid(room), recorded, session))
    }

    /// The names under which a Room's session may live.
    pub fn sessions(&self, room: &Room) -> Vec<String> {
        let recorded = room.status.as_ref().and_then(RoomStatus::live_session);
        recorded.map(|recorded| self.installation.sessions(uid(room), recorded)).unwrap_or_default()
    }

    pub fn guests_of(&self, room: &Room) -> Vec<Arc<RoomGuest>> {
        self.guests.of(room)
    }

    /// A guest, once the watch has shown it.
    pub fn guest(&self, guest: &ObjectRef<RoomGuest>) -> Option<Arc<RoomGuest>> {
        self.guests.get(guest)
    }

    /// Everybody whom a Room may let in.
    pub fn roster(&self, room: &Arc<Room>) -> Arc<Roster> {
        self.rosters.of(room, self.guests_of(room), self.removals.of(room))
    }

    /// The removals of a Room, in the order in which they came.
    pub fn removals_of(&self, room: &ObjectRef<Room>) -> Vec<Arc<RoomRemoval>> {
        self.get(room).map(|room| self.removals.of(&room)).unwrap_or_default()
    }

    /// Whether somebody is kept out of a Room.
    pub fn has_removed(&self, room: &ObjectRef<Room>, identity: &str) -> bool {
        self.removals_of(room).iter().any(|removal| removal.spec.identity == identity)
    }

    /// The Room with this roster, while the controller and its class accept it.
    pub fn accept(&self, room: &Room, roster: Arc<Roster>) -> Result<ValidRoom, Denied> {
        let classes = self.classes();
        let accepted = accept(room, roster, classes.iter().map(AsRef::as_ref), NamespaceView::Recorded);
        accepted.map_err(|rejection| Denied::unavailable(rejection.to_string()))
    }

    pub fn classes(&self) -> Vec<Arc<RoomClass>> {
        self.classes.state()
    }
}

fn uid(room: &Room) -> &str {
    room.metadata.uid.as_deref().unwrap_or_default()
}
