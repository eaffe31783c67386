//! The newest known state of a Room: the watch lags behind what the controller itself has just written, and planning
//! from the older state would do the work twice.

use std::sync::Arc;

use crate::api::Room;

/// The last own write to one Room, until the watch has shown it.
#[derive(Debug, Default)]
pub struct WriteCache {
    written: Option<Arc<Room>>,
}

impl WriteCache {
    /// The newer one of what the watch shows and what was written.
    pub fn newest(&mut self, watched: Arc<Room>) -> Arc<Room> {
        self.written = self.written.take().filter(|own| is_newer(own, &watched));
        self.written.clone().unwrap_or(watched)
    }

    /// Remembers the answer to an own write.
    pub fn wrote(&mut self, room: Arc<Room>) {
        self.written = Some(room);
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

    fn room(version: Option<&str>) -> Arc<Room> {
        let mut room = Room::default();
        room.metadata.resource_version = version.map(Into::into);
        room.into()
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
        let mut cache = WriteCache::default();
        cache.wrote(room(own));
        assert_eq!(cache.newest(room(watched)).metadata.resource_version.as_deref(), expected);
    }

    #[test]
    fn an_own_write_is_forgotten_once_the_watch_has_shown_it() {
        let mut cache = WriteCache::default();
        cache.wrote(room(Some("10")));
        cache.newest(room(Some("10")));
        assert!(cache.written.is_none());
    }

    #[test]
    fn the_latest_own_write_counts() {
        let mut cache = WriteCache::default();
        cache.wrote(room(Some("10")));
        cache.wrote(room(Some("12")));
        assert_eq!(cache.newest(room(Some("11"))).metadata.resource_version.as_deref(), Some("12"));
    }
}
