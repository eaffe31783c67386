//! The people whom Presenters add while a Room lives, and withdraw again.

use std::collections::HashSet;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::time::{sleep, timeout};

use super::authorize::Authorization;
use super::denied::Denied;
use super::display_name::display_name;
use super::moderation::ModerationService;
use super::random_name::random_name;
use super::room_object::metadata_of_presenter;
use crate::api::{GUEST_PREFIX, LINK_SUBJECT, MAX_PARTICIPANTS, Reason, Role, Room, RoomGuest, RoomGuestSpec, RoomOwned};
use crate::domain::{Invite, Refusal, ValidRoom, guest_generation, guest_identity, is_above};

/// How often what was just done is looked for in the watch.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long it is looked for. Before the watch has shown a guest the invite is refused, so the link is better late.
const LOOK_FOR: Duration = Duration::from_secs(3);
/// Most guests of a Room.
const MOST_GUESTS: usize = MAX_PARTICIPANTS.unsigned_abs() as usize;

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

/// A guest of a Room.
pub struct ListedGuest {
    /// Identity in the call.
    pub identity: String,
    /// The name that others see.
    pub display_name: String,
    pub role: Role,
    pub invited_by: Option<String>,
    /// Whether Presenters may withdraw them: whom they have added, and nobody whose object somebody else has made.
    pub can_be_withdrawn: bool,
}

impl ModerationService {
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
        let guest = new_guest(&presenter, random_name()?, display_name.clone(), role);
        let reference = ObjectRef::from_obj(&guest);
        let identity = guest_identity(&reference.name);
        let room = presenter.room_ref();
        let known: HashSet<String> = self.guests_of(&room)?.iter().map(|guest| guest.name_any()).collect();
        let too_many = Denied::TooManyGuests { limit: MOST_GUESTS };
        let Some(_arrival) = self.arrivals.begin(&room, &reference.name, &known, MOST_GUESTS) else { return Err(too_many) };
        let created = self.writer.create_guest(guest).await.map_err(Denied::unavailable)?;
        self.until(&presenter.room, || self.rooms.guest(&reference).is_some()).await;
        // Others may have been added by another gateway, or by hand.
        let guests = self.guests_of(&room)?;
        if let Some(late) = guests.iter().skip(MOST_GUESTS).find(|guest| guest.name_any() == reference.name) {
            self.writer.delete_guest(late).await.map_err(Denied::unavailable)?;
            return Err(too_many);
        }
        self.record(&presenter, Reason::GuestAdded, &identity, |by| format!("{by} added {identity} as {role:?}"));
        let invite = Invite { participant: identity.clone(), generation: guest_generation(&created), ..invite.clone() };
        Ok(AddedGuest { identity, display_name, role, invite: self.keys.sign(&invite)? })
    }

    /// The guests of the Room who are let in, in the order in which they came.
    pub fn list_guests(&self, invite: &Invite) -> Result<Vec<ListedGuest>, Denied> {
        let presenter = self.may_add_people(invite)?;
        let room = presenter.room_ref();
        let listed = |guest: &RoomGuest| {
            let person = presenter.room.roster.get(&guest_identity(&guest.name_any()))?;
            Some(ListedGuest {
                identity: person.name.clone(),
                display_name: person.display_name.clone(),
                role: person.role,
                invited_by: guest.spec.invited_by.clone(),
                can_be_withdrawn: guest.is_of_presenters(),
            })
        };
        Ok(self.guests_of(&room)?.iter().filter_map(|guest| listed(guest)).collect())
    }

    /// Withdraws a guest whom a Presenter has added: their invite is dead, and they are out of the call.
    pub async fn withdraw_guest(&self, invite: &Invite, identity: &str) -> Result<(), Denied> {
        let presenter = self.may_add_people(invite)?;
        let room = presenter.room_ref();
        let guests = self.guests_of(&room)?;
        let name = identity.strip_prefix(GUEST_PREFIX).unwrap_or_default();
        let guest = guests.iter().find(|guest| guest.name_any() == name).ok_or(Denied::NoSuchGuest)?;
        if !guest.is_of_presenters() {
            return Err(Refusal::NotAllowed.into());
        }
        self.writer.delete_guest(guest).await.map_err(Denied::unavailable)?;
        self.record(&presenter, Reason::GuestWithdrawn, identity, |by| format!("{by} withdrew {identity}"));
        self.until(&presenter.room, || self.rooms.guest(&ObjectRef::from_obj(guest.as_ref())).is_none()).await;
        Ok(())
    }

    /// The holder of the invite, if the role allows to add people.
    pub fn may_add_people(&self, invite: &Invite) -> Result<Authorization, Denied> {
        self.presenter(invite, |permissions| permissions.add_people)
    }

    fn guests_of(&self, room: &ObjectRef<Room>) -> Result<Vec<std::sync::Arc<RoomGuest>>, Denied> {
        let live = self.rooms.get(room).ok_or(Refusal::InvalidInvite)?;
        Ok(self.rooms.guests_of(&live))
    }

    /// Waits until the watch has shown what was done, but not for ever.
    pub(super) async fn until(&self, room: &ValidRoom, shown: impl Fn() -> bool) {
        let looking = timeout(LOOK_FOR, async {
            while !shown() {
                sleep(LOOK_EVERY).await;
            }
        });
        if looking.await.is_err() {
            tracing::warn!(namespace = room.namespace, room = room.name, "what a Presenter did is not seen yet");
        }
    }
}

/// The object of a new guest, whom the Room owns.
fn new_guest(presenter: &Authorization, name: String, display_name: String, role: Role) -> RoomGuest {
    let (room, inviter) = (&presenter.room, &presenter.person);
    let spec = RoomGuestSpec {
        room_name: room.name.clone(),
        display_name,
        role,
        // Nobody has vouched for a visitor but the link.
        invited_by: Some(if inviter.is_visitor() { LINK_SUBJECT.to_owned() } else { inviter.name.clone() }),
        inviter_generation: Some(inviter.generation),
    };
    RoomGuest { metadata: metadata_of_presenter(room, name), spec, status: None }
}
