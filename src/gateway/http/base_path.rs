//! The path that the gateway's own address may have, as in `https://portal.example.org/meet`.

use std::sync::Arc;

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use reqwest::Url;

/// The path of the gateway's own address, which some proxies take off and others pass on.
#[derive(Clone)]
pub struct BasePath(Arc<str>);

impl BasePath {
    /// The path of `gateway_url`; none without it.
    pub fn of(gateway_url: Option<&str>) -> Self {
        let url = gateway_url.and_then(|url| Url::parse(url).ok());
        Self(url.as_ref().map_or("", |url| url.path().trim_end_matches('/')).into())
    }

    /// Takes the path off an address that begins with it. Everything else stays as it is: it is also reached without.
    pub fn take_off(&self, uri: &mut Uri) {
        let Some(rest) = uri.path_and_query().and_then(|path| path.as_str().strip_prefix(&*self.0)) else { return };
        if self.0.is_empty() || !rest.starts_with('/') {
            return;
        }
        let Ok(rest) = rest.parse::<PathAndQuery>() else { return };
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(rest);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(gateway_url: Option<&str>, asked: &str) -> String {
        let mut uri = asked.parse().unwrap();
        BasePath::of(gateway_url).take_off(&mut uri);
        uri.to_string()
    }

    #[test]
    fn the_path_of_the_own_address_is_taken_off_where_a_proxy_left_it_on() {
        for base in ["https://portal.example.org/meet", "https://portal.example.org/meet/"] {
            assert_eq!(reached(Some(base), "/meet/"), "/");
            assert_eq!(reached(Some(base), "/meet/v1/room"), "/v1/room");
            assert_eq!(reached(Some(base), "/meet/rtc?a=/meet/b"), "/rtc?a=/meet/b");
            assert_eq!(reached(Some(base), "/meet/meet/"), "/meet/", "once");
            assert_eq!(reached(Some(base), "http://portal.example.org/meet/v1/room"), "http://portal.example.org/v1/room");
        }
        assert_eq!(reached(Some("https://example.org/a/b"), "/a/b/assets/app.js"), "/assets/app.js");
    }

    #[test]
    fn what_does_not_begin_with_it_stays() {
        for asked in ["/", "/v1/room?a=b", "/meeting/", "/meet", "/other/meet/", "*"] {
            assert_eq!(reached(Some("https://portal.example.org/meet"), asked), asked);
        }
        for base in [None, Some("https://meet.example.org"), Some("https://meet.example.org/")] {
            assert_eq!(reached(base, "/v1/room"), "/v1/room");
        }
    }
}
