//! What Presenters may do to a call and to the people in it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use tokio::time::{sleep, timeout};

use super::authorize::{Authorization, authorize_invite};
use super::call_snapshot::{ObservedCall, observe_call};
use super::denied::Denied;
use super::display_name::display_name;
use super::invite_keys::InviteKeys;
use super::kube_writer::KubeWriter;
use super::live_rooms::LiveRooms;
use super::random_name::random_name;
use crate::api::{LINK_SUBJECT, MAX_PARTICIPANTS, Reason, Role, Room, RoomGuest, RoomGuestSpec};
use crate::backend::Registry;
use crate::domain::{Invite, Permissions, Person, Refusal, ValidRoom, guest_generation, guest_identity, is_above, is_visitor};
use crate::gateway::wall_clock::WallClock;
use crate::observability::logs::AUDIT;

/// How often a guest who was just added is looked for in the watch.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a guest is looked for. Before the watch has shown a guest the invite is refused, so the link is better late.
const LOOK_FOR: Duration = Duration::from_secs(3);

/// Somebody whom a Presenter has added.
pub struct AddedGuest {
    /// Identity in the call.
    pub identity: String,
    /// The name that others see.
    pub display_name: String,
    pub role: Role,
    /// Their invite: a secret.
    pub invite: String,
}

/// Does what Presenters ask for, and leaves an Event on the Room that says so.
pub struct ModerationService {
    rooms: LiveRooms,
    keys: InviteKeys,
    backends: Arc<Registry>,
    writer: Arc<dyn KubeWriter>,
    clock: WallClock,
}

impl ModerationService {
    /// A service for these Rooms, that signs the invites of guests with `keys`.
    pub fn new(rooms: LiveRooms, keys: InviteKeys, backends: Arc<Registry>, writer: Arc<dyn KubeWriter>, clock: WallClock) -> Self {
        Self { rooms, keys, backends, writer, clock }
    }

    /// Mutes a person in the call.
    pub async fn mute(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let (presenter, ObservedCall { backend, snapshot }) = self.moderate(invite, Some(identity)).await?;
        backend.mute(&snapshot.session, identity).await?;
        self.record(&presenter, Reason::ParticipantMuted, identity, |by| format!("{by} muted {identity}"));
        Ok(())
    }

    /// Puts a person out of the call. Their invite stays good, but for that of a visitor, who can come again as somebody new.
    pub async fn remove(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let (presenter, ObservedCall { backend, snapshot }) = self.moderate(invite, Some(identity)).await?;
        if is_visitor(identity) {
            // First, so that there is no moment in which they could come back.
            self.rooms.remove_visitor(&ObjectRef::new(&presenter.room.name).within(&presenter.room.namespace), identity);
        }
        backend.remove(&snapshot.session, identity).await?;
        self.record(&presenter, Reason::ParticipantRemoved, identity, |by| format!("{by} removed {identity}"));
        Ok(())
    }

    /// Ends the running call for all. The Room can be joined again until its window is over.
    pub async fn end(&self, invite: &Invite) -> Result<(), Denied> {
        let (presenter, ObservedCall { backend, snapshot }) = self.moderate(invite, None).await?;
        backend.close(&snapshot.session).await?;
        self.record(&presenter, Reason::CallEnded, "", |by| format!("{by} ended the call for all"));
        Ok(())
    }

