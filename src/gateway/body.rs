//! Bodies of requests: JSON, exactly as it is meant.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A body as JSON. `T` says which fields there are (`deny_unknown_fields`); an empty body is there as `None` where `T` is an
/// `Option`, and is refused where it is not.
pub struct Strict<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Strict<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        if !body.is_empty() && !is_json {
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response());
        }
        let text = if body.is_empty() { b"null".as_slice() } else { &body };
        // A list would pass for an object whose fields come in order.
        let is_form = body.is_empty() || body.trim_ascii_start().starts_with(b"{");
        let read = serde_json::from_slice(text).ok().filter(|_| is_form);
        read.map(Self).ok_or_else(|| Problem::of_status(StatusCode::BAD_REQUEST).into_response())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
