//! Whether the gateway still knows what is true: it lives from watches of the API server, and without one it goes by what it
//! knew, for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::gateway::AppState;
use crate::gateway::http::problem::Problem;

/// How long what was known is gone by when the API server does not answer.
pub const LONGEST_SILENCE: Duration = Duration::from_mins(1);
/// How often the API server is asked, and how long it has for an answer.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Whether the API server has answered lately.
#[derive(Clone, Default)]
pub struct CacheStaleness(Arc<AtomicBool>);

impl CacheStaleness {
    /// Whether it has not for too long.
    pub fn is_stale(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks by `answers` again and again; after `longest` without an answer everything known is stale until the next one.
    /// `changed` is told each time.
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

/// Lets nobody in by what is not known to be true any more. Who is in a call stays there.
pub async fn required(State(door): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let asks = path.starts_with("/v1/") || path.starts_with("/rtc");
    if asks && door.freshness.is_stale() { Problem::UNAVAILABLE.into_response() } else { next.run(request).await }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_borne_for_a_minute_and_ends_with_the_first_answer() {
        let freshness = CacheStaleness::default();
        let answers = Cell::new(true);
        let keeping = freshness.clone().keep(LONGEST_SILENCE, || async { answers.get() }, |_| {});
        let watching = async {
            sleep(Duration::from_mins(10)).await;
            assert!(!freshness.is_stale());
            answers.set(false);
            sleep(Duration::from_secs(54)).await;
            assert!(!freshness.is_stale(), "the last answer is less than a minute old");
            sleep(Duration::from_secs(7)).await;
            assert!(freshness.is_stale());
            sleep(Duration::from_hours(1)).await;
            assert!(freshness.is_stale());
            answers.set(true);
            sleep(Duration::from_secs(10)).await;
            assert!(!freshness.is_stale());
        };
        tokio::select! {
            () = keeping => {}
            () = watching => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_the_question_and_says_nothing_is_silent_too() {
        let freshness = CacheStaleness::default();
        let keeping = freshness.clone().keep(LONGEST_SILENCE, std::future::pending::<bool>, |_| {});
        assert!(timeout(Duration::from_secs(61), keeping).await.is_err());
        assert!(freshness.is_stale());
    }
}
