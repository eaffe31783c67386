//! Bodies of requests: JSON objects with known fields only.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A body as a type, which should refuse fields that it does not know. An empty body is an empty object.
pub struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
            let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        });
        let body = Bytes::from_request(request, state).await.map_err(|rejection| Problem::of_status(rejection.status()))?;
        if body.is_empty() {
            return read(b"{}");
        }
        if !is_json {
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        read(&body)
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<StrictJson<T>, Problem> {
    // A list would pass for an object whose fields come in order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::bad_request("The body is not a JSON object."));
    }
    serde_json::from_slice(body).map(StrictJson).map_err(|error| Problem::bad_request(&format!("The body cannot be read: {error}.")))
}
