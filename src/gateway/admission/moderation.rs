//! What Presenters may do to a call and to the people in it.

use std::sync::Arc;

use super::authorize::{Authorization, authorize_invite};
use super::call_snapshot::{CallObserver, ObservedCall};
use super::denied::Denied;
use super::guest_arrivals::GuestArrivals;
use super::invite_keys::InviteKeys;
use super::kube_writer::KubeWriter;
use super::live_rooms::LiveRooms;
use crate::api::Reason;
use crate::domain::{Invite, Permissions, Person, Refusal};
use crate::gateway::wall_clock::WallClock;
use crate::observability::logs::AUDIT;

/// Does what Presenters ask for, and leaves an Event on the Room that says so.
pub struct ModerationService {
    pub(super) rooms: LiveRooms,
    pub(super) keys: InviteKeys,
    pub(super) calls: CallObserver,
    pub(super) writer: Arc<dyn KubeWriter>,
    clock: WallClock,
    pub(super) arrivals: GuestArrivals,
}

impl ModerationService {
    /// A service for these Rooms, that signs the invites of guests with `keys`.
    pub fn new(rooms: LiveRooms, keys: InviteKeys, calls: CallObserver, writer: Arc<dyn KubeWriter>, clock: WallClock) -> Self {
        Self { rooms, keys, calls, writer, clock, arrivals: GuestArrivals::default() }
    }

    /// Mutes a person in the call.
    pub async fn mute(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        if !self.moderator(invite)?.room.backend.capabilities().live_mute {
            return Err(Denied::Unsupported);
        }
        let (presenter, ObservedCall { backend, snapshot }) = self.moderate(invite, Some(identity)).await?;
        backend.mute(&snapshot.session, identity).await?;
        self.record(&presenter, Reason::ParticipantMuted, identity, |by| format!("{by} muted {identity}"));
        Ok(())
    }

    /// Ends the running call for all. The Room can be joined again until its window is over.
    pub async fn end(&self, invite: &Invite) -> Result<(), Denied> {
        let (presenter, ObservedCall { backend, snapshot }) = self.moderate(invite, None).await?;
        backend.close(&snapshot.session).await?;
        self.record(&presenter, Reason::CallEnded, "", |by| format!("{by} ended the call for all"));
        Ok(())
    }

    /// A Presenter who may act in the call now, and the call; `target` must be in it.
    async fn moderate(&self, invite: &Invite, target: Option<&str>) -> Result<(Authorization, ObservedCall), Denied> {
        let presenter = self.moderator(invite)?;
        let call = self.calls.observe(&presenter.room.class, &presenter.sessions).await?;
        // The Room may have changed or ended while the media server was asked, so that it is judged once more.
        let presenter = self.moderator(invite)?;
        if target.is_some_and(|identity| !call.snapshot.has(identity)) {
            return Err(Denied::NotInCall);
        }
        Ok((presenter, call))
    }

    /// A Presenter who may act in the call now.
    pub(super) fn moderator(&self, invite: &Invite) -> Result<Authorization, Denied> {
        let presenter = self.may_moderate(invite)?;
        presenter.check()?;
        Ok(presenter)
    }

    /// The holder of the invite, if the role allows to moderate.
    pub(super) fn may_moderate(&self, invite: &Invite) -> Result<Authorization, Denied> {
        self.presenter(invite, |permissions| permissions.moderate)
    }

    /// The holder of the invite, if the role allows what is wanted.
    pub(super) fn presenter(&self, invite: &Invite, may: impl Fn(Permissions) -> bool) -> Result<Authorization, Denied> {
        let authorization = authorize_invite(&self.rooms, invite, self.clock.now())?;
        if may(Permissions::of(authorization.person.role)) { Ok(authorization) } else { Err(Refusal::NotAllowed.into()) }
    }

    /// Leaves an Event on the Room and a line in the audit log. Nobody waits for the Event.
    pub(super) fn record(&self, presenter: &Authorization, reason: Reason, participant: &str, note: impl FnOnce(&str) -> String) {
        let (room, by) = (presenter.room.clone(), name(&presenter.person));
        tracing::info!(target: AUDIT, event = %reason, namespace = room.namespace, room = room.name, by, participant);
        let (writer, note) = (self.writer.clone(), note(by));
        tokio::spawn(async move { writer.publish_event(&room, reason, note).await });
    }
}

/// What somebody is called in Events.
fn name(person: &Person) -> &str {
    if person.is_link() { "somebody with the link" } else { &person.name }
}
