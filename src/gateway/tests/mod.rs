//! The gateway as its clients meet it: requests against the router, with Rooms, classes, keys, media server and clock set
//! by hand.

mod capacity;
mod connection_check;
mod fake_writer;
mod fuzz;
mod http;
mod joining;
mod links;
mod logs;
mod moderating;
mod on_demand;
mod page;
mod refusals;
mod removals;
mod signalling;
mod viewing;

use futures::FutureExt;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::runtime::reflector::store::{Writer, store};
use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use self::fake_writer::FakeWriter;
use super::admission::{AdmissionService, CallObserver, ConnectionChecks, InviteKeys, LiveRooms, ModerationService};
use super::http::{Api, LinkTurns, PER_ADDRESS, PublicAddress, RateLimits, TrustedProxies};
use super::router::{AppState, router};
use super::signalling::{Connections, SignallingProxy, Upstream};
use super::wall_clock::WallClock;
use super::webhooks::Webhooks;
use crate::api::{Reason, Role, Room, RoomClass};
use crate::backend::fake::Operation;
use crate::backend::{Backend, FakeMediaServer, Registry};
use crate::cluster::{Guests, Removals, WatchAges};
use crate::domain::{Failure, Installation, Invite, KeyRing, SessionMember, TokenGrant, generate_key};
use crate::observability::metrics::Metrics;

const FROM: &str = "2030-01-15T09:00:00Z";
const NOON: &str = "2030-01-15T12:00:00Z";
const UNTIL: &str = "2030-01-15T15:00:00Z";
/// What every media token begins with, to look for in places where none belongs.
const MEDIA_TOKEN: &str = FakeMediaServer::TOKEN_PREFIX;
const SESSION: &str = "rk-test-11111111-2222-3333-4444-555555555555-1";
/// The session that is made when that one is lost.
const NEXT_SESSION: &str = "rk-test-11111111-2222-3333-4444-555555555555-2";

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The gateway and everything around it.
struct Fixture {
    rooms: Arc<Mutex<Writer<Room>>>,
    classes: Writer<RoomClass>,
    keys: watch::Sender<Option<Arc<KeyRing>>>,
    media: Arc<FakeMediaServer>,
    backends: Arc<Registry>,
    writer: Arc<FakeWriter>,
    clock: TestClock,
    router: Router,
}

/// A clock that stands still until it is set, the same on all threads.
#[derive(Clone)]
struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    fn set(&self, now: &str) {
        *self.0.lock() = moment(now);
    }

    fn wall_clock(&self) -> WallClock {
        let now = self.0.clone();
        WallClock::new(move || *now.lock())
    }
}

/// What the gateway answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and type of a problem, whose form is checked on the way.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert!(json["title"].is_string() && json["detail"].is_string(), "{json}");
        (self.status.as_u16(), json["type"].as_str().unwrap().strip_prefix("urn:roomkeeper:problem:").unwrap().to_owned())
    }
}

