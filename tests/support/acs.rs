//! A stateful double of two REST APIs of Azure Communication Services (ACS): Rooms 2025-03-13 and Identity 2025-06-30.
//!
//! It answers as the specifications and the service's published recordings show, and refuses what they do not show, so that nothing
//! passes here that the service may refuse. Where neither says what happens, it does this:
//! - Who is in a call stays there when the room is deleted or its window ends, and when their identity is deleted or their role changes;
//!   only who is taken off the roster of a room is out of its call, and at once.
//! - A roster keeps the raw ids of identities that were deleted, but takes none that do not exist.
//! - The answer to a repeated request is that of the first time, even when the room has changed or is gone.
//! - An identity of this resource that does not exist is 404. One of another resource is 401 `IdentityNotOwned`; that was seen.
//! - Identity's own refusals have no `x-ms-error-code`, as in its recordings; those of Rooms and of the signature have one.

mod calls;
mod entra;
mod faults;
mod identifiers;
mod identities;
mod moments;
mod reply;
mod request;
mod rooms;
mod service;
mod signature;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use faults::Fault;
use identifiers::random;
use reply::Reply;
use request::Received;
pub use rooms::RoomState;
use service::Service;

/// The double, until it is dropped.
pub struct AcsServer {
    endpoint: String,
    access_key: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    service: Mutex<Service>,
    /// Changes when faults are cleared, for requests that wait without an answer.
    cleared: watch::Sender<()>,
}

impl AcsServer {
    /// Starts a double without rooms and identities on a free port of loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let key: [u8; 64] = random();
        let service = Mutex::new(Service::new(endpoint.clone(), key.to_vec()));
        let shared = Arc::new(Shared { service, cleared: watch::Sender::default() });
        let handle = shared.clone();
        let serving = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = handle.clone();
                let service = service_fn(move |request| answer(request, shared.clone()));
                connections.spawn(async move { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) });
            }
        });
        Self { endpoint, access_key: STANDARD.encode(key), shared, serving }
    }

    /// The resource's address, without a slash at its end.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The resource's key, in base64.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// From now on it takes the tokens of this workload identity, too, which it gives out itself, and which last so many seconds.
    pub fn trust_identity(&self, client: &str, assertion: &str, seconds: i64) {
        let mut service = self.shared.service.lock();
        service.entra.identity = Some((client.to_owned(), assertion.to_owned()));
        service.entra.lasts = SignedDuration::from_secs(seconds);
    }

    /// From now on its clock is so far ahead of the right time, or behind it.
    pub fn set_skew(&self, skew: SignedDuration) {
        self.shared.service.lock().skew = skew;
    }

    /// From now on whether it answers 403 to every request that is signed well.
    pub fn refuse_access(&self, refuses: bool) {
        self.shared.service.lock().refuses_access = refuses;
    }

    /// From now on it carries out so many creations and token issues within 30 seconds, and half as many revocations and deletions.
    pub fn limit_identities(&self, per_30_s: usize) {
        self.shared.service.lock().identities.limit(per_30_s);
    }

    /// What a caller's client does: joins a room by a token. The role, or the subcode of the refusal: 5732 when there is no such room,
    /// 5828 when the token or the roster does not let them in, 5829 outside of the window.
    pub fn join(&self, room: &str, token: &str) -> Result<String, u32> {
        self.shared.service.lock().join(room, token)
    }

    /// Raw ids of who is in the call of a room, including a room that was deleted meanwhile.
    pub fn in_call(&self, room: &str) -> Vec<String> {
        self.shared.service.lock().calls.of(room)
    }

    /// Raw ids of who is left in the call of a room that was deleted; nobody while the room exists. Whether the service ends such a call
    /// is unproven, so whoever wants a call to end takes everybody off the roster first.
    pub fn still_in_call(&self, room: &str) -> Vec<String> {
        let service = self.shared.service.lock();
        if service.rooms.exists(room) { Vec::new() } else { service.calls.of(room) }
    }

    /// The requests so far as `METHOD /path -> status`, with `{id}` for ids. Those that went wrong say how: `-> lost`, `-> silent`, or
    /// after the status `, unanswered`, `, malformed` or `, not JSON`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.service.lock().log.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.service.lock().log.clear();
    }

    /// The rooms, in the order of their creation.
    pub fn rooms(&self) -> Vec<RoomState> {
        self.shared.service.lock().rooms.states()
    }

    /// Raw ids of the identities that exist.
    pub fn identities(&self) -> Vec<String> {
        self.shared.service.lock().identities.all()
    }

    /// Deletes a room as somebody does in the portal, without a request.
    ///
    /// # Panics
    /// When there is no such room.
    pub fn delete_room(&self, id: &str) {
        assert!(self.shared.service.lock().rooms.remove(id), "no room {id}");
    }

    /// Makes a room with this window, as another program does, some time ago if the window is over; its id.
    pub fn add_room(&self, valid_from: Timestamp, valid_until: Timestamp) -> String {
        self.shared.service.lock().rooms.add_room(valid_from, valid_until)
    }

    /// Puts somebody on the roster of a room, as another program does.
    ///
    /// # Panics
    /// When there is no such room.
    pub fn add_participant(&self, room: &str, user: &str, role: &str) {
        assert!(self.shared.service.lock().rooms.add(room, user, role), "no room {room}");
    }

    /// The next requests of this method whose path contains this go wrong, so many of them. `{id}` may stand for an id, as in
    /// [`Self::requests`]. Of several such rules the oldest comes first.
    pub fn fail_next(&self, method: &str, path_contains: &str, times: usize, fault: Fault) {
        self.shared.service.lock().faults.add(method, path_contains, times, fault);
    }

    /// From now on nothing goes wrong, and the connections of requests that wait are closed.
    pub fn clear_faults(&self) {
        self.shared.service.lock().faults = faults::Faults::default();
        self.shared.cleared.send_replace(());
    }
}

impl Drop for AcsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An error closes the connection.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
    let request = Received::read(request).await?;
    // Before the fault is taken, so that no clearing after that is missed.
    let mut cleared = shared.cleared.subscribe();
    let fault = shared.service.lock().faults.take(&request);
    let carry_out = |note: &str| shared.service.lock().carry_out(&request, note);
    let note = |outcome: &str| shared.service.lock().note(&request, outcome);
    let reply = match fault {
        None => carry_out(""),
        Some(Fault::Status { status, code, retry_after }) => {
            note(&status.to_string());
            let reply = Reply::refusal(status, code, "This is a fault of the test.");
            retry_after.into_iter().fold(reply, |reply, seconds| reply.header("retry-after", &seconds.to_string()))
        }
        Some(Fault::Lost) => {
            note("lost");
            return Err(closed());
        }
        Some(Fault::Unanswered) => {
            carry_out(", unanswered");
            return Err(closed());
        }
        Some(Fault::Malformed) => carry_out(", malformed").malformed(),
        Some(Fault::NotJson) => return Ok(carry_out(", not JSON").into_page()),
        Some(Fault::Silent) => {
            note("silent");
            // They are cleared as long as there is a double, of which this is a part.
            let _ = cleared.changed().await;
            return Err(closed());
        }
    };
    let date = moments::header(shared.service.lock().now());
    Ok(reply.header("date", &date).into_response())
}
