//! The HTTP side of the gateway: the listener, what is asked of every request, and the resources of the API.

mod api_paths;
mod base_path;
mod bearer;
mod client_ip;
mod connection_count;
mod json;
mod link_turns;
mod listener;
mod peer;
mod problem;
mod public_address;
mod rate_limit;
mod request_span;
mod responses;
mod routes;
mod staleness;
mod subprotocol;
mod timestamp;

pub use base_path::BasePath;
pub use bearer::bearer_token;
pub use client_ip::TrustedProxies;
pub use link_turns::LinkTurns;
pub use listener::listen;
pub use problem::{Problem, of_every_error, of_panic};
pub use public_address::PublicAddress;
#[cfg(test)]
pub use rate_limit::PER_ADDRESS;
pub use rate_limit::{RateLimits, limit_by_address};
pub use request_span::{describe_room, trace_request};
pub use routes::{Api, routes};
pub use staleness::{refuse_while_stale, tell_staleness};
pub use subprotocol::{SUBPROTOCOL, offers_subprotocol, token_among_subprotocols};
