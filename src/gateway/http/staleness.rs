//! Whether what the watches have cached is too old to let anybody in by. Without an API server the gateway goes by its cache
//! for a while, and then by nothing.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api_paths::is_api;
use super::problem::Problem;
use crate::clock;
use crate::cluster::WatchAges;

/// Calls `changed` whenever the cache has become stale, or is so no more.
pub async fn tell_staleness(ages: WatchAges, changed: impl Fn(bool)) {
    let told = ages.tell(|stale| {
        if stale {
            tracing::warn!("a watch of the API server has been silent for too long: nobody is let in until it is not");
        } else {
            tracing::info!("all watches of the API server are heard again");
        }
        changed(stale);
    });
    told.await;
}

/// Refuses every request while the cache is stale. Whoever is in a call stays there.
pub async fn refuse_while_stale(State(ages): State<WatchAges>, request: Request, next: Next) -> Response {
    let is_refused = is_api(request.uri().path()) && ages.are_silent(clock::uptime());
    if is_refused { Problem::UNAVAILABLE.into_response() } else { next.run(request).await }
}
