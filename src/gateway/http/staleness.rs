//! Whether what the watches have cached is too old to let anybody in by. Without an API server the gateway goes by its cache
//! for a while, and then by nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::api_paths::is_api;
use super::problem::Problem;

/// How long the cache is used when the API server does not answer.
pub const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// How often the API server is asked, and how long it has for an answer.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Whether the API server has been silent for too long.
#[derive(Clone, Default)]
pub struct CacheStaleness(Arc<AtomicBool>);

impl CacheStaleness {
    pub fn is_stale(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks by `answers` again and again; after `longest` without an answer the cache is stale until the next one. Calls
    /// `changed` each time.
    pub async fn keep<A: Future<Output = bool>>(self, longest: Duration, answers: impl Fn() -> A, changed: impl Fn(bool)) {
        let (beat, mut beats) = mpsc::channel(1);
        let asking = async {
            loop {
                if timeout(ASK_EVERY, answers()).await.unwrap_or_default() {
                    let _ = beat.try_send(());
                }
                sleep(ASK_EVERY).await;
            }
        };
        let judging = async {
            loop {
                if timeout(longest, beats.recv()).await.is_err() {
                    self.set(true, &changed);
                    beats.recv().await;
                    self.set(false, &changed);
                }
            }
        };
        tokio::select! {
            () = asking => {}
            () = judging => {}
        }
    }

    fn set(&self, stale: bool, changed: &impl Fn(bool)) {
        self.0.store(stale, Ordering::Relaxed);
        if stale {
            tracing::warn!("the API server has not answered for too long: nobody is let in until it does");
        } else {
            tracing::info!("the API server answers again");
        }
        changed(stale);
    }
}

/// Refuses every request while the cache is stale. Whoever is in a call stays there.
pub async fn refuse_while_stale(State(staleness): State<CacheStaleness>, request: Request, next: Next) -> Response {
    let is_refused = is_api(request.uri().path()) && staleness.is_stale();
    if is_refused { Problem::UNAVAILABLE.into_response() } else { next.run(request).await }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_borne_for_a_minute_and_ends_with_the_first_answer() {
        let staleness = CacheStaleness::default();
        let answers = Cell::new(true);
        let keeping = staleness.clone().keep(LONGEST_SILENCE, || async { answers.get() }, |_| {});
        let watching = async {
            sleep(Duration::from_mins(10)).await;
            assert!(!staleness.is_stale());
            answers.set(false);
            sleep(Duration::from_secs(54)).await;
            assert!(!staleness.is_stale(), "the last answer is less than a minute old");
            sleep(Duration::from_secs(7)).await;
            assert!(staleness.is_stale());
            sleep(Duration::from_hours(1)).await;
            assert!(staleness.is_stale());
            answers.set(true);
            sleep(Duration::from_secs(10)).await;
            assert!(!staleness.is_stale());
        };
        tokio::select! {
            () = keeping => {}
            () = watching => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_the_question_and_says_nothing_is_silent_too() {
        let staleness = CacheStaleness::default();
        let keeping = staleness.clone().keep(LONGEST_SILENCE, std::future::pending::<bool>, |_| {});
        assert!(timeout(Duration::from_secs(61), keeping).await.is_err());
        assert!(staleness.is_stale());
    }
}
