//! A Room that is accepted, and whether it can be joined.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::roster::Roster;
use super::window::Window;
use crate::api::Provision;

/// A Room whose spec is valid for its class, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidRoom {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// What invites are bound to: `spec.id` or the UID.
    pub invite_id: String,
    /// Title of the call.
    pub display_name: String,
    pub class: String,
    pub window: Window,
    /// Everybody who may come.
    pub roster: Roster,
    /// Most people in the call at one time.
    pub max_participants: usize,
    pub suspend: bool,
    /// When the session is made.
    pub provision: Provision,
    /// How long the session stays when nobody is in it; `None` means until the end of the window.
    pub close_when_empty_after: Option<Duration>,
    /// How long after the end the object is deleted; `None` means never.
    pub ttl: Option<Duration>,
    /// What the invite Secrets carry besides their own keys.
    pub invite_metadata: InviteMetadata,
}

/// Labels and annotations for invite Secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct InviteMetadata {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

/// Whether a Room can be joined: what people are told before they join. The phase in the status is what the controller last made of
/// the Room; this is judged by the clock at every use of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Not before the window begins.
    Early,
    Open,
    /// Not before somebody leaves.
    Full,
    /// The window is over.
    Over,
    /// Not while `spec.suspend` is set.
    Suspended,
}

impl ValidRoom {
    /// Whether somebody can join at `now`; `others` is the number of other people in the call or on their way into it.
    #[must_use]
    pub fn availability(&self, others: usize, now: Timestamp) -> Availability {
        if self.window.is_over(now) {
            Availability::Over
        } else if self.suspend {
            Availability::Suspended
        } else if !self.window.contains(now) {
            Availability::Early
        } else if others >= self.max_participants {
            Availability::Full
        } else {
            Availability::Open
        }
    }
}
