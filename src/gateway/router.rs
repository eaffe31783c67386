//! All that the gateway serves, and what holds for every request and every response.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use super::admission::{LONGEST_REQUEST, LiveRooms};
use super::http::{Api, RateLimits, TrustedProxies, limit_by_address, of_every_error, of_panic, refuse_while_stale, trace_request};
use super::signalling::SignallingProxy;
use super::webhooks::Webhooks;
use super::{http, page, signalling, webhooks};

/// Longest body of a request, in bytes.
const LONGEST_BODY: usize = 4096;

/// Everything that requests need.
pub struct AppState {
    pub api: Api,
    pub proxy: SignallingProxy,
    pub webhooks: Webhooks,
    /// For the age of what is known, and for the page: their classes name the media servers that it connects to.
    pub rooms: LiveRooms,
    pub limits: Arc<RateLimits>,
    pub trusted_proxies: TrustedProxies,
}

/// The API, signalling, webhooks, and the page, which these origins may show in a frame. Every response that is not a success
/// is a problem of RFC 9457, whoever gave it.
pub fn router(state: AppState, frame_ancestors: &[String]) -> Router {
    let AppState { api, proxy, webhooks, rooms, limits, trusted_proxies } = state;
    let ages = rooms.ages().clone();
    let framed_by = if frame_ancestors.is_empty() { "'none'".to_owned() } else { frame_ancestors.join(" ") };
    let page = page::routes(&framed_by, Arc::new(move || page::media_servers(rooms.classes().iter().map(AsRef::as_ref))));
    http::routes(api)
        .merge(signalling::routes(proxy))
        .layer(RequestBodyLimitLayer::new(LONGEST_BODY))
        .merge(webhooks::routes(webhooks))
        .merge(page)
        .layer(from_fn_with_state(ages, refuse_while_stale))
        .layer(from_fn_with_state(trusted_proxies.clone(), trace_request))
        .layer(from_fn_with_state((limits, trusted_proxies), limit_by_address))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST_REQUEST))
        .layer(CatchPanicLayer::custom(of_panic))
        .layer(map_response(of_every_error))
        // The page's files have names that change with their content, and set a header of their own.
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(always(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(REFERRER_POLICY, "no-referrer"))
}

/// Sets a header on every response.
fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
