//! Names of sessions, and the people seen in one.

use std::time::Duration;

use jiff::Timestamp;

use super::invite::KeyRing;
use super::window::{Window, later};
use crate::api::{Role, Room, SessionStatus};

/// What the names of the sessions of all installations begin with.
pub const SESSION_PREFIX: &str = "rk-";
/// What stands before the UID of the Room in the name of a session in which people only check their connection.
const CHECK: &str = "check-";
/// How long such a session lasts at least, and at most twice: browsers give up after 15 seconds, for each of two ways.
const CHECK_LASTS: Duration = Duration::from_secs(30);

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
        Self { prefix: format!("{SESSION_PREFIX}{}-", uid.rsplit('-').next().unwrap_or(uid)) }
    }

    /// What the names of all sessions of this installation begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Name of a session. UID and epoch together are never used twice, because a media server may answer the
    /// creation of a room with one of the same name that it is still closing.
    #[must_use]
    pub fn session_id(&self, room_uid: &str, epoch: i64) -> String {
        format!("{}{room_uid}-{epoch}", self.prefix)
    }

    /// The UID of the Room and the epoch that the name of a session says; `None` for a session of others.
    #[must_use]
    pub fn room_and_epoch<'a>(&self, session: &'a str) -> Option<(&'a str, i64)> {
        let (uid, epoch) = session.strip_prefix(&self.prefix)?.rsplit_once('-')?;
        Some((uid, epoch.parse().ok()?))
    }

    /// Name of the session in which people of a Room check their connection at `now`, and when it ends. It is the same one for all of them
    /// for a while, so that a Room has two of them at most, and the name says the end, so that whoever closes it need know nothing else.
    #[must_use]
    pub fn check_session(&self, room_uid: &str, now: Timestamp) -> (String, Timestamp) {
        let length = i64::try_from(CHECK_LASTS.as_secs()).unwrap_or(i64::MAX);
        let begun = Timestamp::from_second(now.as_second().div_euclid(length).saturating_mul(length)).unwrap_or(now);
        let ends_at = later(begun, CHECK_LASTS.saturating_mul(2));
        (self.session_id(&format!("{CHECK}{room_uid}"), ends_at.as_second()), ends_at)
    }

    /// The UID of the Room of whose people a session is for checks of their connection, and when it ends; `None` for every other session.
    #[must_use]
    pub fn check<'a>(&self, session: &'a str) -> Option<(&'a str, Timestamp)> {
        let (uid, second) = self.room_and_epoch(session)?;
        Some((uid.strip_prefix(CHECK)?, Timestamp::from_second(second).unwrap_or(Timestamp::MIN)))
    }

    /// Names under which the session that a Room's status records may live: its own and, if it was made and is lost, the one of
    /// the next epoch, which the gateway may have created and the controller not recorded yet.
    ///
    /// The recorded one may be of an installation that was here before; what is made again is always this one's.
    #[must_use]
    pub fn sessions(&self, room_uid: &str, recorded: &SessionStatus) -> Vec<String> {
        let next = next_if_lost(recorded).map(|epoch| self.session_id(room_uid, epoch));
        [recorded.id.clone()].into_iter().chain(next).collect()
    }

    /// Whether a session bears one of these names.
    #[must_use]
    pub fn is_session(&self, room_uid: &str, recorded: &SessionStatus, session: &str) -> bool {
        recorded.id == session
            || self.room_and_epoch(session).is_some_and(|(uid, epoch)| uid == room_uid && next_if_lost(recorded) == Some(epoch))
    }
}

/// The epoch under which a session would be made again. One that was not made yet cannot be lost.
fn next_if_lost(recorded: &SessionStatus) -> Option<i64> {
    recorded.created_at.as_ref()?;
    recorded.epoch.checked_add(1)
}

/// The session that a Room's status names as living.
#[must_use]
pub fn recorded_session(room: &Room) -> Option<&str> {
    room.status.as_ref()?.live_session().map(|session| session.id.as_str())
}

/// What a Room asks of its session, besides who may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// When the session is wanted.
    pub window: Window,
    /// Whether Presenters may call telephones.
    pub pstn_dial_out: bool,
}

impl From<Window> for SessionSettings {
    /// Those of a session that asks for nothing else.
    fn from(window: Window) -> Self {
        Self { window, pstn_dial_out: false }
    }
}

/// A person seen in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionMember {
    /// The participant's name, or for somebody who came by the shared link an identity of their own.
    pub identity: String,
    /// The name that others see.
    pub display_name: String,
    /// The role whose permissions the person has; `None` when they are those of no role.
    pub role: Option<Role>,
    /// Generation of the invite the person came by; `None` when it cannot be told.
    pub generation: Option<i64>,
    /// Fingerprint of the key that signed that invite; `None` when they came before it was recorded.
    pub signed_by: Option<String>,
}

