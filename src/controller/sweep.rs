//! Holds the sessions on a media server against the Rooms: lost ones are restored, orphans are closed, people are counted.

use std::collections::{BTreeSet, HashMap};

use super::context::Context;
use crate::api::Room;
use crate::backend::Backend;
use crate::clock;
use crate::domain::{Failure, orphans, recorded_session};

/// Sweeps the sessions of a class; `count` says whether people are counted anew.
///
/// Gives the sessions that look like orphans, to be the `suspects` of the next sweep: what still does then is closed.
pub async fn sweep(
    class: &str,
    backend: &dyn Backend,
    suspects: BTreeSet<String>,
    count: bool,
    context: &Context,
) -> Result<BTreeSet<String>, Failure> {
    let sightings = backend.sweep(context.installation.prefix()).await?;
    let joined: HashMap<String, i32> =
        sightings.into_iter().map(|sighting| (sighting.id, i32::try_from(sighting.joined).unwrap_or(i32::MAX))).collect();
    let rooms = context.rooms.state();
    let found: BTreeSet<String> =
        orphans(joined.keys().map(String::as_str), &rooms, &context.installation, clock::now()).into_iter().map(str::to_owned).collect();
    context.metrics.orphans(class, found.len());
    // Twice seen: what a pass has just closed, or just made, is gone or known by then.
    for session in found.intersection(&suspects) {
        tracing::info!(class, session, "closing a session that belongs to no Room");
        backend.close(session).await?;
    }
    context.nudge(|room| lives_here(room, class) && recorded_session(room).is_some_and(|session| !joined.contains_key(session)));
    if count {
        context.joined.set(class, joined);
        context.nudge(|room| {
            let counted = room.status.as_ref().and_then(|status| status.counts).map_or(0, |counts| counts.joined);
            lives_here(room, class) && recorded_session(room).is_some_and(|session| context.joined.get(class, session) != counted)
        });
    }
    Ok(found)
}

fn lives_here(room: &Room, class: &str) -> bool {
    room.class_name() == Some(class)
}
