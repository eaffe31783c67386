//! Limits the rate of requests: by address, before anything else is looked at, and by invite, once it is known to be good.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::api_paths::is_api;
use super::client_ip::{TrustedProxies, network};
use super::problem::Problem;
use crate::api::LINK_SUBJECT;
use crate::domain::Invite;

/// Requests a second from one address, unless told otherwise: behind one may be an office of 350 people who all join at nine.
#[cfg(test)]
pub const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(200).unwrap();
/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: u32 = 10;
/// Requests a second with one invite, and how many may come at once. The page asks every ten seconds; somebody may have it
/// open on several devices, or reload it again and again.
const PER_INVITE: NonZeroU32 = NonZeroU32::new(2).unwrap();
const INVITE_BURST: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// The same for a shared link from one address: everybody in a call may have it, and be in one office.
const PER_LINK: NonZeroU32 = NonZeroU32::new(100).unwrap();
const LINK_BURST: NonZeroU32 = NonZeroU32::new(1000).unwrap();
/// Most addresses, and most invites, that are remembered. All others share one limit.
const MOST_KEYS: usize = 50_000;
/// How many requests come between two searches for keys that can be forgotten, while there are too many.
const SWEEP_EVERY: u32 = 256;

/// The rates of all addresses and invites.
pub struct RateLimits {
    addresses: Bounded<IpAddr>,
    invites: Bounded<Option<Invite>>,
    links: Bounded<Option<(Invite, IpAddr)>>,
}

impl RateLimits {
    /// Allows this many requests a second from one address.
    pub fn new(per_address: NonZeroU32) -> Self {
        let burst = per_address.saturating_mul(NonZeroU32::new(BURST_SECONDS).unwrap_or(NonZeroU32::MIN));
        Self {
            addresses: Bounded::new(Quota::per_second(per_address).allow_burst(burst), IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            invites: Bounded::new(Quota::per_second(PER_INVITE).allow_burst(INVITE_BURST), None),
            links: Bounded::new(Quota::per_second(PER_LINK).allow_burst(LINK_BURST), None),
        }
    }

    /// Counts one use of a good invite, by somebody at this address. One that is not good any more is never counted: it would speak for
    /// the one that took its place.
    pub fn count(&self, invite: &Invite, client: IpAddr) -> Result<(), Problem> {
        if invite.participant == LINK_SUBJECT {
            return self.links.count(&Some((invite.clone(), network(client))));
        }
        self.invites.count(&Some(invite.clone()))
    }
}

/// A limit per key, in bounded memory.
struct Bounded<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    /// The key that all others share while too many are remembered.
    others: K,
    /// Requests that came while too many were remembered.
    crowded: AtomicU32,
}

impl<K: Hash + Eq + Clone> Bounded<K> {
    fn new(quota: Quota, others: K) -> Self {
        Self { limiter: RateLimiter::hashmap(quota), others, crowded: AtomicU32::default() }
    }

    fn count(&self, key: &K) -> Result<(), Problem> {
        let is_full = self.limiter.len() >= MOST_KEYS;
        // Going through all of them for every request would be what an attacker wants.
        if is_full && self.crowded.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(if is_full { &self.others } else { key }).map_err(|_| Problem::TOO_MANY_REQUESTS)
    }
}

/// Refuses clients that ask too often from one address. The page itself costs nothing and is not counted.
pub async fn limit_by_address(
    State((limits, trusted_proxies)): State<(Arc<RateLimits>, TrustedProxies)>,
    request: Request,
    next: Next,
) -> Response {
    let client = trusted_proxies.client_of(request.extensions(), request.headers());
    match if is_api(request.uri().path()) { limits.addresses.count(&network(client)) } else { Ok(()) } {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn invite(participant: usize) -> Invite {
        let name = participant.to_string();
        Invite { namespace: "team".into(), room: "standup".into(), id: "id".into(), participant: name, generation: 0, signed_by: None }
    }

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));

    #[test]
    fn an_invite_may_be_used_sixty_times_at_once_and_no_other_pays_for_it() {
        let limits = RateLimits::new(PER_ADDRESS);
        assert!((0..60).all(|_| limits.count(&invite(1), HERE).is_ok()));
        assert!((0..100).any(|_| limits.count(&invite(1), THERE) == Err(Problem::TOO_MANY_REQUESTS)));
        assert_eq!(limits.count(&invite(2), HERE), Ok(()));
        assert_eq!(limits.count(&Invite { generation: 1, ..invite(1) }, HERE), Ok(()), "the one that took its place");
        assert_eq!(limits.count(&Invite { id: "another".into(), ..invite(1) }, HERE), Ok(()), "the Room that took its place");
    }

    #[test]
    fn a_shared_link_may_be_used_by_everybody_in_an_office_and_by_others_whatever_one_of_them_does() {
        let limits = RateLimits::new(PER_ADDRESS);
        let link = Invite { participant: LINK_SUBJECT.to_owned(), ..invite(1) };
        assert!((0..1000).all(|_| limits.count(&link, HERE).is_ok()));
        assert!((0..100).any(|_| limits.count(&link, HERE).is_err()));
        assert_eq!(limits.count(&link, THERE), Ok(()));
        assert_eq!(limits.count(&Invite { generation: 1, ..link }, HERE), Ok(()), "the link that took its place");
    }

    #[test]
    fn an_office_may_join_at_once_and_no_other_address_pays_for_it() {
        let limits = RateLimits::new(PER_ADDRESS);
        let count = |address: &str| limits.addresses.count(&address.parse().unwrap());
        assert!((0..2000).all(|_| count("198.51.100.1").is_ok()));
        assert!((0..100).any(|_| count("198.51.100.1").is_err()));
        assert_eq!(count("198.51.100.2"), Ok(()));
    }

    #[test]
    fn memory_stays_bounded_however_many_come() {
        let limits = RateLimits::new(PER_ADDRESS);
        for number in 0..MOST_KEYS * 2 {
            let _ = limits.count(&invite(number), HERE);
        }
        assert!(limits.invites.limiter.len() <= MOST_KEYS + 1);
    }
}
