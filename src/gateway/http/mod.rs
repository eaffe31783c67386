//! Listener, limits, routes, and what they answer.

pub mod client_ip;
pub mod json;
pub mod listener;
pub mod problem;
pub mod rate_limit;
pub mod request_span;
pub mod responses;
pub mod routes;
pub mod staleness;
