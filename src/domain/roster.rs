//! Who belongs to a Room: the people on its list, its guests, and whoever has the shared link.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::invite::Invite;
use super::rejection::Rejection;
use super::session::SessionMember;
use crate::api::{GUEST_PREFIX, JoinPolicy, LINK_SUBJECT, MAX_PARTICIPANTS, Reason, Role, Room, RoomGuest};

/// Prefix of the identities of people who came by the shared link. The dot keeps them apart from participants and guests.
const LINK_PREFIX: &str = "link.";
/// Longest display name, in bytes: LiveKit refuses to change anything of somebody whose name is longer. What a manifest or a person
/// gives may be longer in bytes, because it is limited in characters.
const LONGEST_DISPLAY_NAME: usize = 256;
/// How many inviters of inviters are asked for their role: more than there are in practice, and few enough for who makes a long chain
/// on purpose.
const LONGEST_CHAIN: usize = 8;

/// Somebody who belongs to a Room, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The identity in the call, and the name in invites.
    pub name: String,
    /// The name that others see, of at most 256 bytes.
    pub display_name: String,
    pub role: Role,
    /// On the list, but not let in.
    pub suspended: bool,
    /// Generation of the invite: as the spec says, and never one that was replaced already. That of a guest is a number that no other
    /// object has, so that the invite of a guest who is made again under the same name is another one.
    pub generation: i64,
}

/// Everybody whom a Room may let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Roster {
    people: BTreeMap<String, Person>,
    link: Option<Person>,
    /// Presenters of the list, for whom there is a place however many come by the link.
    hosts: Vec<String>,
    /// Identities that are kept out, whatever else lets them in.
    removed: BTreeSet<String>,
}

impl Roster {
    /// The roster of a Room with these guests, and without the identities that a Presenter has removed.
    #[must_use]
    pub fn new(room: &Room, guests: &[impl AsRef<RoomGuest>], removed: BTreeSet<String>) -> Self {
        let guests = judge_guests(room, guests, &removed).into_iter().filter_map(|(_, person)| person.ok());
        let people = listed(room).chain(guests).map(|person| (person.name.clone(), person)).collect();
        let is_host = |person: &Person| person.role == Role::Presenter && !person.suspended && !removed.contains(&person.name);
        let hosts = listed(room).filter(is_host).map(|person| person.name).collect();
        Self { people, link: link(room), hosts, removed }
    }

    /// Presenters of the list, for whom there is a place however many come by the link.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// The people who have an identity of their own before they come, by name.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// The people who may come, those of the list first.
    #[must_use]
    pub fn admissible(&self) -> Vec<&Person> {
        let mut people: Vec<&Person> = self.people().filter(|person| !person.suspended && !self.has_removed(&person.name)).collect();
        people.sort_by_key(|person| person.name.starts_with(GUEST_PREFIX));
        people
    }

    /// Everybody, and everything, that an invite is issued to: the people, and the shared link.
    pub fn invited(&self) -> impl Iterator<Item = &Person> {
        self.people().chain(&self.link)
    }

    /// The person of this identity, or the shared link.
    #[must_use]
    pub fn get(&self, identity: &str) -> Option<&Person> {
        if identity == LINK_SUBJECT { self.link.as_ref() } else { self.people.get(identity) }
    }

    /// Whether somebody is kept out, whose invite is as good as before.
    #[must_use]
    pub fn has_removed(&self, identity: &str) -> bool {
        self.removed.contains(identity)
    }

    /// Whom an invite is for, if it is still good: not for somebody who is suspended, and of no older generation. Whether they were removed
    /// is another question.
    #[must_use]
    pub fn invitee(&self, invite: &Invite) -> Option<Person> {
        let person = self.get(&invite.participant).cloned().or_else(|| self.visitor(&invite.participant, ""))?;
        (!person.suspended && person.generation == invite.generation).then_some(person)
    }

    /// Who an identity of the shared link is.
    fn visitor(&self, identity: &str, display_name: &str) -> Option<Person> {
        let link = self.link.as_ref().filter(|_| is_visitor(identity))?;
        Some(Person { name: identity.to_owned(), display_name: display_name.to_owned(), ..link.clone() })
    }