impl SessionMember {
    /// The member as `keys` have them: whoever came by an invite of a key that is not in force any more, came by none. Without keys
    /// that is everybody.
    #[must_use]
    pub fn held_to(self, keys: Option<&KeyRing>) -> Self {
        let generation = self.generation.filter(|_| keys.is_some_and(|keys| keys.holds(self.signed_by.as_deref())));
        Self { generation, ..self }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn sessions_carry_installation_room_and_epoch_in_their_name() {
        let installation = Installation::from_namespace_uid("11111111-2222-3333-4444-abcdef012345");
        assert_eq!(installation.prefix(), "rk-abcdef012345-");
        assert_eq!(installation.session_id("room-uid", 7), "rk-abcdef012345-room-uid-7");
    }

    /// A session of a Room, recorded by this installation as made.
    fn made(installation: &Installation, epoch: i64) -> SessionStatus {
        let created_at = Some(Time("2027-01-15T09:00:00Z".parse().expect("a time")));
        SessionStatus { id: installation.session_id("room-1", epoch), epoch, created_at, ended_at: None }
    }

    #[test]
    fn a_session_that_was_made_may_live_on_under_the_next_epoch() {
        let installation = Installation::from_namespace_uid("uid");
        for epoch in [1, 9, 10, 99] {
            let names = [epoch, epoch + 1].map(|epoch| installation.session_id("room-1", epoch));
            assert_eq!(installation.sessions("room-1", &made(&installation, epoch)), names);
        }
        let unmade = SessionStatus { created_at: None, ..made(&installation, 1) };
        assert_eq!(installation.sessions("room-1", &unmade), [installation.session_id("room-1", 1)]);
        let last = made(&installation, i64::MAX);
        assert_eq!(installation.sessions("room-1", &last), [last.id.as_str()]);
    }

    #[test]
    fn a_session_that_an_earlier_installation_recorded_is_made_anew_by_this_one() {
        let (before, now) = (Installation::from_namespace_uid("before"), Installation::from_namespace_uid("now"));
        assert_eq!(now.sessions("room-1", &made(&before, 1)), [before.session_id("room-1", 1), now.session_id("room-1", 2)]);
    }

    #[test]
    fn exactly_the_names_of_a_session_are_its_own() {
        let (before, now) = (Installation::from_namespace_uid("before"), Installation::from_namespace_uid("now"));
        let all = [&before, &now].into_iter().flat_map(|one| (0..12).map(|epoch| one.session_id("room-1", epoch)));
        let all: Vec<String> = all.chain([now.session_id("room-2", 2), now.session_id("room", 2), "other".into(), String::new()]).collect();
        for recorded in [made(&before, 1), made(&now, 1), made(&now, 10), SessionStatus { created_at: None, ..made(&now, 1) }] {
            let names = now.sessions("room-1", &recorded);
            let found: Vec<&String> = all.iter().filter(|name| now.is_session("room-1", &recorded, name)).collect();
            assert_eq!(found, names.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_name_says_room_and_epoch_of_this_installation_alone() {
        let installation = Installation::from_namespace_uid("uid");
        assert_eq!(installation.room_and_epoch(&installation.session_id("room-1", 7)), Some(("room-1", 7)));
        for other in ["", "rk-uid-", "rk-uid-room", "rk-uid-room-x", "rk-other-room-1", "room-1"] {
            assert_eq!(installation.room_and_epoch(other), None, "{other}");
        }
    }

    #[test]
    fn the_people_of_a_room_check_their_connection_in_one_session_that_lasts_half_a_minute_and_says_its_end() {
        let installation = Installation::from_namespace_uid("uid");
        let at = |second| Timestamp::from_second(second).expect("a time");
        for now in [0, 29, 30, 59, 1_900_000_000, -1] {
            let (name, ends_at) = installation.check_session("room-1", at(now));
            assert_eq!(installation.check(&name), Some(("room-1", ends_at)), "{name}");
            assert!((30..=60).contains(&(ends_at.as_second() - now)), "{now}");
        }
        assert_eq!(installation.check_session("room-1", at(30)).0, installation.check_session("room-1", at(59)).0);
        assert_eq!(installation.check_session("room-1", at(30)).0, "rk-uid-check-room-1-90");
        for other in [installation.session_id("room-1", 90), "rk-other-check-room-1-90".into(), "rk-uid-check-room-1-x".into()] {
            assert_eq!(installation.check(&other), None, "{other}");
        }
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
