//! The gateway's own address, as its clients reach it.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use reqwest::Url;

use super::client_ip::TrustedProxies;
use super::peer::peer_address;
use super::problem::Problem;

/// The scheme that the client used.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// How the gateway's own address is found.
#[derive(Clone)]
pub struct PublicAddress {
    /// The address, where a setting names it. Otherwise it is the one that a request came to.
    gateway_url: Option<Arc<str>>,
    trusted_proxies: TrustedProxies,
}

impl PublicAddress {
    /// The address in `gateway_url`, or else the one of a request, whose scheme these proxies know.
    pub fn new(gateway_url: Option<String>, trusted_proxies: TrustedProxies) -> Self {
        Self { gateway_url: gateway_url.map(Into::into), trusted_proxies }
    }

    fn of_signalling(&self, parts: &Parts) -> Result<String, Problem> {
        // A page that came over HTTPS says so itself, whoever ended the TLS, and may connect to nothing less.
        let origin = parts.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()?.strip_prefix("https://"));
        if let Some(url) = &self.gateway_url {
            let url = url.replacen("http", "ws", 1);
            let url = if origin.is_some() { url.replacen("ws:", "wss:", 1) } else { url };
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let forwarded = parts.headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
        let is_secure = forwarded && self.trusted_proxies.contain(peer_address(&parts.extensions)) || origin.is_some() && origin == host;
        let scheme = if is_secure { "wss" } else { "ws" };
        let reached = host.map(|host| format!("{scheme}://{host}")).filter(|url| is_bare(url));
        reached.ok_or(Problem::of_status(StatusCode::BAD_REQUEST))
    }
}

/// Where clients that connect through this gateway find its signalling: a WebSocket address.
pub struct SignallingAddress(pub String);

impl SignallingAddress {
    /// The same address as browsers open it.
    pub fn http(&self) -> String {
        self.0.replacen("ws", "http", 1)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignallingAddress
where
    PublicAddress: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        PublicAddress::from_ref(state).of_signalling(parts).map(Self)
    }
}

/// Whether an address has a host and nothing that could be read as a path, a user or a query.
fn is_bare(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let nobody = url.username().is_empty() && url.password().is_none();
        nobody && url.path() == "/" && url.query().is_none() && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use rstest::rstest;

    use super::*;

    fn signalling(gateway_url: Option<&str>, host: &str, origin: Option<&str>) -> String {
        let mut request = Request::get("/v1/join").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        PublicAddress::new(gateway_url.map(str::to_owned), TrustedProxies::default()).of_signalling(&parts).unwrap()
    }

    #[rstest]
    #[case(None, "meet.test", None, "ws://meet.test")]
    #[case(None, "meet.test", Some("https://meet.test"), "wss://meet.test")]
    #[case(None, "meet.test", Some("https://other.test"), "ws://meet.test")]
    #[case(Some("http://meet.test"), "meet.test", None, "ws://meet.test")]
    #[case(Some("http://meet.test"), "meet.test", Some("http://meet.test"), "ws://meet.test")]
    #[case(Some("http://meet.test/a/"), "meet.test", Some("https://meet.test"), "wss://meet.test/a")]
    #[case(Some("https://meet.test"), "gateway.svc", None, "wss://meet.test")]
    fn a_page_that_came_over_https_is_told_no_address_without_it(
        #[case] gateway_url: Option<&str>,
        #[case] host: &str,
        #[case] origin: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(signalling(gateway_url, host, origin), expected);
    }
}
