//! What Presenters may do to a call and to the people in it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use crate::api::{MAX_PARTICIPANTS, Reason, Role, Room, RoomGuest, RoomGuestSpec};
use crate::backend::Backend;
use crate::domain::{Invite, Permissions, Person, Refusal, guest_identity, guests_of, is_above};
use crate::gateway::admission::authorize::Authorization;
use crate::gateway::admission::join::{AdmissionService, Denied, nonce, unavailable};
use crate::gateway::admission::reservations::CallSnapshot;
use crate::gateway::http::json;
use crate::gateway::http::problem::Problem;
use crate::observability::logs::AUDIT;

/// How often a guest who was just added is looked for in what the API server tells.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a guest is looked for. Who comes before is told that the invite is not valid, so the link is better late.
const LOOK_FOR: Duration = Duration::from_secs(3);

/// Somebody whom a Presenter has added.
pub struct Added {
    /// Identity in the call.
    pub identity: String,
    /// The name that others see.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// Their invite: a secret.
    pub invite: String,
}

impl AdmissionService {
    /// Mutes a person in the call.
    pub async fn mute(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let (standing, backend, sight) = self.moderate(invite, Some(identity)).await?;
        backend.mute(&sight.session, identity).await?;
        self.record(&standing, Reason::ParticipantMuted, identity, format!("{} muted {identity}", name(&standing.person)));
        Ok(())
    }

    /// Puts a person out of the call. Their invite stays good.
    pub async fn remove(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let (standing, backend, sight) = self.moderate(invite, Some(identity)).await?;
        backend.remove(&sight.session, identity).await?;
        self.record(&standing, Reason::ParticipantRemoved, identity, format!("{} removed {identity}", name(&standing.person)));
        Ok(())
    }

    /// Ends the running call for all. The Room can be joined again until its window is over.
    pub async fn end(&self, invite: &Invite) -> Result<(), Denied> {
        let (standing, backend, sight) = self.moderate(invite, None).await?;
        backend.close(&sight.session).await?;
        self.record(&standing, Reason::CallEnded, "", format!("{} ended the call for all", name(&standing.person)));
        Ok(())
    }

    /// Adds a person to the Room, who can join as soon as this returns.
    pub async fn add_guest(&self, invite: &Invite, display_name: Option<&str>, role: Role) -> Result<Added, Denied> {
        let standing = self.may_add_people(invite)?;
        match standing.grant(0) {
            Ok(_) | Err(Refusal::TooEarly { .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        if is_above(role, standing.person.role) {
            return Err(Refusal::NotAllowed.into());
        }
        let display_name = json::display_name(display_name).map_err(Denied::Malformed)?;
        let guest = self.guest(&standing, display_name.clone(), role)?;
        let reference = ObjectRef::from_obj(&guest);
        let identity = guest_identity(guest.metadata.name.as_deref().unwrap_or_default());
        self.clerk.add(guest).await.map_err(unavailable)?;
        self.record(&standing, Reason::GuestAdded, &identity, format!("{} added {identity} as {role:?}", name(&standing.person)));
        let known = tokio::time::timeout(LOOK_FOR, async {
            while self.guests.get(&reference).is_none() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        if known.await.is_err() {
            tracing::warn!(namespace = invite.namespace, room = invite.room, "a guest who was added is not seen yet");
        }
        let invite = Invite { participant: identity.clone(), generation: 0, ..invite.clone() };
        Ok(Added { identity, display_name, role, invite: self.sign(&invite)? })
    }

    /// The holder of the invite, if the role allows to add people.
    pub fn may_add_people(&self, invite: &Invite) -> Result<Authorization, Denied> {
        self.presenter(invite, |permissions| permissions.add_people)
    }

    fn guest(&self, standing: &Authorization, display_name: String, role: Role) -> Result<RoomGuest, Denied> {
        let room = &standing.room;
        let live = self.rooms.get(&ObjectRef::new(&room.name).within(&room.namespace)).ok_or(Refusal::InvalidInvite)?;
        let most = usize::try_from(MAX_PARTICIPANTS).unwrap_or_default();
        if guests_of(&live, self.guests.state()).len() >= most {
            return Err(Denied::Malformed(Problem::bad_request(format!("The Room has {most} guests, which is the most it may have."))));
        }
        let owner = OwnerReference {
            api_version: Room::api_version(&()).into_owned(),
            kind: Room::kind(&()).into_owned(),
            name: room.name.clone(),
            uid: room.uid.clone(),
            ..OwnerReference::default()
        };
        let metadata = ObjectMeta {
            name: Some(nonce().ok_or_else(|| unavailable("the system gives no random numbers"))?),
            namespace: Some(room.namespace.clone()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        };
        let inviter = &standing.person;
        let invited_by = (!inviter.is_link()).then(|| inviter.name.clone());
        Ok(RoomGuest { metadata, spec: RoomGuestSpec { room_name: room.name.clone(), display_name, role, invited_by }, status: None })
    }

    /// A Presenter who may act in the call now, and what was seen of the call; `on` must be in it.
    async fn moderate(&self, invite: &Invite, on: Option<&str>) -> Result<(Authorization, Arc<dyn Backend>, CallSnapshot), Denied> {
        let standing = self.presenter(invite, |permissions| permissions.moderate)?;
        standing.grant(0)?;
        let (backend, sight, _) = self.look(&standing).await?;
        // After the wait for the media server the Room may have changed or ended.
        let standing = self.presenter(invite, |permissions| permissions.moderate)?;
        standing.grant(0)?;
        if on.is_some_and(|identity| !sight.members.iter().any(|member| member.identity == identity)) {
            return Err(Denied::Absent);
        }
        Ok((standing, backend, sight))
    }

    /// The holder of the invite, if the role allows what is wanted.
    fn presenter(&self, invite: &Invite, may: impl Fn(Permissions) -> bool) -> Result<Authorization, Denied> {
        let standing = self.stand(invite)?;
        if may(Permissions::of(standing.person.role)) { Ok(standing) } else { Err(Refusal::NotAllowed.into()) }
    }

    /// Leaves an Event on the Room and a line in the audit log. Nobody waits for the Event.
    fn record(&self, standing: &Authorization, reason: Reason, participant: &str, note: String) {
        let (room, by) = (standing.room.clone(), name(&standing.person));
        tracing::info!(target: AUDIT, event = %reason, namespace = room.namespace, room = room.name, by, participant);
        let clerk = self.clerk.clone();
        tokio::spawn(async move { clerk.tell(&room, reason, note).await });
    }
}

/// What somebody is called in Events.
fn name(person: &Person) -> &str {
    if person.is_link() { "somebody with the link" } else { &person.name }
}
