//! First stage, I/O towards the media server only: the Room, judged by its class, and the session it names.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::invites::revision;
use crate::api::{Room, RoomGuest};
use crate::backend::Backend;
use crate::controller::context::Context;
use crate::domain::{
    Failure, KeyRing, NamespaceView, Observed, Rejection, Roster, SessionView, ValidRoom, accept, guests_of, session_to_observe,
};

/// What a reconciliation knows, and what it works with.
pub struct Snapshot {
    /// What the decisions are made from.
    pub observed: Observed,
    /// The backend that holds the Room's session, or why there is none.
    pub backend: Result<Arc<dyn Backend>, Failure>,
    /// The keys that sign.
    pub keys: Arc<KeyRing>,
}

impl Snapshot {
    /// The newest known state of the Room.
    pub fn room(&self) -> &Room {
        &self.observed.room
    }

    /// Namespace of the Room.
    pub fn namespace(&self) -> &str {
        self.room().metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Name of the Room.
    pub fn name(&self) -> &str {
        self.room().metadata.name.as_deref().unwrap_or_default()
    }
}

/// Looks at a Room. `keys` are those of this reconciliation.
pub async fn observe(room: Arc<Room>, keys: Arc<KeyRing>, context: &Context, now: Timestamp) -> Snapshot {
    let room = context.writes.of(room);
    let guests = guests_of(&room, context.guests.state());
    let valid = judge(&room, &guests, context);
    let class = class_of(&room, &valid);
    let backend = context.backends.get(&class);
    let session = match session_to_observe(&room, valid.as_ref(), now) {
        None => SessionView::NotAsked,
        Some(session) => look(&backend, session).await,
    };
    let invites_revision = valid.as_ref().map_or_else(|_| String::new(), |room| revision(room, &keys, &context.gateway_url));
    let recheck_invites = context.retries.recheck_due(room.metadata.uid.as_deref().unwrap_or_default(), now);
    let live = room.status.as_ref().and_then(|status| status.session.as_ref());
    let joined = live.map_or(0, |session| context.occupancy.joined(&class, &session.id));
    if let (Some(live), SessionView::Present(members)) = (live, &session)
        && !members.is_empty()
    {
        context.occupancy.is_used(&class, &live.id);
    }
    let empty_since = live.and_then(|session| context.occupancy.empty_since(&class, &session.id));
    let observed = Observed { room, guests, valid, session, empty_since, joined, invites_revision, recheck_invites };
    Snapshot { observed, backend, keys }
}

fn judge(room: &Room, guests: &[Arc<RoomGuest>], context: &Context) -> Result<ValidRoom, Rejection> {
    let namespace = context.namespaces.get(&ObjectRef::new(&room.namespace().unwrap_or_default()));
    let labels = namespace.as_ref().and_then(|namespace| namespace.metadata.labels.as_ref());
    let classes = context.classes.state();
    accept(room, Roster::new(room, guests), classes.iter().map(AsRef::as_ref), NamespaceView::Labels(labels))
}

/// The class that holds the Room's session, also when the spec is not accepted any more.
fn class_of(room: &Room, valid: &Result<ValidRoom, Rejection>) -> String {
    valid.as_ref().map_or_else(|_| room.class_name().unwrap_or_default(), |room| &room.class).to_owned()
}

async fn look(backend: &Result<Arc<dyn Backend>, Failure>, session: &str) -> SessionView {
    let seen = match backend {
        Ok(backend) => backend.observe(session).await,
        Err(failure) => Err(failure.clone()),
    };
    match seen {
        Ok(Some(members)) => SessionView::Present(members),
        Ok(None) => SessionView::Absent,
        Err(failure) => SessionView::Unknown(failure),
    }
}
