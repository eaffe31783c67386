//! The newest known state of each Room: the watch lags behind what the controller itself has just written, and planning
//! from the older state would do the work twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::Room;

/// Own writes, until the watch has shown them.
#[derive(Default)]
pub struct WriteCache(Mutex<HashMap<String, Arc<Room>>>);

impl WriteCache {
    /// The newer one of what the watch shows and what was written.
    pub fn of(&self, watched: Arc<Room>) -> Arc<Room> {
        let Some(uid) = watched.metadata.uid.as_deref() else { return watched };
        let mut written = self.written();
        match written.get(uid) {
            Some(own) if is_newer(own, &watched) => own.clone(),
            Some(_) => {
                written.remove(uid);
                watched
            }
            None => watched,
        }
    }

    /// Remembers the answer to an own write.
    pub fn wrote(&self, room: Room) -> Arc<Room> {
        let room = Arc::new(room);
        if let Some(uid) = room.metadata.uid.clone() {
            self.written().insert(uid, room.clone());
        }
        room
    }

    /// Forgets a Room that is gone.
    pub fn forget(&self, uid: &str) {
        self.written().remove(uid);
    }

    fn written(&self) -> MutexGuard<'_, HashMap<String, Arc<Room>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resource versions of one resource grow, and are compared as numbers since Kubernetes 1.35 by contract and before in
/// fact. Where one of the two is no number, the watch wins.
fn is_newer(own: &Room, watched: &Room) -> bool {
    let version = |room: &Room| room.metadata.resource_version.as_deref().and_then(|version| version.parse::<u128>().ok());
    version(own).zip(version(watched)).is_some_and(|(own, watched)| own > watched)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn room(uid: &str, version: Option<&str>) -> Room {
        let mut room = Room::default();
        room.metadata.uid = Some(uid.into());
        room.metadata.resource_version = version.map(Into::into);
        room
    }

    /// The version that counts, after an own write and a snapshot of the watch.
    fn newest(own: Option<&str>, watched: Option<&str>) -> Option<String> {
        let newest = WriteCache::default();
        newest.wrote(room("a", own));
        newest.of(room("a", watched).into()).metadata.resource_version.clone()
    }

    #[rstest]
    #[case::the_watch_lags(Some("10"), Some("9"), Some("10"))]
    #[case::the_watch_shows_the_write(Some("10"), Some("10"), Some("10"))]
    #[case::somebody_else_wrote_after(Some("10"), Some("11"), Some("11"))]
    #[case::longer_than_any_machine_word(Some("36893488147419103233"), Some("36893488147419103232"), Some("36893488147419103233"))]
    #[case::own_is_no_number(Some("x"), Some("9"), Some("9"))]
    #[case::watched_is_no_number(Some("10"), Some("x"), Some("x"))]
    #[case::own_has_none(None, Some("9"), Some("9"))]
    #[case::watched_has_none(Some("10"), None, None)]
    fn the_newer_one_counts_and_in_doubt_the_watch(
        #[case] own: Option<&str>,
        #[case] watched: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(newest(own, watched).as_deref(), expected);
    }

    #[test]
    fn an_own_write_is_forgotten_once_the_watch_has_shown_it() {
        let newest = WriteCache::default();
        newest.wrote(room("a", Some("10")));
        newest.of(room("a", Some("10")).into());
        assert!(newest.written().is_empty());
    }

    #[test]
    fn the_latest_own_write_counts() {
        let newest = WriteCache::default();
        newest.wrote(room("a", Some("10")));
        newest.wrote(room("a", Some("12")));
        assert_eq!(newest.of(room("a", Some("11")).into()).metadata.resource_version.as_deref(), Some("12"));
    }

    #[test]
    fn a_room_that_was_made_again_under_the_same_name_is_another_one() {
        let newest = WriteCache::default();
        newest.wrote(room("a", Some("10")));
        assert_eq!(newest.of(room("b", Some("9")).into()).metadata.uid.as_deref(), Some("b"));
    }

    #[test]
    fn a_room_that_is_gone_is_forgotten() {
        let newest = WriteCache::default();
        newest.wrote(room("a", Some("10")));
        newest.forget("a");
        assert_eq!(newest.of(room("a", Some("9")).into()).metadata.resource_version.as_deref(), Some("9"));
    }
}
