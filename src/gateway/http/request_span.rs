//! One span for each request of the API, so that a join can be followed from the browser's side of the door to the media server's.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use kube::runtime::reflector::ObjectRef;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::api::Room;
use crate::gateway::AppState;
use crate::gateway::http::listener::PeerInfo;
use crate::observability::traces::{TRACEPARENT, join_callers_trace, link_room_trace};

/// Traces a request by its route; what stands in path and query is never part of it. A caller's trace is gone on with where a
/// trusted proxy brings it.
pub async fn request(State(door): State<AppState>, request: Request, next: Next) -> Response {
    let Some(route) = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()) else {
        return next.run(request).await;
    };
    if !route.starts_with("/v1/") && !route.starts_with("/rtc") {
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
    let is_trusted = request.extensions().get::<PeerInfo>().is_some_and(|peer| door.trust.is_proxy(peer.address));
    let traceparent = request.headers().get(TRACEPARENT).filter(|_| is_trusted).and_then(|value| value.to_str().ok());
    join_callers_trace(&span, traceparent);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// Says which Room the current request is about.
pub fn about(door: &AppState, room: &ObjectRef<Room>) {
    let span = Span::current();
    span.record("namespace", room.namespace.as_deref());
    span.record("room", &room.name);
    if let Some(uid) = door.lobby.uid(room) {
        link_room_trace(&uid);
    }
}
