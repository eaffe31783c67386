//! The signalling connections that go through this gateway, and who ends them when somebody may not stay.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::Room;
use crate::backend::{Backend, TokenSubject};
use crate::domain::Refusal;
use crate::gateway::admission::{LiveRooms, review_members};
use crate::gateway::http::Problem;
use crate::gateway::wall_clock::WallClock;
use crate::observability::logs::AUDIT;
use crate::observability::metrics::Metrics;
use crate::observability::watchdog::Heartbeat;

/// How long the controller has to put somebody out first: the media server then tells the page the reason, and closes the
/// connection itself.
const CONTROLLERS_TURN: Duration = Duration::from_millis(400);
/// How long the media server has to do the same when the gateway asks for it.
const REMOVAL: Duration = Duration::from_millis(250);
/// How long it has to say goodbye, once it has put somebody out.
const GOODBYE: Duration = Duration::from_millis(100);
/// Longest wait for the end of a window without a look at the clock, which may have been set in the meantime.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// All connections, by Room.
pub struct Connections {
    calls: Mutex<HashMap<ObjectRef<Room>, Call>>,
    last_id: AtomicU64,
    rooms: LiveRooms,
    clock: WallClock,
    metrics: Metrics,
}

/// The connections of one Room.
#[derive(Default)]
struct Call {
    people: HashMap<u64, Arc<Connection>>,
    /// When the call ends for all of them, as of the last review.
    ends_at: Option<Timestamp>,
}

/// Somebody's connection.
struct Connection {
    subject: TokenSubject,
    backend: Arc<dyn Backend>,
    /// Somebody is already seeing to its end.
    dismissed: AtomicBool,
    cut: CancellationToken,
    ended: CancellationToken,
}

/// The entry of a connection, as long as it lives.
pub struct ConnectionGuard {
    connections: Arc<Connections>,
    room: ObjectRef<Room>,
    id: u64,
    connection: Arc<Connection>,
}

impl ConnectionGuard {
    /// Returns when the connection is to be cut.
    pub async fn cut(&self) {
        self.connection.cut.cancelled().await;
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.connection.ended.cancel();
        let mut calls = self.connections.calls.lock();
        if let Some(call) = calls.get_mut(&self.room) {
            call.people.remove(&self.id);
            if call.people.is_empty() {
                calls.remove(&self.room);
                // The memory of a busy morning is given back.
                if calls.capacity() > 64 + calls.len() * 4 {
                    calls.shrink_to_fit();
                }
            }
        }
        self.connections.metrics.connection_closed();
    }
}

impl Connections {
    /// No connections yet; people in them are judged by `rooms`.
    pub fn new(rooms: LiveRooms, clock: WallClock, metrics: Metrics) -> Self {
        Self { calls: Mutex::default(), last_id: AtomicU64::default(), rooms, clock, metrics }
    }

    /// Registers a connection. The caller judges it once more after this, because a change of its Room that came earlier has
    /// not reached it.
    pub fn register(self: &Arc<Self>, room: ObjectRef<Room>, subject: TokenSubject, backend: Arc<dyn Backend>) -> ConnectionGuard {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            subject,
            backend,
            dismissed: AtomicBool::default(),
            cut: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        self.calls.lock().entry(room.clone()).or_default().people.insert(id, connection.clone());
        self.metrics.connection_opened();
        ConnectionGuard { connections: self.clone(), room, id, connection }
    }

    /// When a Room's call ends, as was judged just now.
    pub fn ends_at(&self, room: &ObjectRef<Room>, ends_at: Option<Timestamp>) {
        if let Some(call) = self.calls.lock().get_mut(room) {
            call.ends_at = ends_at;
        }
    }

    /// A Room has changed, or is gone: whoever may not stay is disconnected.
    pub fn room_changed(self: &Arc<Self>, room: &ObjectRef<Room>) {
        let Some(people) = self.calls.lock().get(room).map(|call| call.people.values().cloned().collect::<Vec<_>>()) else { return };
        let subjects: Vec<&TokenSubject> = people.iter().map(|connection| &connection.subject).collect();
        let review = review_members(&self.rooms, room, &subjects, self.clock.now());
        self.ends_at(room, review.ends_at);
        let seen_at = self.clock.now();
        for (connection, refusal) in people.into_iter().zip(review.refusals) {
            let Some(refusal) = refusal else { continue };
            if !connection.dismissed.swap(true, Ordering::Relaxed) {
                tokio::spawn(self.clone().dismiss(room.clone(), connection, refusal, seen_at));
            }
        }
    }

    /// Something that all Rooms depend on has changed.
    pub fn everything_changed(self: &Arc<Self>) {
        let rooms: Vec<_> = self.calls.lock().keys().cloned().collect();
        for room in &rooms {
            self.room_changed(room);
        }
    }

    /// Puts out everybody whose window is over. The wall clock decides, the timer only wakes.
    pub async fn end_calls_on_time(self: Arc<Self>, heartbeat: Heartbeat) {
        loop {
            heartbeat.beat();
            let now = self.clock.now();
            let ends: Vec<_> = self.calls.lock().iter().filter_map(|(room, call)| Some((room.clone(), call.ends_at?))).collect();
            let (over, running): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(_, ends_at)| *ends_at <= now);
            for (room, _) in &over {
                self.room_changed(room);
            }
            let next = running.iter().filter_map(|(_, ends_at)| Duration::try_from(ends_at.duration_since(now)).ok()).min();
            sleep(next.map_or(LOOK_EVERY, |next| next.min(LOOK_EVERY))).await;
        }
    }

    /// Sees to the end of a connection: by the controller, else by the media server, else by cutting it.
    async fn dismiss(self: Arc<Self>, room: ObjectRef<Room>, connection: Arc<Connection>, refusal: Refusal, seen_at: Timestamp) {
        let Connection { subject, backend, cut, ended, .. } = &*connection;
        let left = timeout(CONTROLLERS_TURN, ended.cancelled()).await.is_ok() || {
            // The same person may be there by a newer invite, and has thereby taken the place of this connection.
            if !self.has_another(&room, &connection) {
                let _ = timeout(REMOVAL, backend.remove(&subject.session, &subject.identity)).await;
            }
            timeout(GOODBYE, ended.cancelled()).await.is_ok()
        };
        cut.cancel();
        ended.cancelled().await;
        self.metrics.revoked(self.clock.now().duration_since(seen_at));
        let (namespace, reason) = (room.namespace.as_deref(), Problem::from(&refusal).name());
        tracing::info!(target: AUDIT, event = "put out", namespace, room = room.name, participant = subject.identity, reason, cut = !left);
    }

    /// Whether the same person has another connection to the same session that nobody is putting out.
    fn has_another(&self, room: &ObjectRef<Room>, connection: &Arc<Connection>) -> bool {
        let TokenSubject { session, identity, .. } = &connection.subject;
        self.calls.lock().get(room).is_some_and(|call| {
            call.people.values().any(|other| {
                !Arc::ptr_eq(other, connection)
                    && !other.dismissed.load(Ordering::Relaxed)
                    && (&other.subject.session, &other.subject.identity) == (session, identity)
            })
        })
    }
}
