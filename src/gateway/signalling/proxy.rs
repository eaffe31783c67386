//! Signalling passed through: the WebSocket between client and media server, behind a judgement of the live Room on every
//! connect and reconnect.
//!
//! Media servers renew the tokens of people in a call, so that a token alone says nothing about today. Here it only says who
//! somebody is; whether they may come in is asked of the Room. Nothing else of the media server's HTTP API is reachable:
//! the four paths are written here and never taken from a request.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use reqwest::Url;
use tokio::time::sleep;

use super::connections::{Connections, NewConnection};
use super::query::{address, token_in};
use super::tunnel::tunnel;
use super::upstream::Upstream;
use crate::api::Room;
use crate::backend::{Backend, Registry, Signalling, TokenSubject};
use crate::domain::Refusal;
use crate::gateway::admission::{AdmissionService, Denied, LiveRooms, authorize_token};
use crate::gateway::http::{Problem, SUBPROTOCOL, bearer_token, describe_room, offers_subprotocol, token_among_subprotocols};
use crate::gateway::wall_clock::WallClock;
use crate::observability::logs::AUDIT;
use crate::observability::metrics::Metrics;

/// What is passed through, and nothing else.
const PATHS: [&str; 4] = ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"];
/// The end of the paths by which a client asks why its connect failed.
const VALIDATE: &str = "/validate";
/// Reason in the metric of refusals: a connection was cut for what the client sent.
const BAD_FRAMES: &str = "bad-frames";
/// Headers that are passed to the media server.
///
/// No extensions: a small compressed message is a large one to the media server, which sets no limit of its own. No subprotocols: they
/// are for the gateway.
const REQUEST_HEADERS: [HeaderName; 4] = [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, USER_AGENT, ACCEPT];

/// What signalling is passed through with.
#[derive(Clone)]
pub struct SignallingProxy {
    pub rooms: LiveRooms,
    pub admission: Arc<AdmissionService>,
    pub backends: Arc<Registry>,
    pub connections: Arc<Connections>,
    pub upstream: Upstream,
    pub clock: WallClock,
    pub metrics: Metrics,
}

/// A media token that is good now.
struct AuthorizedConnect {
    /// Address of the media server.
    upstream: String,
    token: String,
    purpose: Purpose,
}

/// What somebody connects for.
enum Purpose {
    /// A call, into which the live Room lets them.
    Call(Box<Caller>),
    /// To see whether they can, until this moment. The gateway alone gives out tokens for that, and there is nothing in the session.
    Check { ends_at: Timestamp },
}

struct Caller {
    subject: TokenSubject,
    room: ObjectRef<Room>,
    class: String,
    backend: Arc<dyn Backend>,
}

/// The four paths as routes.
pub fn routes(proxy: SignallingProxy) -> Router {
    PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, get(pass))).with_state(proxy)
}

/// `GET` of one of the four paths.
async fn pass(State(proxy): State<SignallingProxy>, mut request: Request) -> Response {
    match answer(&proxy, &mut request).await {
        Ok(response) => response,
        Err(problem) => {
            proxy.metrics.signalling_refused(problem.name());
            problem.into_response()
        }
    }
}

