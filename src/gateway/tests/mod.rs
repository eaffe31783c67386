//! The gateway as its clients meet it: requests against the router, with Rooms, classes, keys, media server and clock set
//! by hand.

mod capacity;
mod http;
mod joining;
mod links;
mod logs;
mod moderating;
mod on_demand;
mod page;
mod refusals;
mod signalling;
mod viewing;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;
use kube::runtime::reflector::store::{Writer, store};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{AdmissionService, AppState, KubeWriter, Stores, Upstream, router};
use crate::api::{Reason, Role, Room, RoomClass, RoomGuest};
use crate::backend::{Backend, Capabilities, MediaCredentials, Registry, SessionSummary, Signalling, TokenSubject};
use crate::domain::{Failure, Installation, Invite, KeyRing, SessionMember, TokenGrant, ValidRoom, generate_key};
use crate::gateway::http::client_ip::TrustedProxies;
use crate::gateway::http::rate_limit::{self, RateLimits};
use crate::gateway::http::staleness::CacheStaleness;
use crate::gateway::signalling::connections::Connections;

const FROM: &str = "2030-01-15T09:00:00Z";
const NOON: &str = "2030-01-15T12:00:00Z";
const UNTIL: &str = "2030-01-15T15:00:00Z";
const SESSION: &str = "rk-test-11111111-2222-3333-4444-555555555555-1";
/// The session that is made when that one is lost.
const NEXT_SESSION: &str = "rk-test-11111111-2222-3333-4444-555555555555-2";
/// What every media token of the test double begins with, to look for in places where none belongs.
const MEDIA_TOKEN: &str = "media-token";

thread_local! {
    static NOW: Cell<Timestamp> = Cell::new(moment(NOON));
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn set_clock(text: &str) {
    NOW.set(moment(text));
}

/// The lobby and everything around it.
struct Fixture {
    rooms: Writer<Room>,
    classes: Writer<RoomClass>,
    keys: watch::Sender<Option<Arc<KeyRing>>>,
    stage: Arc<Stage>,
    backends: Arc<Registry>,
    clerk: Arc<FakeWriter>,
    router: Router,
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
    }
}

/// A key ring of new keys with these ids.
fn key_ring(entries: &[(String, String)]) -> Arc<KeyRing> {
    Arc::new(KeyRing::from_entries(entries.iter().map(|(name, pem)| (name.as_str(), pem.as_bytes()))).unwrap())
}

impl Fixture {
    async fn new() -> Self {
        Self::with(room()).await
    }

    async fn with(room: Value) -> Self {
        let (rooms_reader, mut rooms) = store();
        let (guests_reader, mut guests) = store();
        let (classes_reader, mut classes) = store();
        for event in [Event::Init, Event::InitApply(serde_json::from_value(room).unwrap()), Event::InitDone] {
            rooms.apply_watcher_event(&event);
        }
        for event in [Event::Init, Event::InitDone] {
            guests.apply_watcher_event(&event);
        }
        for event in [Event::Init, Event::InitApply(serde_json::from_value(class()).unwrap()), Event::InitDone] {
            classes.apply_watcher_event(&event);
        }
        let (keys, keys_reader) = watch::channel(Some(key_ring(&[generate_key("1")])));
        let stage = Arc::new(Stage::default());
        stage.member(&[]);
        let backends = Arc::new(Registry::default());
        backends.set("default", Ok(stage.clone()));
        let clerk = Arc::new(FakeWriter { told: Mutex::default(), guests: Mutex::new(guests) });
        let stores = Stores { rooms: rooms_reader, guests: guests_reader, classes: classes_reader };
        let installation = Installation::from_namespace_uid("test");
        let lobby = AdmissionService::open(stores, installation, keys_reader, backends.clone(), clerk.clone(), || NOW.get()).await.unwrap();
        let metrics = crate::observability::metrics::Metrics::default();
        let door = AppState {
            lobby: Arc::new(lobby),
            backends: backends.clone(),
            connections: Arc::new(Connections::new(|| NOW.get(), metrics.clone())),
            upstream: Upstream::new().unwrap(),
            clock: || NOW.get(),
            metrics,
            limits: Arc::new(RateLimits::new(rate_limit::PER_ADDRESS)),
            freshness: CacheStaleness::default(),
            trust: TrustedProxies::default(),
            gateway_url: Some("https://meet.test".into()),
        };
        Self { rooms, classes, keys, stage, backends, clerk, router: router(&door, &[]) }
    }

