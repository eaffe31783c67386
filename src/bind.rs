//! Listening on every address of a machine.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// Listens on an address. 0.0.0.0 stands for all addresses, of IPv6 too where the machine has it: in an IPv6 cluster the kubelet sends its
/// probes there alone.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if address.ip() == Ipv4Addr::UNSPECIFIED
        && let Ok(listener) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, address.port())).await
    {
        return Ok(listener);
    }
    TcpListener::bind(address).await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn all_addresses_are_those_of_both_families() {
        let listener = bind((Ipv4Addr::UNSPECIFIED, 0).into()).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("by IPv4");
        if listener.local_addr().expect("an address").is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.expect("by IPv6");
        }
    }

    #[tokio::test]
    async fn one_address_is_that_one_alone() {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.expect("a port");
        assert_eq!(listener.local_addr().expect("an address").ip(), Ipv4Addr::LOCALHOST);
    }
}
