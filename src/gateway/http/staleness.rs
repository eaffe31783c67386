//! Whether what the watches have cached is too old to let anybody in by. Without an API server the gateway goes by its cache
//! for a while, and then by nothing.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::sleep;

use super::api_paths::is_api;
use super::problem::Problem;
use crate::clock;
use crate::cluster::WatchAges;

/// How long the cache is used of which nothing is heard. With the time that a request may take, nobody is judged by what is older than a
/// minute.
const LONGEST_SILENCE: Duration = Duration::from_secs(50);
/// How often the probe is set.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Whether a watch has been silent for too long.
#[derive(Clone, Default)]
pub struct CacheStaleness(WatchAges);

impl CacheStaleness {
    pub fn new(ages: WatchAges) -> Self {
        Self(ages)
    }

    pub fn is_stale(&self) -> bool {
        self.0.oldest(clock::uptime()) >= LONGEST_SILENCE
    }

    /// Calls `changed` whenever the cache has become stale, or is so no more.
    pub async fn tell(self, changed: impl Fn(bool)) {
        let mut stale = false;
        loop {
            sleep(LOOK_EVERY).await;
            if self.is_stale() == stale {
                continue;
            }
            stale = !stale;
            if stale {
                tracing::warn!("a watch of the API server has been silent for too long: nobody is let in until it is not");
            } else {
                tracing::info!("all watches of the API server are heard again");
            }
            changed(stale);
        }
    }
}

/// Refuses every request while the cache is stale. Whoever is in a call stays there.
pub async fn refuse_while_stale(State(staleness): State<CacheStaleness>, request: Request, next: Next) -> Response {
    let is_refused = is_api(request.uri().path()) && staleness.is_stale();
    if is_refused { Problem::UNAVAILABLE.into_response() } else { next.run(request).await }
}
