//! Third stage, I/O towards the media server only: the session that the Room names. Nothing is changed here.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::invites::revision;
use crate::api::{REISSUE_ANNOTATION, Reason, Room, RoomGuest};
use crate::backend::Backend;
use crate::clock;
use crate::controller::context::Context;
use crate::domain::{
    Failure, KeyRing, Observed, Priority, Rejection, RoomSummary, SessionView, ValidRoom, priority, recorded_session, session_to_observe,
};
use crate::observability::watchdog::Heartbeat;

/// What a reconciliation knows, and what it works with.
pub struct Snapshot {
    /// What the decisions are made from.
    pub observed: Observed,
    /// The class that holds the Room's session, also when the spec is not accepted any more.
    pub class: String,
    /// Its backend, or why there is none.
    pub backend: Result<Arc<dyn Backend>, Failure>,
    /// The keys that sign, if there are any at this moment.
    pub keys: Option<Arc<KeyRing>>,
    /// The reconciliation, as the watchdog knows it.
    pub working: Heartbeat,
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

    /// UID of the Room.
    pub fn uid(&self) -> &str {
        self.room().metadata.uid.as_deref().unwrap_or_default()
    }

    /// The session of the Room, if somebody is in it.
    pub fn used_session(&self) -> Option<&str> {
        let named = self.room().status.as_ref()?.session.as_ref();
        named.filter(|_| is_used(&self.observed.session)).map(|session| session.id.as_str())
    }
}

/// Observes the session of a Room with these guests, and without those who were removed, as judged by its class. `keys` are those of
/// this reconciliation.
pub async fn observe(
    room: Arc<Room>,
    (guests, removed): (Vec<Arc<RoomGuest>>, BTreeSet<String>),
    valid: Result<ValidRoom, Rejection>,
    keys: Option<Arc<KeyRing>>,
    context: &Context,
    now: Timestamp,
) -> Snapshot {
    let named = (&room.metadata.namespace, &room.metadata.name);
    let working = context.health.watchdog().begin(format!("a reconciliation of {:?}/{:?}", named.0, named.1));
    let class = valid.as_ref().map_or_else(|_| room.class_name().unwrap_or_default(), |room| &room.class).to_owned();
    let backend = context.backends.get(&class).map_err(|failure| if context.has_class(&class) { failure } else { without_class(&class) });
    let session = match session_to_observe(&room, valid.as_ref(), now) {
        None => SessionView::NotAsked,
        // A roster of the media server's own is not empty because nobody has come.
        Some(session)
            if backend.as_ref().is_ok_and(|backend| !backend.kind().keeps_roster())
                && is_known_empty(&room, &guests, session, &class, context, now) =>
        {
            SessionView::Present(Vec::new())
        }
        Some(session) => view(&backend, session, keys.as_deref()).await,
    };
    let named = room.status.as_ref().and_then(|status| status.session.as_ref());
    let empty_since = named.filter(|_| !is_used(&session)).and_then(|session| context.occupancy.empty_since(&class, &session.id));
    let joined = named.map_or(0, |session| context.occupancy.joined(&class, &session.id));
    let reissue = room.annotations().get(REISSUE_ANNOTATION).map(String::as_str);
    let invites_revision = match (&valid, &keys) {
        (Ok(valid), Some(keys)) => revision(valid, keys, &context.gateway_url, reissue),
        (Err(_), _) | (_, None) => String::new(),
    };
    let uid = room.metadata.uid.as_deref().unwrap_or_default();
    let recheck_invites = context.states.resync_due(uid, now);
    let (closed_at, unrecorded) = (context.states.closed_at(uid, recorded_session(&room)), context.states.unrecorded(&room));
    let observed =
        Observed { room, guests, removed, valid, session, empty_since, closed_at, unrecorded, joined, invites_revision, recheck_invites };
    Snapshot { observed, class, backend, keys, working }
}

/// Whether a Room that nothing has happened to has an empty session by the list that the class was just looked at with. After a start that
/// one list tells as much as two requests for each Room.
fn is_known_empty(room: &Room, guests: &[Arc<RoomGuest>], session: &str, class: &str, context: &Context, now: Timestamp) -> bool {
    context.states.is_first(room.metadata.uid.as_deref().unwrap_or_default())
        && priority(&RoomSummary::of(room), guests, now) == Priority::Background
        && context.occupancy.was_seen_empty(class, session, clock::uptime())
}

fn without_class(class: &str) -> Failure {
    Failure::misconfigured(Reason::ClassNotFound, format!("there is no RoomClass \"{class}\", so its media server cannot be asked"))
}

/// The session as its media server shows it. Whoever came by an invite of a key that is not in force any more is a stranger.
async fn view(backend: &Result<Arc<dyn Backend>, Failure>, session: &str, keys: Option<&KeyRing>) -> SessionView {
    let seen = match backend {
        Ok(backend) => backend.observe(session).await,
        Err(failure) => Err(failure.clone()),
    };
    match seen {
        Ok(Some(members)) => SessionView::Present(members.into_iter().map(|member| member.held_to(keys)).collect()),
        Ok(None) => SessionView::Absent,
        Err(failure) => SessionView::Unknown(failure),
    }
}

fn is_used(session: &SessionView) -> bool {
    matches!(session, SessionView::Present(members) if !members.is_empty())
}
