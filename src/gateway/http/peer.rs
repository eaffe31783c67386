//! The other end of a connection.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::http::Extensions;

use super::connection_count::CountedConnection;

/// The other end of the connection that a request came over. As long as this lives, the connection counts.
#[derive(Clone)]
pub struct PeerInfo {
    pub address: IpAddr,
    _connection: Arc<CountedConnection>,
}

impl PeerInfo {
    /// The peer at this address, over this connection.
    pub fn new(address: IpAddr, connection: CountedConnection) -> Self {
        Self { address: address.to_canonical(), _connection: Arc::new(connection) }
    }
}

/// The address at the other end of a request's connection. Requests that came over none are the process's own.
pub fn peer_address(extensions: &Extensions) -> IpAddr {
    extensions.get::<PeerInfo>().map_or(IpAddr::V6(Ipv6Addr::LOCALHOST), |peer| peer.address)
}
