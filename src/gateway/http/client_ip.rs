//! Addresses: where a request came from, and how its client reached this gateway.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use ipnet::IpNet;
use reqwest::Url;

use crate::gateway::AppState;
use crate::gateway::http::listener::PeerInfo;
use crate::gateway::http::problem::Problem;

/// Addresses through which a request went, the client's own first.
pub const FORWARDED_FOR: &str = "x-forwarded-for";
/// The scheme that the client used.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The networks whose word on where a request came from is taken.
#[derive(Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Trusts proxies in these networks, and nobody else.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether there is a proxy at this address.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request came from: the last address that no trusted proxy has. What stands before it is hearsay.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let values = headers.get_all(FORWARDED_FOR);
        let forwarded: Vec<&str> = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
        for forwarded in forwarded.iter().rev() {
            if !self.is_proxy(client) {
                break;
            }
            let Ok(address) = forwarded.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, door: &AppState) -> Result<Self, Infallible> {
        Ok(Self(door.trust.client(peer(parts), &parts.headers)))
    }
}

/// Where clients that connect through this gateway find its signalling: where it was told that it is, or else where the
/// client reached it.
pub struct OwnAddress(pub String);

impl FromRequestParts<AppState> for OwnAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &AppState) -> Result<Self, Problem> {
        if let Some(url) = &door.gateway_url {
            return Ok(Self(url.replacen("http", "ws", 1).trim_end_matches('/').to_owned()));
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let forwarded = parts.headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"));
        // A page that came over HTTPS says so itself, whoever ended the TLS, and may connect to nothing less.
        let origin = parts.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()?.strip_prefix("https://"));
        let is_secure = forwarded && door.trust.is_proxy(peer(parts)) || origin.is_some() && origin == host;
        let scheme = if is_secure { "wss" } else { "ws" };
        let reached = host.map(|host| format!("{scheme}://{host}")).filter(|url| is_bare(url));
        reached.map(Self).ok_or(Problem::of_status(StatusCode::BAD_REQUEST))
    }
}

/// The address at the other end of the connection. Requests that came over none are the process's own.
fn peer(parts: &Parts) -> IpAddr {
    parts.extensions.get::<PeerInfo>().map_or(IpAddr::V6(Ipv6Addr::LOCALHOST), |peer| peer.address)
}

/// What counts as one place: an IPv6 network of 64 bits is what a single customer has.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// Whether there is a host and nothing that could be read as a path, a person or a query.
fn is_bare(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        let nobody = url.username().is_empty() && url.password().is_none();
        nobody && url.path() == "/" && url.query().is_none() && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trust = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        trust.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_header_from_somebody_who_is_no_trusted_proxy_says_nothing() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &["198.51.100.1"]), "127.0.0.1");
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_is_the_client() {
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 198.51.100.1, 10.2.2.2"]), "198.51.100.1", "the first was made up by the client");
        assert_eq!(client("10.0.0.1", &["192.0.2.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("fd00::1", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn a_proxy_that_names_nobody_is_the_client_itself() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["garbage"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, garbage"]), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_place_and_each_ipv4_address_is() {
        let place = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(place("198.51.100.1"), "198.51.100.1");
        assert_eq!(place("::ffff:198.51.100.1"), "198.51.100.1");
    }
}
