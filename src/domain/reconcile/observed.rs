//! What a reconciliation knows of a Room: everything that plan and status are made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::failure::Failure;
use super::super::rejection::Rejection;
use super::super::session::SessionMember;
use super::super::valid_room::ValidRoom;
use super::super::window::Window;
use crate::api::{LedgerEntry, Phase, Room, RoomGuest, RoomStatus, SessionStatus, has_finalizer};

/// A Room and its session, as observed at the beginning of a reconciliation.
///
/// The plan of a Room that is open, or will be, reads [`ValidRoom`] alone. Teardown, status and what is withdrawn read the object itself
/// too: a Room must come to its end, tell of it, and lose whom it takes off its list when its spec is not accepted any more, and invites
/// that a crash kept from the ledger can only be found by the list of the spec.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The newest known state of the object.
    pub room: Arc<Room>,
    pub guests: Vec<Arc<RoomGuest>>,
    /// Identities that are kept out.
    pub removed: BTreeSet<String>,
    /// The Room as judged by its class.
    pub valid: Result<ValidRoom, Rejection>,
    /// The session that the Room's status names.
    pub session: SessionView,
    /// Since when nobody has been seen in the session; `None` when somebody was there last.
    pub empty_since: Option<Timestamp>,
    /// When the living session that the status names was closed, by a reconciliation that left everything else for later.
    pub closed_at: Option<Timestamp>,
    /// People whose invites were made, or may have been, by a reconciliation whose status could not be written.
    pub unrecorded: BTreeSet<String>,
    /// People in the session, as of the last count.
    pub joined: i32,
    /// Digest of what all invite Secrets of the Room should share.
    pub invites_revision: String,
    /// Whether the invite Secrets are due to be checked although nothing has changed.
    pub recheck_invites: bool,
}

/// The session that a Room's status names, as the media server shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionView {
    /// There is no living one, or its people do not matter at this moment.
    NotAsked,
    /// The media server does not know it.
    Absent,
    /// It lives, with these people in it.
    Present(Vec<SessionMember>),
    /// The media server could not be asked.
    Unknown(Failure),
}

/// The session that has to be observed at `now`: the living one of a Room that is open, or was when its spec was accepted last. For all
/// other Rooms the media server is not asked.
#[must_use]
pub fn session_to_observe<'a>(room: &'a Room, valid: Result<&ValidRoom, &Rejection>, now: Timestamp) -> Option<&'a str> {
    let window = valid.map_or_else(|_| Window::in_force_unaccepted(room), |room| Some(room.window));
    let open = !room.spec.suspend && window.is_some_and(|window| window.contains(now));
    let session = room.status.as_ref()?.live_session()?;
    (open && room.metadata.deletion_timestamp.is_none()).then_some(session.id.as_str())
}

impl Observed {
    pub(super) fn status(&self) -> Option<&RoomStatus> {
        self.room.status.as_ref()
    }

    /// When the Room was first seen to be over, if it was when it was looked at last. What was seen before its end was another one: it
    /// got a later end since, and that has passed while nobody looked.
    pub(super) fn expired_at(&self, now: Timestamp) -> Option<Timestamp> {
        let status = self.status().filter(|status| status.phase == Phase::Expired)?;
        let seen = status.expired_at.as_ref()?.0;
        // One that is still to come was recorded by a clock that was ahead.
        self.window().is_none_or(|window| window.until <= seen).then_some(seen.min(now))
    }

    pub(super) fn live_session(&self) -> Option<&SessionStatus> {
        self.status()?.live_session()
    }

    pub(super) fn ledger(&self) -> &[LedgerEntry] {
        self.status().map_or(&[], |status| &status.participants)
    }

    /// People whose invites may be there although the ledger does not have them.
    pub(super) fn unrecorded(&self) -> impl Iterator<Item = &str> {
        let is_recorded = |name: &&String| self.ledger().iter().any(|entry| entry.name == **name);
        self.unrecorded.iter().filter(move |name| !is_recorded(name)).map(String::as_str)
    }

    pub(super) fn has_finalizer(&self) -> bool {
        has_finalizer(&self.room.metadata)
    }

    /// The epoch of the session that would be made next.
    pub(super) fn next_epoch(&self) -> i64 {
        let recorded = self.status().and_then(|status| status.session.as_ref());
        recorded.map_or(1, |session| session.epoch.saturating_add(1))
    }

    /// The window of the spec, or, while the spec is not accepted, what is in force of the last one.
    pub(super) fn window(&self) -> Option<Window> {
        match &self.valid {
            Ok(room) => Some(room.window),
            Err(_) => Window::in_force_unaccepted(&self.room),
        }
    }

    /// Whether the status names this session, living or ended.
    #[must_use]
    pub fn is_recorded(&self, session: &str) -> bool {
        self.status().and_then(|status| status.session.as_ref()).is_some_and(|recorded| recorded.id == session)
    }
}