    fn apply(&mut self, room: Value) {
        self.rooms.apply_watcher_event(&Event::Apply(serde_json::from_value(room).unwrap()));
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

/// An API server that shows at once what is written to it.
struct FakeWriter {
    told: Mutex<Vec<String>>,
    guests: Mutex<Writer<RoomGuest>>,
}

impl FakeWriter {
    /// Something that happened to a guest.
    fn guest(&self, event: &Event<RoomGuest>) {
        self.guests.lock().unwrap().apply_watcher_event(event);
    }
}

#[async_trait]
impl KubeWriter for FakeWriter {
    async fn tell(&self, room: &ValidRoom, reason: Reason, note: String) {
        self.told.lock().unwrap().push(format!("{}: {reason}: {note}", room.name));
    }

    async fn add(&self, guest: RoomGuest) -> Result<(), String> {
        self.guest(&Event::Apply(guest));
        Ok(())
    }
}

/// A media server that holds what tests put in it, and behaves as they say while it is asked.
#[derive(Default)]
struct Stage {
    sessions: Mutex<HashMap<String, Vec<SessionMember>>>,
    mood: Mutex<Mood>,
    /// What it was told to do to people and sessions.
    deeds: Mutex<Vec<String>>,
    /// Where its signalling is passed on to, if it is.
    upstream: Mutex<Option<String>>,
}

#[derive(Default)]
enum Mood {
    #[default]
    Well,
    Failing,
    Hanging,
    Panicking,
    /// Does this while it is asked.
    Meanwhile(Box<dyn Fn() + Send>),
    /// Cannot mint tokens.
    Unable,
}

impl Stage {
    fn member(&self, identities: &[&str]) {
        let member = |identity: &&str| SessionMember {
            identity: (*identity).to_owned(),
            display_name: (*identity).to_owned(),
            role: Some(Role::Attendee),
            generation: Some(0),
        };
        self.sessions.lock().unwrap().insert(SESSION.into(), identities.iter().map(member).collect());
    }

    fn did(&self, deed: String) -> Result<(), Failure> {
        if matches!(*self.mood.lock().unwrap(), Mood::Unable) {
            return Err(failure());
        }
        self.deeds.lock().unwrap().push(deed);
        Ok(())
    }

    fn deeds(&self) -> Vec<String> {
        self.deeds.lock().unwrap().clone()
    }

    fn lose_everything(&self) {
        self.sessions.lock().unwrap().clear();
    }

    fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

fn failure() -> Failure {
    Failure::transient(crate::api::Reason::Unreachable, "the media server cannot be reached")
}

#[async_trait]
impl Backend for Stage {
    fn capabilities(&self) -> Capabilities {
        Capabilities { live_roles: true, live_removal: true, typed_sources: true }
    }

    async fn probe(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure> {
        // Lets other requests in between, as a call over the network would.
        tokio::task::yield_now().await;
        let hangs = match &*self.mood.lock().unwrap() {
            Mood::Failing => return Err(failure()),
            Mood::Panicking => panic!("{MEDIA_TOKEN} in a panic"),
            Mood::Meanwhile(happens) => {
                happens();
                false
            }
            Mood::Hanging => true,
            Mood::Well | Mood::Unable => false,
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(self.sessions.lock().unwrap().get(session).cloned())
    }

    async fn ensure(&self, session: &str) -> Result<(), Failure> {
        self.sessions.lock().unwrap().entry(session.to_owned()).or_default();
        Ok(())
    }

    fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure> {
        if matches!(*self.mood.lock().unwrap(), Mood::Unable) {
            return Err(failure());
        }
        let token = format!("{MEDIA_TOKEN}/{session}/{}/{:?}/{}/{}", grant.identity, grant.role, grant.not_before, grant.expires_at);
        let url = self.upstream.lock().unwrap().is_none().then(|| "wss://media.test".to_owned());
        Ok(MediaCredentials { url, token })
    }

    fn signalling(&self) -> Signalling {
        let upstream = self.upstream.lock().unwrap().clone();
        upstream.map_or(Signalling::Direct, |upstream| Signalling::Proxied { upstream })
    }

    /// Takes what it has minted itself.
    fn token_subject(&self, token: &str, _: Timestamp) -> Option<TokenSubject> {
        let mut parts = token.strip_prefix(MEDIA_TOKEN)?.strip_prefix('/')?.split('/');
        let (session, identity) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(TokenSubject { session, identity, generation: Some(0) })
    }

    fn webhook_session(&self, _: &str, _: &[u8], _: Timestamp) -> Option<String> {
        None
    }

    async fn set_role(&self, _: &str, _: &str, _: Role, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn mute(&self, _: &str, identity: &str) -> Result<(), Failure> {
        self.did(format!("mute {identity}"))
    }

    async fn remove(&self, _: &str, identity: &str) -> Result<(), Failure> {
        self.did(format!("remove {identity}"))
    }

    async fn close(&self, session: &str) -> Result<(), Failure> {
        self.did(format!("close {session}"))
    }

    async fn list_sessions(&self, _: &str) -> Result<Vec<SessionSummary>, Failure> {
        Ok(Vec::new())
    }
}
