//! Where a request came from: the other end of its connection, or what a trusted proxy there says.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use super::peer::peer_address;

/// Addresses through which a request went, the client's own first.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The networks of proxies whose word on where a request came from is taken.
#[derive(Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Trusts proxies in these networks, and nobody else.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether there is a trusted proxy at this address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request came from.
    pub fn client_of(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        self.client(peer_address(extensions), headers)
    }

    /// The last address that no trusted proxy has. What stands before it may be made up.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let forwarded = values.iter().rev().flat_map(|value| value.rsplit(',')).map(str::trim).filter(|entry| !entry.is_empty());
        for forwarded in forwarded {
            if !self.contain(client) {
                break;
            }
            let Some(address) = forwarded_address(forwarded) else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// The address that a proxy wrote: bare, or as some do with the port, in the brackets of a URL, in quotes, or with the zone of a link.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim_matches('"');
    let host = match entry.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => match entry.split_once(':') {
            // With a second colon it is an IPv6 address.
            Some((host, port)) if !port.contains(':') => host,
            _ => entry,
        },
    };
    host.split('%').next()?.parse().ok()
}

/// The network that counts as one client: 64 bits of an IPv6 address, which is what a single customer has, or all of an
/// IPv4 address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
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
    fn an_address_is_known_in_every_form_that_proxies_write() {
        for v4 in
            ["198.51.100.1", "198.51.100.1:51234", "\"198.51.100.1:51234\"", "[198.51.100.1]:443", "::ffff:198.51.100.1", " 198.51.100.1\t"]
        {
            assert_eq!(client("10.0.0.1", &[v4]), "198.51.100.1", "{v4}");
            assert_eq!(client("10.0.0.1", &[&format!("192.0.2.1, {v4}, 10.2.2.2:80")]), "198.51.100.1", "{v4}");
        }
        for v6 in
            ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "\"[2001:db8::1]:443\"", "2001:db8::1%eth0", "[2001:db8::1%eth0]:443"]
        {
            assert_eq!(client("10.0.0.1", &[v6]), "2001:db8::1", "{v6}");
        }
    }

    #[test]
    fn an_entry_that_is_empty_or_no_text_hides_no_address_after_it() {
        assert_eq!(client("10.0.0.1", &["192.0.2.1, , 198.51.100.1,, 10.2.2.2, "]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1", ""]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1", "\u{ff}, 198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn a_proxy_that_names_nobody_is_the_client_itself() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["garbage"]), "10.0.0.1");
        for nobody in ["garbage", "unknown", "_hidden:1", "[2001:db8::1", "198.51.100.1:80:80", ":", "[]", "%"] {
            assert_eq!(client("10.0.0.1", &[&format!("198.51.100.1, {nobody}")]), "10.0.0.1", "{nobody}");
        }
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_place_and_each_ipv4_address_is() {
        let place = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(place("198.51.100.1"), "198.51.100.1");
        assert_eq!(place("::ffff:198.51.100.1"), "198.51.100.1");
    }
}
