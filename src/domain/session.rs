//! Names of sessions, and the people seen in one.

use crate::api::Role;

/// Identity of this installation on a media server that others may use too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    prefix: String,
}

impl Installation {
    /// The installation whose operator namespace has this UID: the one identity that every replica sees, that survives
    /// restarts and upgrades, and that no other cluster has.
    #[must_use]
    pub fn from_namespace_uid(uid: &str) -> Self {
        Self { prefix: format!("rk-{}-", uid.rsplit('-').next().unwrap_or(uid)) }
    }

    /// What the names of all sessions of this installation begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Name of a session. UID and epoch together are never used twice, because media servers may hand out a room that
    /// is being closed to who makes one of the same name.
    #[must_use]
    pub fn session_id(&self, room_uid: &str, epoch: i64) -> String {
        format!("{}{room_uid}-{epoch}", self.prefix)
    }
}

/// A person seen in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Identity, which is the participant's name.
    pub identity: String,
    /// The name that others see.
    pub display_name: String,
    /// The role whose permissions the person has; `None` when they are those of no role.
    pub role: Option<Role>,
    /// Generation of the invite the person came by; `None` when it cannot be told.
    pub generation: Option<i64>,
}
