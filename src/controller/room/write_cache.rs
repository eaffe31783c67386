//! The newest known state of a Room: the watch lags behind what the controller itself has just written, and planning
//! from the older state would do the work twice.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{Identified, Room};
use crate::cluster::is_older;

/// The last own write to one Room and the uptime at which it was answered, until the watch has shown it.
#[derive(Debug, Default)]
pub struct WriteCache {
    written: Option<(Arc<Room>, Duration)>,
}

impl WriteCache {
    /// The newer one of what the watch shows and what was written. All was listed at `listed_at`: a write of before that is shown since, or
    /// was undone by a restore from a backup.
    pub fn newest(&mut self, watched: Arc<Room>, listed_at: Duration) -> Arc<Room> {
        self.ahead_of(watched.as_ref(), listed_at).unwrap_or(watched)
    }

    /// What was written after what the watch shows, if anything was.
    pub fn ahead_of(&mut self, watched: &impl Identified, listed_at: Duration) -> Option<Arc<Room>> {
        self.written = self.written.take().filter(|(own, answered_at)| *answered_at >= listed_at && is_older(watched, own.as_ref()));
        self.written.as_ref().map(|(own, _)| own.clone())
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.written.is_none()
    }

    /// Remembers the answer to an own write.
    pub fn wrote(&mut self, room: Arc<Room>, uptime: Duration) {
        self.written = Some((room, uptime));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const WRITTEN_AT: Duration = Duration::from_secs(10);

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
        cache.wrote(room(own), WRITTEN_AT);
        assert_eq!(cache.newest(room(watched), WRITTEN_AT).metadata.resource_version.as_deref(), expected);
    }

    #[test]
    fn an_own_write_is_forgotten_once_the_watch_has_shown_it() {
        let mut cache = WriteCache::default();
        cache.wrote(room(Some("10")), WRITTEN_AT);
        cache.newest(room(Some("10")), WRITTEN_AT);
        assert!(cache.written.is_none());
    }

    #[test]
    fn the_latest_own_write_counts() {
        let mut cache = WriteCache::default();
        cache.wrote(room(Some("10")), WRITTEN_AT);
        cache.wrote(room(Some("12")), WRITTEN_AT);
        assert_eq!(cache.newest(room(Some("11")), WRITTEN_AT).metadata.resource_version.as_deref(), Some("12"));
    }

    #[test]
    fn an_own_write_of_before_the_last_list_counts_no_more() {
        let mut cache = WriteCache::default();
        cache.wrote(room(Some("10")), WRITTEN_AT);
        let restored = cache.newest(room(Some("9")), WRITTEN_AT + Duration::from_nanos(1));
        assert_eq!(restored.metadata.resource_version.as_deref(), Some("9"));
        assert!(cache.written.is_none());
    }
}
