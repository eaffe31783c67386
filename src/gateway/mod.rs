//! The join gateway: the only door. It judges every use of an invite by the live Room and hands out short-lived media
//! tokens.
//!
//! Stateless but for the grants that are still good (`admission/reservations`), so that it scales out. Knows nothing of how a media server
//! talks. Invites and media tokens are never logged.

mod admission;
mod http;
mod page;
mod signalling;
mod startup;
#[cfg(test)]
mod tests;
mod webhooks;

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

pub use admission::join::{AdmissionService, Stores};
pub use admission::kube_writer::{ApiWriter, KubeWriter};
use http::client_ip::TrustedProxies;
use http::rate_limit::RateLimits;
use http::staleness::CacheStaleness;
pub use http::staleness::LONGEST_SILENCE;
use http::{problem, rate_limit, request_span, routes, staleness};
use signalling::connections::Connections;
use signalling::proxy;
pub use signalling::proxy::{Upstream, UpstreamError};
pub use startup::{ServeError, Settings, serve};

use crate::backend::Registry;
use crate::observability::metrics::Metrics;

/// Longest body of a request, in bytes.
const LONGEST_BODY: usize = 4096;
/// How long a request may take. What is seen of a call within a request is never older than this when it is used.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Everything that requests need.
#[derive(Clone)]
pub struct AppState {
    lobby: Arc<AdmissionService>,
    backends: Arc<Registry>,
    connections: Arc<Connections>,
    upstream: Upstream,
    clock: fn() -> Timestamp,
    metrics: Metrics,
    limits: Arc<RateLimits>,
    freshness: CacheStaleness,
    trust: TrustedProxies,
    /// The gateway's address as people reach it, where it was told.
    gateway_url: Option<Arc<str>>,
}

/// The HTTP API and the page, which these origins may show in a frame. Every answer that is not a success is a problem of RFC 9457, whoever gave it.
pub fn router(door: &AppState, frame_ancestors: &[String]) -> Router {
    let signalling = proxy::PATHS.into_iter().fold(Router::new(), |router, path| router.route(path, get(proxy::pass)));
    let classes = door.lobby.clone();
    let framed_by = if frame_ancestors.is_empty() { "'none'".to_owned() } else { frame_ancestors.join(" ") };
    let page = page::routes(&framed_by, Arc::new(move || page::media_servers(classes.classes().iter().map(AsRef::as_ref))));
    let webhooks = Router::new()
        .route("/v1/hooks/livekit", post(self::webhooks::livekit))
        .layer(RequestBodyLimitLayer::new(self::webhooks::LONGEST_HINT));
    signalling
        .route("/v1/room", get(routes::room))
        .route("/v1/join", post(routes::join))
        .route("/v1/participants/{identity}/mute", post(routes::mute))
        .route("/v1/participants/{identity}/remove", post(routes::remove))
        .route("/v1/end", post(routes::end))
        .route("/v1/guests", post(routes::add_guest))
        .layer(RequestBodyLimitLayer::new(LONGEST_BODY))
        .merge(webhooks)
        .with_state(door.clone())
        .merge(page)
        .layer(from_fn_with_state(door.clone(), staleness::required))
        .layer(from_fn_with_state(door.clone(), request_span::request))
        .layer(from_fn_with_state(door.clone(), rate_limit::by_address))
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
