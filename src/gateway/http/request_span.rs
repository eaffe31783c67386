//! One span for each request of the API, so that a join can be followed from the browser's request to the media server's answer.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use kube::runtime::reflector::ObjectRef;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::api_paths::is_api;
use super::client_ip::TrustedProxies;
use super::peer::PeerInfo;
use crate::api::Room;
use crate::observability::traces::{TRACEPARENT, join_callers_trace, link_room_trace};

/// Traces a request by its route, never by its path and query, which may hold secrets. It continues a caller's trace if a
/// trusted proxy passes that on.
pub async fn trace_request(State(trusted_proxies): State<TrustedProxies>, request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()) else {
        return next.run(request).await;
    };
    if !is_api(&route) {
        return next.run(request).await;
    }
    let method = request.method().as_str().to_owned();
    let span = info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        namespace = Empty,
        room = Empty,
        trace_id = Empty,
    );
    let is_trusted = request.extensions().get::<PeerInfo>().is_some_and(|peer| trusted_proxies.contain(peer.address));
    let traceparent = request.headers().get(TRACEPARENT).filter(|_| is_trusted).and_then(|value| value.to_str().ok());
    join_callers_trace(&span, traceparent);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// Adds to the span of the current request which Room it is about; `uid` is that of the Room, if there is one.
pub fn describe_room(room: &ObjectRef<Room>, uid: Option<&str>) {
    let span = Span::current();
    span.record("namespace", room.namespace.as_deref());
    span.record("room", &room.name);
    if let Some(uid) = uid {
        link_room_trace(uid);
    }
}
