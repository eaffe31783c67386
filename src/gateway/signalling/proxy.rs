//! Signalling passed through: the WebSocket between client and media server, behind a judgement of the live Room on every
//! connect and reconnect.
//!
//! Media servers renew the tokens of people in a call, so that a token alone says nothing about today. Here it only says who
//! somebody is; whether they may come in is asked of the Room. Nothing else of the media server's HTTP API is reachable:
//! the four paths are written here and never taken from a request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use kube::runtime::reflector::ObjectRef;
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf, split};
use tokio::time::timeout;

use crate::backend::{Backend, Signalling, TokenSubject};
use crate::domain::Refusal;
use crate::gateway::AppState;
use crate::gateway::admission::join::{Denied, bearer};
use crate::gateway::http::problem::Problem;
use crate::gateway::http::request_span;
use crate::gateway::signalling::connections::Guard;

/// What is passed through, and nothing else.
pub const PATHS: [&str; 4] = ["/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate"];
/// What the path of a question ends with that a client asks when its connect failed, to learn why.
const VALIDATE: &str = "/validate";
/// Bytes that are read at once in each direction. Signalling is small, and most connections are idle.
const CHUNK: usize = 4096;
/// How long the rest of one direction may take when the other has ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a connection to a media server may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Parameter of the query with the media token.
const TOKEN: &str = "access_token";
/// Parameter of the query by which LiveKit makes somebody a second identity, whom no list names.
const SECOND_IDENTITY: &str = "publish";
/// Headers that are passed to the media server.
const REQUEST_HEADERS: [HeaderName; 6] =
    [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, USER_AGENT, ACCEPT];
/// Headers that are passed back when the connection is made.
const RESPONSE_HEADERS: [HeaderName; 3] = [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL];

/// The way to media servers.
#[derive(Clone)]
pub struct Upstream(reqwest::Client);

impl Upstream {
    /// A way that follows no redirects, asks no proxy and keeps no idle connections: each one is used once.
    pub fn new() -> Result<Self, UpstreamError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::tls::client()?)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self(http))
    }
}

/// Why media servers cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Somebody whom the live Room lets in.
struct AuthorizedConnect {
    holder: TokenSubject,
    backend: Arc<dyn Backend>,
    upstream: String,
    room: ObjectRef<crate::api::Room>,
    token: String,
}

/// `GET` of one of the four paths.
pub async fn pass(State(door): State<AppState>, mut request: Request) -> Response {
    match answer(&door, &mut request).await {
        Ok(response) => response,
        Err(problem) => {
            door.metrics.signalling_refused(problem.name());
            problem.into_response()
        }
    }
}

