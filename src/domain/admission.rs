//! Who may come in, and when: the decision that the gateway takes on every use of an invite.

use std::time::Duration;

use jiff::Timestamp;

use super::invite::Invite;
use super::roster::{Person, Roster};
use super::session::SessionMember;
use super::validate::{ValidRoom, invite_id};
use super::window::{Moment, later};
use crate::api::{Role, Room, RoomGuest};

/// How long a media token is good for, unless the window ends before. Long enough to connect, short enough to be useless
/// when it leaks.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// Why somebody does not come in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The invite lets nobody in: unknown, forged, rotated, of a removed or suspended person. One answer for all.
    #[error("the invite is not valid")]
    InvalidInvite,
    /// The window has not begun.
    #[error("the call has not begun")]
    TooEarly {
        /// When the door opens.
        opens_at: Timestamp,
    },
    /// The window is over.
    #[error("the call is over")]
    Over,
    /// The Room is suspended.
    #[error("the call is suspended")]
    Suspended,
    /// The role does not allow it.
    #[error("the role does not allow it")]
    NotAllowed,
    /// As many people as the Room allows are in the call.
    #[error("the call is full")]
    Full,
}

/// The door of a Room, as the people before it see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Before the window.
    Early,
    /// Joinable.
    Open,
    /// After the window.
    Over,
    /// Closed by `spec.suspend`.
    Suspended,
}

/// Somebody with a valid invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The person; for the shared link, what stands for all who have it.
    pub person: Person,
}

/// What a media token is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGrant {
    /// Identity in the call: the participant's name.
    pub identity: String,
    /// The name that others see.
    pub display_name: String,
    /// The role.
    pub role: Role,
    /// Generation of the invite.
    pub generation: i64,
    /// The first moment at which the token is good.
    pub not_before: Timestamp,
    /// The first moment at which the token is no longer good.
    pub expires_at: Timestamp,
}

/// Who stands before the door with this (verified) invite, judged by the live Room. `None` for `room` when there is none.
///
/// Needs no class: people are told from strangers while a spec is not accepted too.
pub fn identify(room: Option<&Room>, guests: &[impl AsRef<RoomGuest>], invite: &Invite) -> Result<Visitor, Refusal> {
    let room = room.ok_or(Refusal::InvalidInvite)?;
    let same_room = invite_id(room).is_some_and(|id| id == invite.id)
        && room.metadata.name.as_deref() == Some(&invite.room)
        && room.metadata.namespace.as_deref() == Some(&invite.namespace);
    if !same_room {
        return Err(Refusal::InvalidInvite);
    }
    let person = Roster::new(room, guests).holder(invite).cloned();
    person.map(|person| Visitor { person }).ok_or(Refusal::InvalidInvite)
}

/// Who a person in a call is, or one who comes back to it, told by identity and by the generation of the invite they came by.
pub fn recognize(roster: &Roster, identity: &str, generation: Option<i64>) -> Result<Visitor, Refusal> {
    let member = SessionMember { identity: identity.to_owned(), display_name: String::new(), role: None, generation };
    roster.seated(&member).map(|person| Visitor { person }).ok_or(Refusal::InvalidInvite)
}

/// The state of the door at `now`.
#[must_use]
pub fn state(room: &ValidRoom, now: Timestamp) -> Availability {
    match room.window.at(now) {
        Moment::After => Availability::Over,
        _ if room.suspend => Availability::Suspended,
        Moment::Before => Availability::Early,
        Moment::During => Availability::Open,
    }
}

/// Lets a visitor in at `now`, if the door is open. `others` is the number of other people in the call or on their way in.
pub fn admit(room: &ValidRoom, visitor: &Visitor, others: usize, now: Timestamp) -> Result<TokenGrant, Refusal> {
    match state(room, now) {
        Availability::Early => return Err(Refusal::TooEarly { opens_at: room.window.from }),
        Availability::Over => return Err(Refusal::Over),
        Availability::Suspended => return Err(Refusal::Suspended),
        Availability::Open if others >= room.max_participants => return Err(Refusal::Full),
        Availability::Open => {}
    }
    let Person { name, display_name, role, generation, suspended: _ } = visitor.person.clone();
    Ok(TokenGrant {
        identity: name,
        display_name,
        role,
        generation,
        not_before: now,
        expires_at: later(now, TOKEN_LIFETIME).min(room.window.until),
    })
}

#[cfg(test)]
mod tests;
