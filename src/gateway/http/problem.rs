//! Everything that is not a success, as problems of RFC 9457.

use std::any::Any;
use std::borrow::Cow;

use axum::Json;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

use super::timestamp::rfc3339;
use crate::domain::Refusal;
use crate::gateway::admission::Denied;

/// Longest detail, in characters.
const LONGEST_DETAIL: usize = 200;
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a client is told instead of a success. Says nothing about causes that are not the client's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    detail: Cow<'static, str>,
    opens_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<String>,
}

impl Problem {
    /// It cannot be done at this moment.
    pub const UNAVAILABLE: Self =
        Self::new("unavailable", StatusCode::SERVICE_UNAVAILABLE, "The call cannot be reached", "Try again in a moment.");
    pub const TOO_MANY_REQUESTS: Self = Self::new(
        "too-many-requests",
        StatusCode::TOO_MANY_REQUESTS,
        "This is too much at once",
        "Wait as long as the header Retry-After says, and try again.",
    );
    const UNSUPPORTED: Self = Self::new(
        "unsupported",
        StatusCode::NOT_IMPLEMENTED,
        "This call cannot do this",
        "The media server that holds the call has no such function; use that of your client.",
    );
    const INTERNAL: Self =
        Self::new("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here", "The fault is on the side of the server.");

    const fn new(name: &'static str, status: StatusCode, title: &'static str, detail: &'static str) -> Self {
        Self { name, status, title, detail: Cow::Borrowed(detail), opens_at: None }
    }

    /// The last part of its type.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A request whose form is wrong; `detail` names field, value and limit.
    pub fn bad_request(detail: &str) -> Self {
        // A client may show in a terminal what of the request it quotes.
        let shown = detail.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        let detail = Cow::Owned(shown.take(LONGEST_DETAIL).collect());
        Self { detail, ..Self::of_status(StatusCode::BAD_REQUEST) }
    }

    /// The problem behind a bare status that a layer or an extractor gave.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new("not-found", status, "There is nothing here", "No resource has this path."),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new("method-not-allowed", status, "This method is not allowed", "The header Allow names the methods that are.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::new("too-large", status, "The request is too large", "A body has at most 4096 bytes."),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(
                "unsupported-media-type",
                status,
                "This type of body is not read",
                "A body is JSON, and says so: application/json.",
            ),
            StatusCode::TOO_MANY_REQUESTS => Self::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE => Self::UNAVAILABLE,
            status if status.is_client_error() => {
                Self::new("bad-request", status, "The request cannot be understood", "Something about its form is wrong.")
            }
            _ => Self::INTERNAL,
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let forbidden = |name, title, detail| Self::new(name, StatusCode::FORBIDDEN, title, detail);
        match refusal {
            Refusal::InvalidInvite => Self::new(
                "invalid-invite",
                StatusCode::UNAUTHORIZED,
                "The invite is not valid",
                "This invite lets nobody in. Ask the person who invited you for a new one.",
            ),
            Refusal::Removed => forbidden(
                "removed",
                "A Presenter has removed this person",
                "The invite is good again when a Presenter of the call has let its holder in again.",
            ),
            Refusal::TooEarly { opens_at } => Self {
                opens_at: Some(*opens_at),
                ..forbidden("too-early", "The call has not begun", "The call can be joined from the time that opensAt names.")
            },
            Refusal::Over => forbidden("over", "The call is over", "The call cannot be joined any more."),
            Refusal::Suspended => forbidden("suspended", "The call is suspended", "The call is closed until its organizers open it again."),
            Refusal::NotAllowed => forbidden("not-allowed", "This is not allowed", "The role of this invite does not allow it."),
            Refusal::Full => forbidden(
                "full",
                "The call is full",
                "As many people as the call allows are in it or on their way. Try again when somebody has left.",
            ),
        }
    }
}

impl From<&Denied> for Problem {
    fn from(denied: &Denied) -> Self {
        match denied {
            Denied::Refused(refusal) => refusal.into(),
            Denied::Unavailable(_) => Self::UNAVAILABLE,
            Denied::Crowded => Self::TOO_MANY_REQUESTS,
            Denied::Unsupported => Self::UNSUPPORTED,
            Denied::Invalid(field) => Self::bad_request(&field.to_string()),
            Denied::TooManyGuests { limit } => Self::bad_request(&format!("The Room has {limit} guests, which is the most it may have.")),
            Denied::NotInCall | Denied::NoSuchGuest | Denied::NotRemoved => Self::of_status(StatusCode::NOT_FOUND),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::from(&denied)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { name, status, title, detail, opens_at } = self;
        let r#type = format!("urn:roomkeeper:problem:{name}");
        let body = Body { r#type, title, status: status.as_u16(), detail, opens_at: opens_at.map(rfc3339) };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Turns errors of layers and extractors into problems.
pub async fn of_every_error(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(CONTENT_TYPE) == Some(&MEDIA_TYPE) {
        return response;
    }
    let mut problem = Problem::of_status(status).into_response();
    if let Some(allow) = response.headers().get(ALLOW) {
        problem.headers_mut().insert(ALLOW, allow.clone());
    }
    problem
}

/// The answer to a request whose handler panicked. What it panicked with may hold anything, and is not repeated.
pub fn of_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request was given up because its handler panicked");
    Problem::INTERNAL.into_response()
}