async fn answer(door: &AppState, request: &mut Request) -> Result<Response, Problem> {
    let path = PATHS.into_iter().find(|path| *path == request.uri().path()).ok_or(Problem::of_status(StatusCode::NOT_FOUND))?;
    if request.method() != Method::GET {
        return Err(Problem::of_status(StatusCode::METHOD_NOT_ALLOWED));
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let welcome = welcome(door, request.headers(), &query)?;
    let url = address(&welcome.upstream, path, &query)?;
    if path.ends_with(VALIDATE) {
        return validate(door, &welcome, url, request.headers()).await;
    }
    if !asks_for_websocket(request.headers()) {
        return Err(Problem::of_status(StatusCode::UPGRADE_REQUIRED));
    }
    connect(door, welcome, url, request).await
}

/// Who connects, if they may. Says no more to others than to the holder of an invalid invite.
fn welcome(door: &AppState, headers: &HeaderMap, query: &str) -> Result<AuthorizedConnect, Problem> {
    let token = if headers.contains_key(AUTHORIZATION) {
        // As LiveKit does, which looks at no other place then.
        bearer(headers).map(str::to_owned)
    } else {
        parameters(query)?.find(|(key, _)| key == TOKEN).map(|(_, token)| token)
    };
    let token = token.filter(|token| !token.is_empty()).ok_or_else(|| Problem::from(&Refusal::InvalidInvite))?;
    let now = (door.clock)();
    let mut denial = Denied::Refused(Refusal::InvalidInvite);
    for (class, backend) in door.backends.usable() {
        let Signalling::Proxied { upstream } = backend.signalling() else { continue };
        let Some(holder) = backend.token_subject(&token, now) else { continue };
        // Two classes may be of one media server, and only one of them is the Room's.
        match door.lobby.stand_by(&holder) {
            Ok(standing) if standing.room.class == class => {
                standing.grant(0).map_err(|refusal| Problem::from(&refusal))?;
                let room = ObjectRef::new(&standing.room.name).within(&standing.room.namespace);
                request_span::about(door, &room);
                return Ok(AuthorizedConnect { holder, backend, upstream, room, token });
            }
            Ok(_) => {}
            Err(refused) => denial = refused,
        }
    }
    Err(denial.into())
}

/// Passes on the question why a connect failed. What the media server says is not repeated: it quotes tokens.
async fn validate(door: &AppState, welcome: &AuthorizedConnect, url: Url, headers: &HeaderMap) -> Result<Response, Problem> {
    let asked = door.upstream.0.get(url).bearer_auth(&welcome.token).headers(passed_on(headers)).send().await;
    match asked.map_err(|_| Problem::UNAVAILABLE)?.status() {
        StatusCode::OK => Ok("success".into_response()),
        status => Err(refused_by_server(status)),
    }
}

/// Connects client and media server.
async fn connect(door: &AppState, welcome: AuthorizedConnect, url: Url, request: &mut Request) -> Result<Response, Problem> {
    door.lobby.take_place(&welcome.holder).await?;
    let AuthorizedConnect { holder, backend, room, token, .. } = welcome;
    let mut headers = passed_on(request.headers());
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let answer = door.upstream.0.get(url).bearer_auth(token).headers(headers).send().await;
    let answer = answer.map_err(|_| Problem::UNAVAILABLE)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused_by_server(answer.status()));
    }
    let guard = door.connections.enter(room.clone(), holder.clone(), backend.clone());
    // What has changed while the media server was asked. Entered first, so that nothing falls between this and the watch.
    let (refusals, until) = door.lobby.judge(&room, &[&holder]);
    door.connections.ends_at(&room, until);
    if let Some(refusal) = refusals.into_iter().flatten().next() {
        tokio::spawn(async move { backend.remove(&holder.session, &holder.identity).await });
        return Err(Problem::from(&refusal));
    }
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    for name in RESPONSE_HEADERS {
        for value in answer.headers().get_all(&name) {
            response.headers_mut().append(&name, value.clone());
        }
    }
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    let client = hyper::upgrade::on(request);
    tokio::spawn(async move {
        // Either side may be gone already, which ends the other too.
        if let (Ok(client), Ok(server)) = tokio::join!(client, answer.upgrade()) {
            tunnel(TokioIo::new(client), server, &guard).await;
        }
    });
    Ok(response.map(|_| Body::empty()))
}

/// Carries bytes both ways until one side ends, or the connection is cut.
async fn tunnel(client: impl AsyncRead + AsyncWrite, server: impl AsyncRead + AsyncWrite, guard: &Guard) {
    let (from_client, mut to_client) = split(client);
    let (from_server, mut to_server) = split(server);
    let (mut from_client, mut from_server) = (BufReader::with_capacity(CHUNK, from_client), BufReader::with_capacity(CHUNK, from_server));
    let carried = async {
        let up = async {
            let _ = copy_buf(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
        };
        let down = async {
            let _ = copy_buf(&mut from_server, &mut to_client).await;
            let _ = to_client.shutdown().await;
        };
        let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
        // A client that is gone never ends its direction by itself.
        tokio::select! {
            () = &mut up => drop(timeout(FAREWELL, down).await),
            () = &mut down => drop(timeout(FAREWELL, up).await),
        }
    };
    tokio::select! {
        () = carried => {}
        () = guard.cut() => {}
    }
}

fn refused_by_server(status: StatusCode) -> Problem {
    if status.is_client_error() { Problem::of_status(status) } else { Problem::UNAVAILABLE }
}

/// The address at the media server. The token goes in a header, so that the one that was judged is the one that is used.
fn address(upstream: &str, path: &str, query: &str) -> Result<Url, Problem> {
    let mut url = Url::parse(upstream).map_err(|_| Problem::UNAVAILABLE)?;
    url.set_path(path);
    let passed: Vec<_> = parameters(query)?.filter(|(key, _)| key != TOKEN).collect();
    if passed.iter().any(|(key, _)| key == SECOND_IDENTITY) {
        return Err(Problem::of_status(StatusCode::BAD_REQUEST));
    }
    if !passed.is_empty() {
        url.query_pairs_mut().extend_pairs(passed);
    }
    Ok(url)
}

/// The parameters of a query, decoded.
fn parameters(query: &str) -> Result<impl Iterator<Item = (String, String)>, Problem> {
    // Only a parser of whole addresses is at hand.
    let url = Url::parse(&format!("http://localhost/?{query}")).map_err(|_| Problem::of_status(StatusCode::BAD_REQUEST))?;
    let pairs: Vec<_> = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    Ok(pairs.into_iter())
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
