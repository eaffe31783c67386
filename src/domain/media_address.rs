//! At which address people reach the media of a media server that is behind load balancers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeSet;

/// One address of a family at most, of one family at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaAddress {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

/// What a Service says of its load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancedService {
    pub name: String,
    /// The addresses, with those that its host names lead to; empty while it has none.
    pub addresses: BTreeSet<IpAddr>,
    /// Whether a name leads to some of them: not every answer has all.
    pub is_named: bool,
}

/// Why there is no address that can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMediaAddress {
    /// No load balancer has taken a Service.
    #[error(
        "the Service {0} has no address yet: it waits for a load balancer, and if the cluster has none, livekit.rtc.service.type must be another one"
    )]
    Pending(String),
    /// UDP and TCP go to different addresses, of which a media server tells one.
    #[error(
        "the Services {0} have no address in common: give all the same, by your provider's annotations, because people are told one address"
    )]
    Different(String),
    /// A load balancer has a name that leads nowhere.
    #[error("the name {name} of the load balancer of the Service {service} leads to no address yet")]
    Unresolved { service: String, name: String },
}

/// The address that all `services` have: the one that was `told` if it is still theirs, else the lowest of each family.
///
/// # Errors
/// When one has no address yet, or two have none in common.
pub fn media_address(services: &[BalancedService], told: Option<MediaAddress>) -> Result<MediaAddress, NoMediaAddress> {
    if let Some(waiting) = services.iter().find(|service| service.addresses.is_empty()) {
        return Err(NoMediaAddress::Pending(waiting.name.clone()));
    }
    let of_all = |address: &&IpAddr| services.iter().all(|service| service.addresses.contains(address));
    let common: BTreeSet<IpAddr> = services.iter().flat_map(|service| &service.addresses).filter(of_all).copied().collect();
    if let Some(told) = told.filter(|told| told.families().all(|address| common.contains(&address))) {
        return Ok(told);
    }
    let v4 = common.iter().find_map(|address| if let IpAddr::V4(v4) = address { Some(*v4) } else { None });
    let v6 = common.iter().find_map(|address| if let IpAddr::V6(v6) = address { Some(*v6) } else { None });
    if v4.is_none() && v6.is_none() {
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        return Err(NoMediaAddress::Different(names.join(" and ")));
    }
    Ok(MediaAddress { v4, v6 })
}

impl MediaAddress {
    /// Reads what [`MediaAddress::node_ip`] wrote.
    #[must_use]
    pub fn read(node_ip: &str) -> Option<Self> {
        let (mut v4, mut v6) = (None, None);
        for part in node_ip.split(',') {
            match part.parse().ok()? {
                IpAddr::V4(address) => v4 = Some(address),
                IpAddr::V6(address) => v6 = Some(address),
            }
        }
        Some(Self { v4, v6 })
    }

    fn families(self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }

    /// As LiveKit takes it as its `node_ip`: both families with a comma between.
    #[must_use]
    pub fn node_ip(&self) -> String {
        let both = [self.v4.map(|v4| v4.to_string()), self.v6.map(|v6| v6.to_string())];
        both.into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    /// As a network of this address alone: of IPv4 where there is one.
    #[must_use]
    pub fn cidr(&self) -> String {
        match (self.v4, self.v6) {
            (Some(v4), _) => format!("{v4}/32"),
            (None, v6) => v6.map(|v6| format!("{v6}/128")).unwrap_or_default(),
        }
    }

    /// What a TURN server listens at that relays to this address: all addresses, of IPv4 where it has one. It is put into YAML without quotes, where
    /// `::` would be a map.
    #[must_use]
    pub fn turn_bind(&self) -> &'static str {
        if self.v4.is_some() { "0.0.0.0" } else { "::0" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, addresses: &[&str]) -> BalancedService {
        BalancedService {
            name: name.to_owned(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            is_named: false,
        }
    }

    fn told(services: &[BalancedService]) -> [String; 3] {
        let address = media_address(services, None).unwrap();
        [address.node_ip(), address.cidr(), address.turn_bind().to_string()]
    }

    #[test]
    fn both_families_are_told_and_of_each_one_address() {
        assert_eq!(told(&[service("a", &["203.0.113.9"])]), ["203.0.113.9", "203.0.113.9/32", "0.0.0.0"]);
        assert_eq!(told(&[service("a", &["2001:db8::1"])]), ["2001:db8::1", "2001:db8::1/128", "::0"]);
        assert_eq!(
            told(&[service("a", &["2001:db8::1", "203.0.113.9", "203.0.113.8"])]),
            ["203.0.113.8,2001:db8::1", "203.0.113.8/32", "0.0.0.0"]
        );
    }

    #[test]
    fn two_services_need_an_address_in_common() {
        let both = [service("udp", &["203.0.113.9", "203.0.113.8"]), service("tcp", &["203.0.113.9"])];
        assert_eq!(told(&both)[0], "203.0.113.9");
        let apart = [service("udp", &["203.0.113.8"]), service("tcp", &["203.0.113.9"])];
        let refused = media_address(&apart, None).unwrap_err();
        assert_eq!(refused, NoMediaAddress::Different("udp and tcp".into()));
        assert!(refused.to_string().starts_with("the Services udp and tcp have no address in common"));
    }

    #[test]
    fn what_was_told_stays_as_long_as_it_is_an_address_of_the_load_balancer() {
        let told = MediaAddress::read("203.0.113.9");
        let more = [service("a", &["203.0.113.8", "203.0.113.9", "2001:db8::1"])];
        assert_eq!(media_address(&more, told).unwrap().node_ip(), "203.0.113.9");
        assert_eq!(media_address(&[service("a", &["203.0.113.8"])], told).unwrap().node_ip(), "203.0.113.8");
        for text in ["203.0.113.8", "203.0.113.8,2001:db8::1", "2001:db8::1"] {
            assert_eq!(MediaAddress::read(text).unwrap().node_ip(), text);
        }
        assert_eq!(MediaAddress::read("lb.example.org"), None);
    }

    #[test]
    fn a_service_without_an_address_is_named() {
        let waiting = [service("udp", &["203.0.113.8"]), service("tcp", &[])];
        let refused = media_address(&waiting, None).unwrap_err();
        assert_eq!(refused, NoMediaAddress::Pending("tcp".into()));
        assert!(refused.to_string().contains("the Service tcp has no address yet"), "{refused}");
    }
}
