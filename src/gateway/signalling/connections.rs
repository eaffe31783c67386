//! The signalling connections that go through this gateway, and what becomes of them when their Room takes something away: a role is
//! lowered, or a connection ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::{Role, Room};
use crate::backend::{Backend, Registry, TokenSubject};
use crate::domain::{Refusal, is_above, lower};
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
/// How long one request to the media server may take when nobody waits for it any more.
const REQUEST: Duration = Duration::from_secs(5);
/// The first and the longest pause before the media server is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// How long it has to say goodbye, once it has put somebody out.
const GOODBYE: Duration = Duration::from_millis(100);
/// Longest wait for the end of a window without a look at the clock, which may have been set in the meantime.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// All connections, by Room.
pub struct Connections {
    calls: Mutex<HashMap<ObjectRef<Room>, Call>>,
    last_id: AtomicU64,
    rooms: LiveRooms,
    backends: Arc<Registry>,
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
    class: String,
    /// The backend of the class when the connection was made, for when the class is gone.
    backend: Arc<dyn Backend>,
    /// The role that they should have, as of the last review.
    role: Mutex<Role>,
    /// Somebody is already seeing to its end.
    dismissed: AtomicBool,
    cut: CancellationToken,
    ended: CancellationToken,
}

impl Connection {
    /// Takes note of the role that somebody has now; whether something was taken from them thereby. A Room that is not accepted raises
    /// nobody's.
    fn lowers(&self, role: Role, accepted: bool) -> bool {
        let mut known = self.role.lock();
        let before = *known;
        *known = if accepted { role } else { lower(role, before) };
        is_above(before, *known)
    }
}

/// What a connection is registered with.
pub struct NewConnection {
    pub room: ObjectRef<Room>,
    pub subject: TokenSubject,
    pub class: String,
    pub backend: Arc<dyn Backend>,
    /// The role of the media token by which they connected.
    pub role: Role,
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
    pub fn new(rooms: LiveRooms, backends: Arc<Registry>, clock: WallClock, metrics: Metrics) -> Self {
        Self { calls: Mutex::default(), last_id: AtomicU64::default(), rooms, backends, clock, metrics }
    }

    /// Registers a connection, and judges it once more: of a change of its Room that came earlier it has not heard, of every later one
    /// it will.
    pub fn register(self: &Arc<Self>, new: NewConnection) -> Result<ConnectionGuard, Refusal> {
        let NewConnection { room, subject, class, backend, role } = new;
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            subject,
            class,
            backend,
            role: Mutex::new(role),
            dismissed: AtomicBool::default(),
            cut: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        self.calls.lock().entry(room.clone()).or_default().people.insert(id, connection.clone());
        self.metrics.connection_opened();
        let guard = ConnectionGuard { connections: self.clone(), room, id, connection: connection.clone() };
        match self.review(&guard.room, vec![connection]).into_iter().next() {
            None => Ok(guard),
            Some((connection, refusal)) => {
                tokio::spawn(self.clone().remove_until_gone(guard.room.clone(), connection));
                Err(refusal)
            }
        }
    }

    /// Judges some of the people in a Room's call: who may not stay. Whose role is lower than before gets the lower one.
    fn review(self: &Arc<Self>, room: &ObjectRef<Room>, people: Vec<Arc<Connection>>) -> Vec<(Arc<Connection>, Refusal)> {
        let subjects: Vec<&TokenSubject> = people.iter().map(|connection| &connection.subject).collect();
        let review = review_members(&self.rooms, room, &subjects, self.clock.now());
        if let Some(call) = self.calls.lock().get_mut(room) {
            call.ends_at = review.ends_at;
        }
        let mut refused = Vec::new();
        for (connection, verdict) in people.into_iter().zip(review.verdicts) {
            match verdict {
                Err(refusal) => refused.push((connection, refusal)),
                Ok(role) if connection.lowers(role, review.accepted) => {
                    tokio::spawn(self.clone().lower_role(connection));
                }
                Ok(_) => {}
            }
        }
        refused
    }

    /// A Room has changed, or is gone: whoever may not stay is disconnected.
    pub fn room_changed(self: &Arc<Self>, room: &ObjectRef<Room>) {
        let Some(people) = self.calls.lock().get(room).map(|call| call.people.values().cloned().collect::<Vec<_>>()) else { return };
        let seen_at = self.clock.now();
        for (connection, refusal) in self.review(room, people) {
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

    /// Sees to the end of a connection: by the controller, else by the media server, else by cutting it. Its media go by another way,
    /// which only the media server ends.
    async fn dismiss(self: Arc<Self>, room: ObjectRef<Room>, connection: Arc<Connection>, refusal: Refusal, seen_at: Timestamp) {
        let Connection { subject, cut, ended, .. } = &*connection;
        let mut left = timeout(CONTROLLERS_TURN, ended.cancelled()).await.is_ok();
        // Who has left may have cut the connection themselves.
        let removed = self.may_be_there(&room, &connection) || self.remove(&connection, REMOVAL).await;
        left = left || timeout(GOODBYE, ended.cancelled()).await.is_ok();
        cut.cancel();
        ended.cancelled().await;
        self.metrics.revoked(self.clock.now().duration_since(seen_at));
        let (namespace, reason) = (room.namespace.as_deref(), Problem::from(&refusal).name());
        tracing::info!(target: AUDIT, event = "put out", namespace, room = room.name, participant = subject.identity, reason, cut = !left);
        if !removed {
            self.remove_until_gone(room, connection).await;
        }
    }

    /// Has the media server remove somebody, as often as it takes, unless they may be there again.
    async fn remove_until_gone(self: Arc<Self>, room: ObjectRef<Room>, connection: Arc<Connection>) {
        let (mut pause, longest) = PAUSES;
        while !self.may_be_there(&room, &connection) && !self.remove(&connection, REQUEST).await {
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    /// Has the media server remove somebody; whether it did, or did not know them.
    async fn remove(&self, connection: &Connection, patience: Duration) -> bool {
        let TokenSubject { session, identity, .. } = &connection.subject;
        let backend = self.backend_of(connection);
        matches!(timeout(patience, backend.remove(session, identity)).await, Ok(Ok(())))
    }

    /// Gives somebody the lower role that they have now, as often as it takes. The controller comes first here too.
    async fn lower_role(self: Arc<Self>, connection: Arc<Connection>) {
        let TokenSubject { session, identity, display_name, .. } = &connection.subject;
        let (mut pause, longest) = (CONTROLLERS_TURN, PAUSES.1);
        while timeout(pause, connection.ended.cancelled()).await.is_err() {
            let role = *connection.role.lock();
            let backend = self.backend_of(&connection);
            let set = timeout(REQUEST, backend.set_role(session, identity, role, display_name)).await;
            // A role that has changed meanwhile may have been overwritten.
            if matches!(set, Ok(Ok(()))) && *connection.role.lock() == role {
                return;
            }
            pause = longest.min(pause * 2);
        }
    }

    /// The backend of a connection's class as it is now: its credentials may have changed.
    fn backend_of(&self, connection: &Connection) -> Arc<dyn Backend> {
        self.backends.get(&connection.class).unwrap_or_else(|_| connection.backend.clone())
    }

    /// Whether somebody may be in the session of a connection: by another one, which has thereby taken the place of this, or because
    /// their Room lets them.
    fn may_be_there(&self, room: &ObjectRef<Room>, connection: &Arc<Connection>) -> bool {
        let review = || review_members(&self.rooms, room, &[&connection.subject], self.clock.now());
        self.has_another(room, connection) || review().verdicts.iter().all(Result::is_ok)
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
