//! People whom Presenters put out of a call: they stay out, whatever their invite says, until a Presenter lets them in again.

use super::authorize::Authorization;
use super::call_snapshot::{CallSnapshot, ObservedCall};
use super::denied::Denied;
use super::moderation::ModerationService;
use super::random_name::random_name;
use super::room_object::metadata_of_presenter;
use crate::api::{Reason, RoomOwned, RoomRemoval, RoomRemovalSpec};
use crate::domain::{Invite, Refusal};

/// Longest name that a record of a removal has, in characters.
const LONGEST_NAME: usize = 128;

/// Somebody who is kept out of a Room.
pub struct ListedRemoval {
    /// Identity in the call.
    pub identity: String,
    /// The name that others saw.
    pub display_name: String,
    pub removed_by: Option<String>,
    /// Whether Presenters may let them in again: whom a Presenter has removed, and nobody whom somebody else keeps out.
    pub can_be_readmitted: bool,
}

impl ModerationService {
    /// Puts a person out of the call, and keeps them out. Whoever is on the list or a guest can be removed while they are not in the call,
    /// too: the connection of somebody who is lost for a moment comes back.
    pub async fn remove(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let presenter = self.moderator(invite)?;
        let call = self.calls.observe(&presenter.room.class, &presenter.sessions).await;
        // The Room may have changed or ended while the media server was asked, so that it is judged once more.
        let presenter = self.moderator(invite)?;
        let seen = call.as_ref().ok().map(|call| call.snapshot.as_ref()).filter(|snapshot| snapshot.has(identity));
        let is_known = presenter.room.roster.people().any(|person| person.name == identity);
        if seen.is_none() && !is_known {
            return Err(call.err().unwrap_or(Denied::NotInCall));
        }
        if !may_remove(&presenter, identity) {
            return Err(Refusal::NotAllowed.into());
        }
        let record = self.writer.create_removal(new_removal(&presenter, identity, seen)?);
        let put_out = async {
            if let Ok(ObservedCall { backend, snapshot }) = call.as_ref()
                && snapshot.has(identity)
                && let Err(failure) = backend.remove(&snapshot.session, identity).await
            {
                // Once it is recorded, the media server is asked until it has done so.
                tracing::info!(namespace = presenter.room.namespace, room = presenter.room.name, %failure, "a removal waits for the media server");
            }
        };
        // Neither waits for the other: a person is out although the API server does not answer.
        let (recorded, ()) = tokio::join!(record, put_out);
        recorded.map_err(Denied::unavailable)?;
        self.record(&presenter, Reason::ParticipantRemoved, identity, |by| format!("{by} removed {identity}"));
        self.until(&presenter.room, || self.rooms.has_removed(&presenter.room_ref(), identity)).await;
        Ok(())
    }

    /// Who is kept out of the Room, each once.
    pub fn list_removals(&self, invite: &Invite) -> Result<Vec<ListedRemoval>, Denied> {
        let presenter = self.may_moderate(invite)?;
        let mut listed: Vec<ListedRemoval> = Vec::new();
        for removal in self.rooms.removals_of(&presenter.room_ref()) {
            let RoomRemovalSpec { identity, display_name, removed_by, .. } = removal.spec.clone();
            if let Some(same) = listed.iter_mut().find(|listed| listed.identity == identity) {
                same.can_be_readmitted &= removal.is_of_presenters();
                continue;
            }
            let on_the_list = presenter.room.roster.get(&identity).map(|person| person.display_name.clone());
            let display_name = on_the_list.or(display_name).unwrap_or_else(|| identity.clone());
            listed.push(ListedRemoval { identity, display_name, removed_by, can_be_readmitted: removal.is_of_presenters() });
        }
        Ok(listed)
    }

    /// Lets a person in again whom a Presenter has removed.
    pub async fn readmit(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let presenter = self.may_moderate(invite)?;
        let room = presenter.room_ref();
        let mut removals = self.rooms.removals_of(&room);
        removals.retain(|removal| removal.spec.identity == identity);
        if removals.is_empty() {
            return Err(Denied::NotRemoved);
        }
        if !removals.iter().all(|removal| removal.is_of_presenters()) {
            return Err(Refusal::NotAllowed.into());
        }
        for removal in &removals {
            self.writer.delete_removal(removal).await.map_err(Denied::unavailable)?;
        }
        self.record(&presenter, Reason::ParticipantReadmitted, identity, |by| format!("{by} lets {identity} in again"));
        self.until(&presenter.room, || !self.rooms.has_removed(&room, identity)).await;
        Ok(())
    }
}

/// Whether a Presenter may remove somebody: not themselves, who could not undo it, and no Presenter of the list if they are none: whom a
/// Presenter has added cannot keep out those whom the Room belongs to.
fn may_remove(presenter: &Authorization, identity: &str) -> bool {
    let is_host = |name: &str| presenter.room.roster.hosts().any(|host| host == name);
    identity != presenter.person.name && (!is_host(identity) || is_host(&presenter.person.name))
}

/// The object that keeps somebody out, by the name that `seen` has of them.
fn new_removal(presenter: &Authorization, identity: &str, seen: Option<&CallSnapshot>) -> Result<RoomRemoval, Denied> {
    let member = seen.into_iter().flat_map(|snapshot| &snapshot.members).find(|member| member.identity == identity);
    let spec = RoomRemovalSpec {
        room_name: presenter.room.name.clone(),
        identity: identity.to_owned(),
        display_name: member.map(|member| member.display_name.chars().take(LONGEST_NAME).collect()),
        removed_by: Some(presenter.person.name.clone()),
    };
    Ok(RoomRemoval { metadata: metadata_of_presenter(&presenter.room, random_name()?), spec })
}
