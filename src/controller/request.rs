//! Requests to the API server: bounded in time, and their errors classified.

use std::future::Future;
use std::time::Duration;

use crate::api::Reason;
use crate::cluster::REQUEST_TIMEOUT;
use crate::domain::{Failure, FailureClass};

/// Runs a request within the time limit.
pub async fn timed<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(kube::Error::Service(Box::new(elapsed))),
    }
}

/// The class of an error of the API server. Only what it refuses for good is not simply tried again.
pub fn failure_of(error: &kube::Error) -> Failure {
    let unavailable = |after| Failure {
        class: FailureClass::Transient { after },
        reason: Reason::ApiServerUnavailable,
        message: "the API server could not be asked, or could not answer; it is tried again".into(),
    };
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 405 | 413 | 422) => {
            Failure::rejected(Reason::Refused, format!("the API server refused a request with status {} {}", status.code, status.reason))
        }
        kube::Error::Api(status) => {
            let asked = status.details.as_ref().map(|details| Duration::from_secs(u64::from(details.retry_after_seconds)));
            unavailable(asked.filter(|after| !after.is_zero()))
        }
        _ => unavailable(None),
    }
}
