//! The gateway. It judges every use of an invite by the live Room and hands out short-lived media tokens.
//!
//! A join is read in this order: `http/listener`, `http/routes`, `admission/join`, `admission/authorize`,
//! `admission/call_snapshot`, `admission/reservations`, `http/responses`. `admission` knows no HTTP, and `http` nothing of
//! `signalling`. Invites and media tokens are never logged.
//!
//! Stateless but for the reservations, so that it scales out. Knows nothing of how a media server talks.

mod admission;
mod http;
mod page;
mod room_changes;
mod router;
mod signalling;
mod startup;
#[cfg(test)]
mod tests;
mod wall_clock;
mod webhooks;

pub use startup::{ServeError, serve};
