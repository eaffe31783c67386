//! Checks of connections before a call: a session in which there is nothing to hear and to see, and a media token for it.

use super::authorize::authorize_invite;
use super::call_snapshot::CallObserver;
use super::denied::Denied;
use super::live_rooms::LiveRooms;
use super::random_name::random_name;
use crate::api::Role;
use crate::backend::MediaCredentials;
use crate::domain::{Invite, Refusal, TokenGrant, Window};
use crate::gateway::wall_clock::WallClock;

/// Lets people check their connection.
pub struct ConnectionChecks {
    rooms: LiveRooms,
    calls: CallObserver,
    clock: WallClock,
}

impl ConnectionChecks {
    /// Checks of these Rooms' media servers.
    pub fn new(rooms: LiveRooms, calls: CallObserver, clock: WallClock) -> Self {
        Self { rooms, calls, clock }
    }

    /// Gives the holder of the invite what to connect with, before the call opens and while it is full, too. It takes no place in the call
    /// and says nothing of who they are.
    pub async fn check(&self, invite: &Invite) -> Result<MediaCredentials, Denied> {
        let authorization = authorize_invite(&self.rooms, invite, self.clock.now())?;
        match authorization.check() {
            Ok(()) | Err(Refusal::TooEarly { .. } | Refusal::Full) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        if !authorization.room.backend.capabilities().connection_check {
            return Err(Denied::Unsupported);
        }
        let backend = self.calls.backend(&authorization.room.class)?;
        let (session, ends_at) = self.rooms.check_session(&authorization.room.uid, authorization.now);
        backend.ensure(&session, Window { from: authorization.now, until: ends_at }.into()).await?;
        let grant = TokenGrant {
            // Whoever has the page open twice, or shares a link, is somebody else each time.
            identity: random_name()?,
            display_name: String::new(),
            role: Role::Consumer,
            generation: 0,
            signed_by: None,
            not_before: authorization.now,
            expires_at: ends_at,
        };
        Ok(backend.mint_token(&session, &grant).await?)
    }
}