    /// Adds a person to the Room, who can join as soon as this returns.
    pub async fn add_guest(&self, invite: &Invite, chosen_name: Option<&str>, role: Role) -> Result<AddedGuest, Denied> {
        let presenter = self.may_add_people(invite)?;
        match presenter.check() {
            Ok(()) | Err(Refusal::TooEarly { .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        if is_above(role, presenter.person.role) {
            return Err(Refusal::NotAllowed.into());
        }
        let display_name = display_name(chosen_name)?;
        self.check_guest_limit(&presenter)?;
        let guest = new_guest(&presenter, random_name()?, display_name.clone(), role);
        let reference = ObjectRef::from_obj(&guest);
        let identity = guest_identity(&reference.name);
        let created = self.writer.create_guest(guest).await.map_err(Denied::unavailable)?;
        self.record(&presenter, Reason::GuestAdded, &identity, |by| format!("{by} added {identity} as {role:?}"));
        self.await_guest(&reference, &presenter.room).await;
        let invite = Invite { participant: identity.clone(), generation: guest_generation(&created), ..invite.clone() };
        Ok(AddedGuest { identity, display_name, role, invite: self.keys.sign(&invite)? })
    }

    /// The holder of the invite, if the role allows to add people.
    pub fn may_add_people(&self, invite: &Invite) -> Result<Authorization, Denied> {
        self.presenter(invite, |permissions| permissions.add_people)
    }

    /// A Presenter who may act in the call now, and the call; `target` must be in it.
    async fn moderate(&self, invite: &Invite, target: Option<&str>) -> Result<(Authorization, ObservedCall), Denied> {
        let presenter = self.presenter(invite, |permissions| permissions.moderate)?;
        presenter.check()?;
        let call = observe_call(&self.backends, &presenter.room.class, &presenter.sessions, &self.clock).await?;
        // The Room may have changed or ended while the media server was asked, so that it is judged once more.
        let presenter = self.presenter(invite, |permissions| permissions.moderate)?;
        presenter.check()?;
        if target.is_some_and(|identity| !call.snapshot.has(identity)) {
            return Err(Denied::NotInCall);
        }
        Ok((presenter, call))
    }

    /// The holder of the invite, if the role allows what is wanted.
    fn presenter(&self, invite: &Invite, may: impl Fn(Permissions) -> bool) -> Result<Authorization, Denied> {
        let authorization = authorize_invite(&self.rooms, invite, self.clock.now())?;
        if may(Permissions::of(authorization.person.role)) { Ok(authorization) } else { Err(Refusal::NotAllowed.into()) }
    }

    fn check_guest_limit(&self, presenter: &Authorization) -> Result<(), Denied> {
        let room = &presenter.room;
        let live = self.rooms.get(&ObjectRef::new(&room.name).within(&room.namespace)).ok_or(Refusal::InvalidInvite)?;
        let limit = usize::try_from(MAX_PARTICIPANTS).unwrap_or_default();
        if self.rooms.guests_of(&live).len() >= limit { Err(Denied::TooManyGuests { limit }) } else { Ok(()) }
    }

    /// Waits until the watch has shown a guest, but not for ever.
    async fn await_guest(&self, guest: &ObjectRef<RoomGuest>, room: &ValidRoom) {
        let shown = timeout(LOOK_FOR, async {
            while !self.rooms.has_guest(guest) {
                sleep(LOOK_EVERY).await;
            }
        });
        if shown.await.is_err() {
            tracing::warn!(namespace = room.namespace, room = room.name, "a guest who was added is not seen yet");
        }
    }

    /// Leaves an Event on the Room and a line in the audit log. Nobody waits for the Event.
    fn record(&self, presenter: &Authorization, reason: Reason, participant: &str, note: impl FnOnce(&str) -> String) {
        let (room, by) = (presenter.room.clone(), name(&presenter.person));
        tracing::info!(target: AUDIT, event = %reason, namespace = room.namespace, room = room.name, by, participant);
        let (writer, note) = (self.writer.clone(), note(by));
        tokio::spawn(async move { writer.publish_event(&room, reason, note).await });
    }
}

/// The object of a new guest, whom the Room owns.
fn new_guest(presenter: &Authorization, name: String, display_name: String, role: Role) -> RoomGuest {
    let (room, inviter) = (&presenter.room, &presenter.person);
    let owner = OwnerReference {
        api_version: Room::api_version(&()).into_owned(),
        kind: Room::kind(&()).into_owned(),
        name: room.name.clone(),
        uid: room.uid.clone(),
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        name: Some(name),
        namespace: Some(room.namespace.clone()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    let spec = RoomGuestSpec {
        room_name: room.name.clone(),
        display_name,
        role,
        // Nobody has vouched for a visitor but the link.
        invited_by: Some(if inviter.is_visitor() { LINK_SUBJECT.to_owned() } else { inviter.name.clone() }),
        inviter_generation: Some(inviter.generation),
    };
    RoomGuest { metadata, spec, status: None }
}

/// What somebody is called in Events.
fn name(person: &Person) -> &str {
    if person.is_link() { "somebody with the link" } else { &person.name }
}