fn problem(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

/// A Room that is open at noon, with one person of each role.
fn room() -> Value {
    json!({
        "metadata": {"namespace": "team", "name": "standup", "uid": "11111111-2222-3333-4444-555555555555", "creationTimestamp": "2030-01-01T00:00:00Z"},
        "spec": {
            "displayName": "Daily standup", "validFrom": FROM, "validUntil": UNTIL,
            "participants": [
                {"name": "pia", "displayName": "Pia Presenter", "role": "Presenter"},
                {"name": "col", "role": "Collaborator"},
                {"name": "att"},
                {"name": "con", "role": "Consumer"},
            ],
        },
        "status": {
            "session": {"id": SESSION, "epoch": 1},
            "conditions": [{"type": "Accepted", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": FROM}],
        },
    })
}

fn unreachable_server() -> Failure {
    Failure::transient(Reason::Unreachable, "the media server cannot be reached")
}

/// The Room of [`room`], with one value replaced.
fn room_with(pointer: &str, value: Value) -> Value {
    let mut room = room();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    room.pointer_mut(parent).unwrap()[key] = value;
    room
}

fn class() -> Value {
    json!({
        "metadata": {"name": "default", "annotations": {"roomclass.roomkeeper.io/is-default-class": "true"}},
        "spec": {"backend": {}},
    })
}

fn invite(participant: &str) -> Invite {
    Invite {
        namespace: "team".into(),
        room: "standup".into(),
        id: "11111111-2222-3333-4444-555555555555".into(),
        participant: participant.into(),
        generation: 0,
        signed_by: None,
    }
}

/// A key ring of new keys with these ids.
fn key_ring(entries: &[(String, String)]) -> Arc<KeyRing> {
    Arc::new(KeyRing::read(entries.iter().map(|(name, pem)| (name.as_str(), pem.as_bytes())), None).0.unwrap())
}

impl Fixture {
    async fn new() -> Self {
        Self::with(room()).await
    }

    async fn with(room: Value) -> Self {
        let (rooms_reader, mut rooms) = store();
        let (guests, mut guest_writer) = Guests::new();
        let (removals, mut removal_writer) = Removals::new();
        let (classes_reader, mut classes) = store();
        for event in [Event::Init, Event::InitApply(serde_json::from_value(room).unwrap()), Event::InitDone] {
            rooms.apply_watcher_event(&event);
        }
        for event in [Event::Init, Event::InitDone] {
            guests.see(&event);
            guest_writer.apply_watcher_event(&event);
        }
        for event in [Event::Init, Event::InitDone] {
            removals.see(&event);
            removal_writer.apply_watcher_event(&event);
        }
        for event in [Event::Init, Event::InitApply(serde_json::from_value(class()).unwrap()), Event::InitDone] {
            classes.apply_watcher_event(&event);
        }
        let (keys, keys_reader) = watch::channel(Some(key_ring(&[generate_key("1")])));
        let media = Arc::new(FakeMediaServer::default());
        media.set_members(SESSION, []);
        let backends = Arc::new(Registry::default());
        backends.set("default", Ok(media.clone()));
        let writer = Arc::new(FakeWriter::new((guests.clone(), guest_writer), (removals.clone(), removal_writer)));
        let clock = TestClock(Arc::new(Mutex::new(moment(NOON))));
        let live = LiveRooms::new(
            rooms_reader.into(),
            guests,
            removals,
            classes_reader,
            Installation::from_namespace_uid("test"),
            InviteKeys::new(keys_reader.clone()),
            WatchAges::default(),
        );
        live.ready().await.unwrap();
        let state = app_state(&live, InviteKeys::new(keys_reader), &backends, writer.clone(), &clock.wall_clock());
        let rooms = Arc::new(Mutex::new(rooms));
        Self { rooms, classes, keys, media, backends, writer, clock, router: router(state, &[]) }
    }

    fn apply(&self, room: Value) {
        self.rooms.lock().apply_watcher_event(&Event::Apply(serde_json::from_value(room).unwrap()));
    }

    /// The Room becomes this one while the media server is asked.
    fn apply_meanwhile(&self, room: Value) {
        let room = Event::Apply(serde_json::from_value(room).unwrap());
        let rooms = self.rooms.clone();
        self.media.meanwhile(Operation::Observe, move || rooms.lock().apply_watcher_event(&room));
    }

    /// The clock comes to show this moment while the media server is asked.
    fn set_clock_meanwhile(&self, now: &'static str) {
        let clock = self.clock.clone();
        self.media.meanwhile(Operation::Observe, move || clock.set(now));
    }

    /// From now on exactly these people are in the call, all of them as Attendees.
    fn set_members(&self, identities: &[&str]) {
        let member = |identity: &&str| SessionMember {
            identity: (*identity).to_owned(),
            display_name: (*identity).to_owned(),
            role: Some(Role::Attendee),
            generation: Some(0),
            signed_by: None,
        };
        self.media.set_members(SESSION, identities.iter().map(member));
    }

    /// What the media server was told to do to people and sessions.
    fn told_to_media(&self) -> Vec<String> {
        let told = |operation| matches!(operation, Operation::Mute | Operation::Remove | Operation::Close);
        self.media.calls().into_iter().filter(|call| told(call.operation)).map(|call| call.to_string()).collect()
    }

    /// A media token of the media server for the session of the Room.
    fn media_token(&self, identity: &str) -> String {
        let grant = TokenGrant {
            identity: identity.to_owned(),
            display_name: identity.to_owned(),
            role: Role::Attendee,
            generation: 0,
            signed_by: None,
            not_before: moment(FROM),
            expires_at: moment(UNTIL),
        };
        self.media.mint_token(SESSION, &grant).now_or_never().unwrap().unwrap().token
    }

    /// From now on signalling goes through the gateway, to this address.
    fn proxy_to(&self, upstream: &str) {
        self.media.proxy_to(Some(upstream.to_owned()));
    }

    fn sign(&self, invite: &Invite) -> String {
        self.keys.borrow().as_ref().unwrap().sign(invite).unwrap()
    }

    async fn send(&self, method: &str, path: &str, authorization: Option<&str>) -> Answer {
        send(self.router.clone(), method, path, authorization).await
    }

    async fn join_with(&self, token: &str) -> Answer {
        self.send("POST", "/v1/join", Some(&format!("Bearer {token}"))).await
    }

    /// A POST with a body of this type.
    async fn post(&self, path: &str, token: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(AUTHORIZATION, format!("Bearer {token}")).header("content-type", content_type);
        received(self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()).await
    }

    async fn join(&self, participant: &str) -> Answer {
        self.join_with(&self.sign(&invite(participant))).await
    }

    async fn view(&self, participant: &str) -> Answer {
        self.send("GET", "/v1/room", Some(&format!("Bearer {}", self.sign(&invite(participant))))).await
    }

    async fn state(&self, participant: &str) -> Value {
        self.view(participant).await.json()["state"].clone()
    }
}

/// What requests need, all of it from what is given.
fn app_state(rooms: &LiveRooms, keys: InviteKeys, backends: &Arc<Registry>, writer: Arc<FakeWriter>, clock: &WallClock) -> AppState {
    let metrics = Metrics::default();
    let calls = CallObserver::new(backends.clone(), clock.clone());
    let admission = Arc::new(AdmissionService::new(rooms.clone(), calls.clone(), keys.clone(), clock.clone()));
    let limits = Arc::new(RateLimits::new(PER_ADDRESS));
    let trusted_proxies = TrustedProxies::default();
    let api = Api {
        admission: admission.clone(),
        moderation: Arc::new(ModerationService::new(rooms.clone(), keys.clone(), calls.clone(), writer, clock.clone())),
        checks: Arc::new(ConnectionChecks::new(rooms.clone(), calls, clock.clone())),
        keys,
        rooms: rooms.clone(),
        limits: limits.clone(),
        turns: LinkTurns::default(),
        trusted_proxies: trusted_proxies.clone(),
        address: PublicAddress::new(Some("https://meet.test".into()), trusted_proxies.clone()),
        metrics: metrics.clone(),
    };
    let proxy = SignallingProxy {
        rooms: rooms.clone(),
        admission,
        backends: backends.clone(),
        connections: Arc::new(Connections::new(rooms.clone(), backends.clone(), clock.clone(), metrics.clone())),
        upstream: Upstream::new().unwrap(),
        clock: clock.clone(),
        metrics,
    };
    let webhooks = Webhooks { rooms: rooms.clone(), backends: backends.clone(), clock: clock.clone() };
    AppState { api, proxy, webhooks, rooms: rooms.clone(), limits, trusted_proxies }
}

async fn send(router: Router, method: &str, path: &str, authorization: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    received(router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

async fn received(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: to_bytes(body, usize::MAX).await.unwrap() }
}