    /// The person that a session member is, with the role and name that they should have; `None` if they must not be there.
    #[must_use]
    pub fn recognize(&self, member: &SessionMember) -> Option<Person> {
        let visitor = || self.visitor(&member.identity, &member.display_name);
        let person = self.people.get(&member.identity).cloned().or_else(visitor)?;
        (!person.suspended && !self.has_removed(&person.name) && member.generation == Some(person.generation)).then_some(person)
    }
}

impl Person {
    /// Whether this stands for whoever has the shared link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.name == LINK_SUBJECT
    }

    /// Whether this is somebody who came by the shared link.
    #[must_use]
    pub fn is_visitor(&self) -> bool {
        is_visitor(&self.name)
    }
}

/// The identity of somebody new who comes by the shared link; `nonce` tells them from all others.
#[must_use]
pub fn visitor_identity(nonce: &str) -> String {
    format!("{LINK_PREFIX}{nonce}")
}

/// Whether an identity is that of somebody who came by a shared link.
#[must_use]
pub fn is_visitor(identity: &str) -> bool {
    identity.starts_with(LINK_PREFIX)
}

/// Whether a role is above another: it may do all that the other may, and more.
#[must_use]
pub fn is_above(role: Role, other: Role) -> bool {
    // In the order of the table of roles, the highest comes first.
    role < other
}

/// Identity of a guest.
#[must_use]
pub fn guest_identity(name: &str) -> String {
    format!("{GUEST_PREFIX}{name}")
}

/// The guests of a Room as people, or why one is not let in. `guests` are in the order in which they came.
pub fn judge_guests<'a, G: AsRef<RoomGuest>>(
    room: &Room,
    guests: &'a [G],
    removed: &BTreeSet<String>,
) -> Vec<(&'a RoomGuest, Result<Person, Rejection>)> {
    if guests.is_empty() {
        return Vec::new();
    }
    let link = link(room);
    let inviters: HashMap<String, Person> = listed(room).chain(link.clone()).map(|person| (person.name.clone(), person)).collect();
    let by_identity: HashMap<String, &RoomGuest> =
        guests.iter().map(AsRef::as_ref).map(|guest| (guest_identity(guest.metadata.name.as_deref().unwrap_or_default()), guest)).collect();
    let most = usize::try_from(MAX_PARTICIPANTS).unwrap_or_default();
    let judge = |(number, guest): (usize, &'a G)| {
        let guest = guest.as_ref();
        let name = guest_identity(guest.metadata.name.as_deref().unwrap_or_default());
        if inviters.contains_key(&name) {
            let message = format!("metadata.name: the Room has a participant \"{name}\", which is the identity that this guest would have");
            return (guest, Err(Rejection { reason: Reason::NameConflict, message }));
        }
        if number >= most {
            return (guest, Err(Rejection::too_many_guests()));
        }
        let by_link = guest.spec.invited_by.as_deref() == Some(LINK_SUBJECT);
        if by_link && !link.as_ref().is_some_and(|link| is_of_generation(guest, link)) {
            let message = "spec.invitedBy: the shared link that this guest was invited by is not in force any more".to_owned();
            return (guest, Err(Rejection { reason: Reason::LinkReplaced, message }));
        }
        let role = capped(guest, &inviters, &by_identity, removed);
        let display_name = bounded_display_name(&guest.spec.display_name);
        (guest, Ok(Person { name, display_name, role, suspended: false, generation: guest_generation(guest) }))
    };
    guests.iter().enumerate().map(judge).collect()
}

