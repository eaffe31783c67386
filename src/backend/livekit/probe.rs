//! Whether a LiveKit server is reachable, takes our credentials and is set up safely.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use super::failures;
use crate::api::Reason;
use crate::domain::Failure;
use crate::tls;

/// How long one request may take: a healthy server answers in milliseconds.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the signalling port whether it would let somebody into a room that does not exist. That needs no room and nobody
/// joins, and it is the only call that shows `room.auto_create`.
pub(super) struct Probe {
    http: Client,
    validate: Url,
    api_key: String,
    api_secret: String,
}

impl Probe {
    /// A probe of the server at `url`.
    pub(super) fn new(url: &Url, api_key: &str, api_secret: &str) -> Result<Self, Failure> {
        let mut validate = url.clone();
        validate.set_path("/rtc/validate");
        let http = Client::builder()
            .tls_backend_preconfigured(tls::client().map_err(|_| unusable_tls())?)
            .redirect(Policy::none())
            .no_proxy()
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|_| unusable_tls())?;
        Ok(Self { http, validate, api_key: api_key.to_owned(), api_secret: api_secret.to_owned() })
    }

    /// Fine only when the server refuses because the room does not exist.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let request = self.http.get(self.validate.clone()).bearer_auth(self.token()?);
        let mut response = request.send().await.map_err(|error| failures::unanswered(&error))?;
        // Something else may listen at this address, or a proxy may answer in LiveKit's place: what is no plain text was not
        // said by LiveKit, and says nothing about it.
        if !is_plain_text(&response) {
            return Err(failures::foreign());
        }
        let status = response.status();
        let body = response.chunk().await.map_err(|_| failures::unreachable())?.unwrap_or_default();
        match status {
            StatusCode::NOT_FOUND if contains(&body, b"room") => Ok(()),
            StatusCode::OK if *body == *b"success" => Err(Failure::misconfigured(
                Reason::UnsafeAutoCreate,
                "the media server makes rooms on join, so that tokens could revive ended calls; set room.auto_create: false in its configuration",
            )),
            StatusCode::UNAUTHORIZED => Err(failures::unauthorized()),
            status if status.is_server_error() => Err(failures::unreachable()),
            _ => Err(failures::foreign()),
        }
    }

    /// A token for a room that nobody has made, because nobody can guess its name.
    fn token(&self) -> Result<String, Failure> {
        let room = format!("rk-probe-{:016x}", RandomState::new().hash_one(()));
        AccessToken::with_api_key(&self.api_key, &self.api_secret)
            .with_identity("roomkeeper-probe")
            .with_ttl(REQUEST_TIMEOUT)
            .with_grants(VideoGrants {
                room_join: true,
                room,
                can_publish: Some(false),
                can_subscribe: Some(false),
                can_publish_data: Some(false),
                can_update_own_metadata: Some(false),
                ..VideoGrants::default()
            })
            .to_jwt()
            .map_err(|_| failures::unauthorized())
    }
}

fn is_plain_text(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).map(reqwest::header::HeaderValue::as_bytes);
    content_type.is_some_and(|value| value.starts_with(b"text/plain"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn unusable_tls() -> Failure {
    Failure::misconfigured(Reason::Misconfigured, "TLS cannot be set up for the media server")
}
