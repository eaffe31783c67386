//! The join gateway: the only door. It judges every use of an invite by the live Room and hands out short-lived media
//! tokens.
//!
//! Stateless but for the grants that are still good (`places`), so that it scales out. Knows nothing of how a media server
//! talks. Invites and media tokens are never logged.

mod address;
mod answer;
mod body;
mod clerk;
mod connections;
mod freshness;
mod hooks;
mod limits;
mod listen;
mod lobby;
mod moderation;
mod page;
mod places;
mod problem;
mod routes;
mod serve;
mod signalling;
mod standing;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{get, post};
use jiff::Timestamp;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use address::Trust;
pub use clerk::{ApiClerk, Clerk};
use connections::Connections;
use freshness::Freshness;
pub use freshness::LONGEST_SILENCE;
use limits::Limits;
pub use lobby::{Lobby, Stores};
pub use serve::{ServeError, Settings, serve};
pub use signalling::{Upstream, UpstreamError};

use crate::backend::Registry;
use crate::observability::metrics::Metrics;

/// Longest body of a request, in bytes.
const LONGEST_BODY: usize = 4096;
/// How long a request may take. What is seen of a call within a request is never older than this when it is used.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Everything that requests need.
#[derive(Clone)]
pub struct Door {
    lobby: Arc<Lobby>,
    backends: Arc<Registry>,
    connections: Arc<Connections>,
    upstream: Upstream,
    clock: fn() -> Timestamp,
    metrics: Metrics,
    limits: Arc<Limits>,
    freshness: Freshness,
    trust: Trust,
    /// The gateway's address as people reach it, where it was told.
    gateway_url: Option<Arc<str>>,
}

/// The HTTP API and the page, which these origins may show in a frame. Every answer that is not a success is a problem of RFC 9457, whoever gave it.
pub fn router(door: &Door, frame_ancestors: &[String]) -> Router {
    let signalling = signalling::PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, get(signalling::pass)));
    let classes = door.lobby.clone();
    let framed_by = if frame_ancestors.is_empty() { "'none'".to_owned() } else { frame_ancestors.join(" ") };
    let page = page::routes(&framed_by, Arc::new(move || page::media_servers(classes.classes().iter().map(AsRef::as_ref))));
    let hooks = Router::new().route("/v1/hooks/livekit", post(hooks::livekit)).layer(RequestBodyLimitLayer::new(hooks::LONGEST_HINT));
    signalling
        .route("/v1/room", get(routes::room))
        .route("/v1/join", post(routes::join))
        .route("/v1/participants/{identity}/mute", post(routes::mute))
        .route("/v1/participants/{identity}/remove", post(routes::remove))
        .route("/v1/end", post(routes::end))
        .route("/v1/guests", post(routes::add_guest))
        .layer(RequestBodyLimitLayer::new(LONGEST_BODY))
        .merge(hooks)
        .with_state(door.clone())
        .merge(page)
        .layer(from_fn_with_state(door.clone(), freshness::required))
        .layer(from_fn_with_state(door.clone(), trace::request))
        .layer(from_fn_with_state(door.clone(), limits::by_address))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST_REQUEST))
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(map_response(problem::of_every_error))
        // Files of the page have names that change with their content, and say so themselves.
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(always(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(REFERRER_POLICY, "no-referrer"))
}

/// Sets a header on every answer.
fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