/// The role of a guest: never above that of the inviter, as it is now, or of the inviter's inviter. Who cannot be asked any more
/// vouches for an ordinary guest, and for no more than that.
fn capped(guest: &RoomGuest, inviters: &HashMap<String, Person>, guests: &HashMap<String, &RoomGuest>, removed: &BTreeSet<String>) -> Role {
    let mut role = guest.spec.role;
    let mut current = guest;
    for _ in 0..LONGEST_CHAIN {
        let Some(identity) = current.spec.invited_by.as_deref() else { return role };
        if let Some(inviter) = inviters.get(identity) {
            let vouches = !inviter.suspended && !removed.contains(identity) && is_of_generation(current, inviter);
            return lower(role, if vouches { inviter.role } else { lower(Role::Attendee, inviter.role) });
        }
        let inviter = guests.get(identity).filter(|_| !removed.contains(identity));
        let Some(inviter) = inviter else { return lower(role, Role::Attendee) };
        role = lower(role, inviter.spec.role);
        current = inviter;
    }
    Role::Consumer
}

/// Whether the inviter has the invite still by which they invited. Who was invited by hand, or by a version before this was recorded,
/// does not say.
fn is_of_generation(guest: &RoomGuest, inviter: &Person) -> bool {
    guest.spec.inviter_generation.is_none_or(|generation| generation == inviter.generation)
}

/// The lower of two roles.
#[must_use]
pub fn lower(role: Role, limit: Role) -> Role {
    if is_above(role, limit) { limit } else { role }
}

/// The people on the list of a Room.
fn listed(room: &Room) -> impl Iterator<Item = Person> + '_ {
    let least = least_generations(room);
    room.spec.participants.iter().map(move |participant| Person {
        name: participant.name.clone(),
        display_name: bounded_display_name(
            participant.display_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&participant.name),
        ),
        role: participant.role.unwrap_or_default(),
        suspended: participant.suspended,
        generation: not_below(&least, &participant.name, participant.invite_generation),
    })
}

fn link(room: &Room) -> Option<Person> {
    let link = room.spec.link.clone().unwrap_or_default();
    (room.spec.join_policy == Some(JoinPolicy::AnyoneWithLink)).then(|| Person {
        name: LINK_SUBJECT.to_owned(),
        display_name: String::new(),
        role: link.role.unwrap_or_default(),
        suspended: false,
        generation: not_below(&least_generations(room), LINK_SUBJECT, link.generation),
    })
}

/// Everybody whose invite was ever rotated, and the shared link if it was, with the lowest generation that can still be in force.
pub fn rotated(room: &Room) -> BTreeMap<String, i64> {
    let known = least_generations(room).into_iter().map(|(name, generation)| (name.to_owned(), generation));
    let declared = listed(room).chain(link(room)).filter(|person| person.generation > 0).map(|person| (person.name, person.generation));
    // The later ones count, and are not below the others.
    known.chain(declared).collect()
}

/// The lowest generations that can still be in force, by name, where they are above 0: a list that somebody was taken off and came back
/// to does not say which of their invites were replaced before.
fn least_generations(room: &Room) -> HashMap<&str, i64> {
    let Some(status) = &room.status else { return HashMap::new() };
    // That of a guest is no count.
    let issued = status.participants.iter().filter(|entry| !entry.name.starts_with(GUEST_PREFIX));
    let issued = issued.map(|entry| (entry.name.as_str(), entry.invite_generation));
    let rotated = status.rotated_invites.iter().map(|rotated| (rotated.name.as_str(), rotated.invite_generation));
    let mut least = HashMap::new();
    for (name, generation) in issued.chain(rotated).filter(|(_, generation)| *generation > 0) {
        let known = least.entry(name).or_insert(generation);
        *known = generation.max(*known);
    }
    least
}

fn not_below(least: &HashMap<&str, i64>, name: &str, declared: Option<i64>) -> i64 {
    declared.unwrap_or_default().max(least.get(name).copied().unwrap_or_default())
}

/// The generation of a guest's invite: the first 48 bits of the object's UID, which JSON carries as a number.
#[must_use]
pub fn guest_generation(guest: &RoomGuest) -> i64 {
    let digits = guest.metadata.uid.iter().flat_map(|uid| uid.chars()).filter_map(|digit| digit.to_digit(16));
    digits.take(12).fold(0, |number, digit| number * 16 + i64::from(digit))
}

/// As much of a name as media servers take: 256 bytes at most.
#[must_use]
pub fn bounded_display_name(name: &str) -> String {
    name.get(..name.floor_char_boundary(LONGEST_DISPLAY_NAME)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
