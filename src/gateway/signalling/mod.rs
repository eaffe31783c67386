//! Signalling: the WebSockets between clients and media servers that go through the gateway, and who ends them.

mod connections;
mod message_limit;
mod pace;
mod proxy;
mod query;
mod tunnel;
mod upstream;

pub use connections::Connections;
pub use proxy::{SignallingProxy, routes};
pub use upstream::{Upstream, UpstreamError};
