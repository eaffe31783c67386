//! The way from the gateway to media servers.

use std::time::Duration;

use axum::http::HeaderMap;
use reqwest::{Response, Url};

/// How long a connection to a media server may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Asks media servers for the client.
#[derive(Clone)]
pub struct Upstream(reqwest::Client);

/// Why media servers cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

impl Upstream {
    /// Follows no redirects, asks no proxy and keeps no idle connections: each one is used once.
    pub fn new() -> Result<Self, UpstreamError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::tls::client()?)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self(http))
    }

    /// Asks for `url` with this media token. The token goes in a header, so that the one that was judged is the one that is
    /// used.
    pub async fn get(&self, url: Url, token: &str, headers: HeaderMap) -> Result<Response, reqwest::Error> {
        self.0.get(url).bearer_auth(token).headers(headers).send().await
    }
}
