//! Names of sessions, and the people seen in one.

use crate::api::{Role, SessionStatus};

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

/// Name of the session that a Room has after this one, under the next epoch.
#[must_use]
pub fn successor(session: &SessionStatus) -> Option<String> {
    let stem = session.id.strip_suffix(&session.epoch.to_string())?;
    Some(format!("{stem}{}", session.epoch.checked_add(1)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_carry_installation_room_and_epoch_in_their_name() {
        let installation = Installation::from_namespace_uid("11111111-2222-3333-4444-abcdef012345");
        assert_eq!(installation.prefix(), "rk-abcdef012345-");
        assert_eq!(installation.session_id("room-uid", 7), "rk-abcdef012345-room-uid-7");
    }

    #[test]
    fn the_successor_of_a_session_is_the_one_of_the_next_epoch() {
        let installation = Installation::from_namespace_uid("uid");
        for epoch in [1, 9, 10, 99] {
            let session = SessionStatus { id: installation.session_id("room-1", epoch), epoch, ..SessionStatus::default() };
            assert_eq!(successor(&session), Some(installation.session_id("room-1", epoch + 1)));
        }
        assert_eq!(successor(&SessionStatus { id: "other".into(), epoch: 1, ..SessionStatus::default() }), None);
    }

    #[test]
    fn no_prefix_of_an_installation_begins_with_that_of_another() {
        let uids = ["0-a", "0-a0", "0-0a", "a", "a-", "0-a-a", ""];
        let prefixes = uids.map(|uid| Installation::from_namespace_uid(uid).prefix().to_owned());
        for (one, other) in prefixes.iter().flat_map(|one| prefixes.iter().map(move |other| (one, other))) {
            assert!(one == other || !one.starts_with(other.as_str()), "{one} and {other}");
        }
    }

    #[test]
    fn rooms_and_epochs_have_sessions_of_their_own() {
        let installation = Installation::from_namespace_uid("uid");
        let names = [("a", 1), ("a", 2), ("a", 11), ("b", 1)].map(|(uid, epoch)| installation.session_id(uid, epoch));
        assert_eq!(std::collections::BTreeSet::from(names).len(), 4);
    }
}
