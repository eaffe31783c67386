//! The signalling connections that go through this gateway, and who ends them when somebody may not stay.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::api::Room;
use crate::backend::{Backend, TokenSubject};
use crate::domain::Refusal;
use crate::gateway::admission::join::AdmissionService;
use crate::gateway::http::problem::Problem;
use crate::observability::logs::AUDIT;
use crate::observability::metrics::Metrics;

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
    rooms: Mutex<HashMap<ObjectRef<Room>, Call>>,
    last_id: AtomicU64,
    clock: fn() -> Timestamp,
    metrics: Metrics,
}

/// The connections of one Room.
#[derive(Default)]
struct Call {
    people: HashMap<u64, Arc<Connection>>,
    /// When the call ends for all of them, as of the last judgement.
    until: Option<Timestamp>,
}

/// Somebody's connection.
struct Connection {
    holder: TokenSubject,
    backend: Arc<dyn Backend>,
    /// Somebody is already seeing to its end.
    dismissed: AtomicBool,
    cut: CancellationToken,
    ended: CancellationToken,
}

/// A place in the table, as long as the connection lives.
pub struct Guard {
    connections: Arc<Connections>,
    room: ObjectRef<Room>,
    id: u64,
    connection: Arc<Connection>,
}

impl Guard {
    /// Returns when the connection is to be cut.
    pub async fn cut(&self) {
        self.connection.cut.cancelled().await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.connection.ended.cancel();
        let mut rooms = self.connections.lock();
        if let Some(call) = rooms.get_mut(&self.room) {
            call.people.remove(&self.id);
            if call.people.is_empty() {
                rooms.remove(&self.room);
                // A busy morning must not be held in memory for ever.
                if rooms.capacity() > 64 + rooms.len() * 4 {
                    rooms.shrink_to_fit();
                }
            }
        }
        self.connections.metrics.connection_closed();
    }
}

impl Connections {
    /// An empty table.
    pub fn new(clock: fn() -> Timestamp, metrics: Metrics) -> Self {
        Self { rooms: Mutex::default(), last_id: AtomicU64::default(), clock, metrics }
    }

    /// Enters a connection. It has to be judged once more after this: a change that came before was not yet meant for it.
    pub fn enter(self: &Arc<Self>, room: ObjectRef<Room>, holder: TokenSubject, backend: Arc<dyn Backend>) -> Guard {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            holder,
            backend,
            dismissed: AtomicBool::default(),
            cut: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        self.lock().entry(room.clone()).or_default().people.insert(id, connection.clone());
        self.metrics.connection_opened();
        Guard { connections: self.clone(), room, id, connection }
    }

    /// When a Room's call ends, as was judged just now.
    pub fn ends_at(&self, room: &ObjectRef<Room>, until: Option<Timestamp>) {
        if let Some(call) = self.lock().get_mut(room) {
            call.until = until;
        }
    }

    /// A Room has changed, or is gone: whoever may not stay is put out.
    pub fn room_changed(self: &Arc<Self>, lobby: &AdmissionService, room: &ObjectRef<Room>) {
        let Some(people) = self.lock().get(room).map(|call| call.people.values().cloned().collect::<Vec<_>>()) else { return };
        let holders: Vec<&TokenSubject> = people.iter().map(|connection| &connection.holder).collect();
        let (refusals, until) = lobby.judge(room, &holders);
        self.ends_at(room, until);
        let seen_at = (self.clock)();
        for (connection, refusal) in people.into_iter().zip(refusals) {
            let Some(refusal) = refusal else { continue };
            if !connection.dismissed.swap(true, Ordering::Relaxed) {
                tokio::spawn(self.clone().dismiss(room.clone(), connection, refusal, seen_at));
            }
        }
    }

    /// Something that all Rooms depend on has changed.
    pub fn everything_changed(self: &Arc<Self>, lobby: &AdmissionService) {
        let rooms: Vec<_> = self.lock().keys().cloned().collect();
        for room in &rooms {
            self.room_changed(lobby, room);
        }
    }

    /// Puts out everybody whose window is over. The wall clock decides, the timer only wakes.
    pub async fn keep_time(self: Arc<Self>, lobby: Arc<AdmissionService>) {
        let turning = self.metrics.watchdog().begin("the ends of calls".into());
        loop {
            turning.beat();
            let now = (self.clock)();
            let ends: Vec<_> = self.lock().iter().filter_map(|(room, call)| Some((room.clone(), call.until?))).collect();
            let (over, running): (Vec<_>, Vec<_>) = ends.into_iter().partition(|(_, until)| *until <= now);
            for (room, _) in &over {
                self.room_changed(&lobby, room);
            }
            let next = running.iter().filter_map(|(_, until)| Duration::try_from(until.duration_since(now)).ok()).min();
            sleep(next.map_or(LOOK_EVERY, |next| next.min(LOOK_EVERY))).await;
        }
    }

    /// Sees to the end of a connection: by the controller, else by the media server, else by cutting it.
    async fn dismiss(self: Arc<Self>, room: ObjectRef<Room>, connection: Arc<Connection>, refusal: Refusal, seen_at: Timestamp) {
        let Connection { holder, backend, cut, ended, .. } = &*connection;
        let left = timeout(CONTROLLERS_TURN, ended.cancelled()).await.is_ok() || {
            // The same person may be there by a newer invite, and has thereby taken the place of this connection.
            if !self.has_another(&room, &connection) {
                let _ = timeout(REMOVAL, backend.remove(&holder.session, &holder.identity)).await;
            }
            timeout(GOODBYE, ended.cancelled()).await.is_ok()
        };
        cut.cancel();
        ended.cancelled().await;
        self.metrics.revoked((self.clock)().duration_since(seen_at));
        let (namespace, reason) = (room.namespace.as_deref(), Problem::from(&refusal).name());
        tracing::info!(target: AUDIT, event = "put out", namespace, room = room.name, participant = holder.identity, reason, cut = !left);
    }

    /// Whether the same person has another connection to the same session that nobody is putting out.
    fn has_another(&self, room: &ObjectRef<Room>, connection: &Arc<Connection>) -> bool {
        let TokenSubject { session, identity, .. } = &connection.holder;
        self.lock().get(room).is_some_and(|call| {
            call.people.values().any(|other| {
                !Arc::ptr_eq(other, connection)
                    && !other.dismissed.load(Ordering::Relaxed)
                    && (&other.holder.session, &other.holder.identity) == (session, identity)
            })
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef<Room>, Call>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
