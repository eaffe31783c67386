//! The newest known state of each Room: the watch lags behind what the controller itself has just written, and planning
//! from the older state would do the work twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::api::Room;

/// Own writes, until the watch has shown them.
#[derive(Default)]
pub struct Newest(Mutex<HashMap<String, Arc<Room>>>);

impl Newest {
    /// The newer one of what the watch shows and what was written.
    pub fn of(&self, watched: Arc<Room>) -> Arc<Room> {
        let Some(uid) = watched.metadata.uid.as_deref() else { return watched };
        let mut written = self.written();
        match written.get(uid) {
            Some(own) if version(own) > version(&watched) => own.clone(),
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
/// fact. One that is no number counts as old, so that the watch wins.
fn version(room: &Room) -> u128 {
    room.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}