async fn answer(proxy: &SignallingProxy, request: &mut Request) -> Result<Response, Problem> {
    let path = PATHS.into_iter().find(|path| *path == request.uri().path()).ok_or(Problem::of_status(StatusCode::NOT_FOUND))?;
    if request.method() != Method::GET {
        return Err(Problem::of_status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let authorized = authorize(proxy, request.headers(), &query)?;
    let url = address(&authorized.upstream, path, &query)?;
    if path.ends_with(VALIDATE) {
        return validate(proxy, &authorized, url, request.headers()).await;
    }
    if !asks_for_websocket(request.headers()) {
        return Err(Problem::of_status(StatusCode::UPGRADE_REQUIRED));
    }
    let AuthorizedConnect { token, purpose, .. } = authorized;
    match purpose {
        Purpose::Call(caller) => connect(proxy, *caller, url, request).await,
        Purpose::Check { ends_at } => connect_to_check(proxy, &token, ends_at, url, request).await,
    }
}

/// Who connects, if they may. Says no more to others than to the holder of an invalid invite.
fn authorize(proxy: &SignallingProxy, headers: &HeaderMap, query: &str) -> Result<AuthorizedConnect, Problem> {
    // LiveKit looks at no other place either when there is this header.
    let token = if headers.contains_key(AUTHORIZATION) {
        bearer_token(headers).map(str::to_owned)
    } else {
        token_among_subprotocols(headers).or_else(|| token_in(query))
    };
    let token = token.filter(|token| !token.is_empty()).ok_or_else(|| Problem::from(&Refusal::InvalidInvite))?;
    let now = proxy.clock.now();
    let mut denied = Denied::Refused(Refusal::InvalidInvite);
    for (class, backend) in proxy.backends.usable() {
        let Signalling::Proxied { upstream } = backend.signalling() else { continue };
        let Some(subject) = backend.token_subject(&token, now) else { continue };
        // Classes may have one key, and only one of them is the Room's.
        if let Some((of_class, ends_at)) = proxy.rooms.check(&subject.session) {
            if of_class.as_ref() == Some(&class) && now < ends_at {
                return Ok(AuthorizedConnect { upstream, token, purpose: Purpose::Check { ends_at } });
            }
            continue;
        }
        match authorize_token(&proxy.rooms, &subject, proxy.clock.now()) {
            Ok(authorization) if authorization.room.class == class => {
                authorization.check().map_err(|refusal| Problem::from(&refusal))?;
                let room = authorization.room_ref();
                describe_room(&room, Some(&authorization.room.uid));
                let purpose = Purpose::Call(Box::new(Caller { subject, room, class, backend }));
                return Ok(AuthorizedConnect { upstream, token, purpose });
            }
            Ok(_) => {}
            Err(refused) => denied = refused,
        }
    }
    Err(denied.into())
}

/// Passes on the question why a connect failed. What the media server says is not repeated: it quotes tokens.
async fn validate(proxy: &SignallingProxy, authorized: &AuthorizedConnect, url: Url, headers: &HeaderMap) -> Result<Response, Problem> {
    let asked = proxy.upstream.get(url, &authorized.token, passed_on(headers)).await;
    match asked.map_err(|_| Problem::UNAVAILABLE)?.status() {
        StatusCode::OK => Ok("success".into_response()),
        status => Err(refused_by_server(status)),
    }
}

/// Connects client and media server for a call.
async fn connect(proxy: &SignallingProxy, caller: Caller, url: Url, request: &mut Request) -> Result<Response, Problem> {
    let (credentials, role, seat) = proxy.admission.reconnect(&caller.subject).await?;
    let Caller { subject, room, class, backend } = caller;
    let answer = dial(proxy, &credentials.token, url, request.headers()).await?;
    let identity = subject.identity.clone();
    let new = NewConnection { room: room.clone(), subject, class, backend, role };
    // The Room may have changed while the media server was asked.
    let guard = proxy.connections.register(new).map_err(|refusal| Problem::from(&refusal))?;
    let response = switching_protocols(answer.headers(), request.headers());
    let client = hyper::upgrade::on(request);
    let metrics = proxy.metrics.clone();
    tokio::spawn(async move {
        let _seat = seat;
        carry(client, answer, guard.cut(), &metrics, Some((&room, &identity))).await;
    });
    Ok(response)
}

fn refused_by_server(status: StatusCode) -> Problem {
    if status.is_client_error() { Problem::of_status(status) } else { Problem::UNAVAILABLE }
}

/// Connects client and media server for a check, until its end.
async fn connect_to_check(
    proxy: &SignallingProxy,
    token: &str,
    ends_at: Timestamp,
    url: Url,
    request: &mut Request,
) -> Result<Response, Problem> {
    let answer = dial(proxy, token, url, request.headers()).await?;
    let response = switching_protocols(answer.headers(), request.headers());
    let client = hyper::upgrade::on(request);
    let (metrics, left) = (proxy.metrics.clone(), ends_at.duration_since(proxy.clock.now()).unsigned_abs());
    tokio::spawn(async move { carry(client, answer, sleep(left), &metrics, None).await });
    Ok(response)
}

/// Carries a connection, of this person where it is for a call, until one side ends or `cut` returns.
async fn carry(
    client: OnUpgrade,
    answer: reqwest::Response,
    cut: impl Future<Output = ()>,
    metrics: &Metrics,
    person: Option<(&ObjectRef<Room>, &str)>,
) {
    // Either side may be gone already, which ends the other too.
    let (Ok(client), Ok(server)) = tokio::join!(client, answer.upgrade()) else { return };
    if let Err(error) = tunnel(TokioIo::new(client), server, cut).await {
        metrics.signalling_refused(BAD_FRAMES);
        let (room, participant) = person.unzip();
        let (namespace, room) = (room.and_then(|room| room.namespace.as_deref()), room.map(|room| room.name.as_str()));
        tracing::info!(target: AUDIT, event = "cut", namespace, room, participant, %error);
    }
}

/// Asks the media server for a WebSocket.
async fn dial(proxy: &SignallingProxy, token: &str, url: Url, headers: &HeaderMap) -> Result<reqwest::Response, Problem> {
    let mut headers = passed_on(headers);
    set_upgrade(&mut headers);
    let answer = proxy.upstream.get(url, token, headers).await.map_err(|_| Problem::UNAVAILABLE)?;
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => Ok(answer),
        status => Err(refused_by_server(status)),
    }
}

/// The response that turns the client's connection into a WebSocket.
fn switching_protocols(from_server: &HeaderMap, from_client: &HeaderMap) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    if let Some(accept) = from_server.get(SEC_WEBSOCKET_ACCEPT) {
        response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept.clone());
    }
    if offers_subprotocol(from_client) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    set_upgrade(response.headers_mut());
    response.map(|_| Body::empty())
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::new();
    for name in REQUEST_HEADERS {
        for value in headers.get_all(&name) {
            passed.append(&name, value.clone());
        }
    }
    passed
}

fn set_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, wanted: &str| {
        let values = headers.get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    says(CONNECTION, "upgrade")
        && says(UPGRADE, "websocket")
        && says(SEC_WEBSOCKET_VERSION, "13")
        && headers.contains_key(SEC_WEBSOCKET_KEY)
}
