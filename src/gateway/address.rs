//! Addresses: where a request came from, and how its client reached this gateway.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use reqwest::Url;

use super::Door;
use super::problem::Problem;

/// Where clients that connect through this gateway find its signalling: where it was told that it is, or else where the
/// client reached it.
pub struct OwnAddress(pub String);

impl FromRequestParts<Door> for OwnAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        if let Some(url) = &door.gateway_url {
            return Ok(Self(websocket(url)));
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let reached = host.map(|host| format!("ws://{host}")).filter(|url| is_bare(url));
        reached.map(Self).ok_or(Problem::of_status(axum::http::StatusCode::BAD_REQUEST))
    }
}

/// The address with the scheme of WebSockets.
fn websocket(url: &str) -> String {
    url.replacen("http", "ws", 1).trim_end_matches('/').to_owned()
}

/// Whether there is a host and nothing that could be read as a path, a person or a query.
fn is_bare(url: &str) -> bool {
    let nothing_else = |url: Url| {
        url.path() == "/" && url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    };
    Url::parse(url).is_ok_and(nothing_else)
}
