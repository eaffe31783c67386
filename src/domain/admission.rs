//! Who may join, and when: decided at every use of an invite or a media token.

use std::time::Duration;

use jiff::Timestamp;

use super::invite::Invite;
use super::roster::{Person, Roster};
use super::session::SessionMember;
use super::valid_room::{Availability, ValidRoom};
use super::validate::invite_id;
use super::window::{Window, later};
use crate::api::{Role, Room};

/// How long a media token is good for, unless the window ends before. Long enough to connect, short enough to be useless
/// when it leaks.
const TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// Why somebody does not get in, or may not do what they ask for. Unlike [`Availability`] it is an error of one person's request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The invite lets nobody in: unknown, forged, rotated, of somebody who is off the list or suspended. One answer for all.
    #[error("the invite is not valid")]
    InvalidInvite,
    /// The invite is good, and a Presenter has put its holder out.
    #[error("a Presenter has removed this person")]
    Removed,
    #[error("the call has not begun")]
    TooEarly { opens_at: Timestamp },
    #[error("the call is over")]
    Over,
    #[error("the call is suspended")]
    Suspended,
    #[error("the role does not allow it")]
    NotAllowed,
    /// As many people as the Room allows are in the call.
    #[error("the call is full")]
    Full,
}

/// What a media token is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGrant {
    pub identity: String,
    pub display_name: String,
    pub role: Role,
    /// Generation of the invite.
    pub generation: i64,
    /// Fingerprint of the key that signed the invite, if it is known.
    pub signed_by: Option<String>,
    /// The first moment at which the token is good.
    pub not_before: Timestamp,
    /// The first moment at which the token is no longer good.
    pub expires_at: Timestamp,
}

/// Whom an invite with a good signature is for, by the Room as it is now and its roster.
///
/// Needs no class: people are told from strangers while the spec is not accepted too.
pub fn identify(room: &Room, roster: &Roster, invite: &Invite) -> Result<Person, Refusal> {
    let same_room = invite_id(room).is_some_and(|id| id == invite.id)
        && room.metadata.name.as_deref() == Some(&invite.room)
        && room.metadata.namespace.as_deref() == Some(&invite.namespace);
    let person = roster.invitee(invite).filter(|_| same_room).ok_or(Refusal::InvalidInvite)?;
    if roster.has_removed(&person.name) { Err(Refusal::Removed) } else { Ok(person) }
}

/// Who somebody in a call is, or somebody who comes back to it: told by identity and by the generation of the invite they came by.
pub fn recognize(roster: &Roster, member: &SessionMember) -> Result<Person, Refusal> {
    roster.recognize(member).ok_or_else(|| if roster.has_removed(&member.identity) { Refusal::Removed } else { Refusal::InvalidInvite })
}

/// Whether people may stay in the call of a Room whose spec is not accepted: what it takes away counts all the same.
pub fn remain(room: &Room, now: Timestamp) -> Result<(), Refusal> {
    if has_ended(room, now) {
        Err(Refusal::Over)
    } else if room.spec.suspend {
        Err(Refusal::Suspended)
    } else {
        Ok(())
    }
}

/// Whether the call of a Room whose spec is not accepted is over.
#[must_use]
pub fn has_ended(room: &Room, now: Timestamp) -> bool {
    Window::in_force_unaccepted(room).is_some_and(|window| window.is_over(now))
}

/// The grant of a person who joins at `now`, if the Room can be joined. `others` is the number of other people in the call or on their
/// way into it.
pub fn admit(room: &ValidRoom, person: &Person, others: usize, now: Timestamp) -> Result<TokenGrant, Refusal> {
    match room.availability(others, now) {
        Availability::Early => return Err(Refusal::TooEarly { opens_at: room.window.from }),
        Availability::Over => return Err(Refusal::Over),
        Availability::Suspended => return Err(Refusal::Suspended),
        Availability::Full => return Err(Refusal::Full),
        Availability::Open => {}
    }
    let Person { name, display_name, role, generation, suspended: _ } = person.clone();
    Ok(TokenGrant {
        identity: name,
        display_name,
        role,
        generation,
        signed_by: None,
        not_before: now,
        expires_at: later(now, TOKEN_LIFETIME).min(room.window.until),
    })
}

#[cfg(test)]
mod tests;
