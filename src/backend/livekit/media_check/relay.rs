//! Whether a relay (TURN, RFC 8656) that the media server names gives this process a place: people in closed networks have no other way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use turn_client_proto::api::{TurnConfig, TurnEvent, TurnPollRet};
use turn_client_proto::client::TurnClient;
use turn_client_proto::prelude::TurnClientApi;
use turn_client_proto::stun::agent::Transmit;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::{AddressFamily, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::signalling::Signalling;
use crate::clock;
use crate::tls;

/// How long a relay may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Longest that is read at once, in bytes.
const LONGEST: usize = 2048;
/// Longest pause in which nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What was found of one relay.
#[derive(Debug, PartialEq, Eq)]
pub enum RelayCheck {
    /// It gives a place.
    Works,
    /// It answers, and gives none: the credentials are wrong or have run out, or it has no place left.
    Refused,
    /// Its certificate is not trusted, for this reason.
    Untrusted(String),
    /// It does not answer.
    Unanswered,
}

/// A relay, as the media server tells its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Relay {
    host: String,
    port: u16,
    transport: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// Tries every relay that the media server at `url` names to the holder of a media token, each with what was found of it.
///
/// # Errors
/// In words, when signalling does not get through, so that no relay is known.
pub async fn relay_checks(http: &reqwest::Client, url: &str, token: &str) -> Result<Vec<(String, RelayCheck)>, String> {
    let servers = Signalling::connect(http, url, token).await?.ice_servers().await?;
    let mut found = Vec::new();
    for server in servers {
        for address in &server.urls {
            if let Some(relay) = Relay::parse(address) {
                let credentials = TurnCredentials::new(&server.username, &server.credential);
                found.push((address.clone(), relay.check(credentials).await));
            }
        }
    }
    Ok(found)
}

impl Relay {
    /// From a URI as in RFC 7065; none if it is of something else.
    fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let transport = match (scheme, query) {
            ("turn", "" | "transport=udp") => Transport::Udp,
            ("turn", "transport=tcp") => Transport::Tcp,
            ("turns", "" | "transport=tcp") => Transport::Tls,
            _ => return None,
        };
        let usual = if transport == Transport::Tls { 5349 } else { 3478 };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (place, usual),
        };
        Some(Self { host: host.trim_matches(['[', ']']).to_owned(), port, transport })
    }

    async fn check(&self, credentials: TurnCredentials) -> RelayCheck {
        let has_answered = AtomicBool::new(false);
        let asked = timeout(WITHIN, self.ask(TurnConfig::new(credentials), &has_answered)).await;
        // What it says to somebody whom it does not know is signed with nothing, so that no client believes it.
        asked.unwrap_or(if has_answered.into_inner() { RelayCheck::Refused } else { RelayCheck::Unanswered })
    }

    /// Asks for a place of the family by which it is reached, as a relay takes for granted where a browser says nothing; for one of the other family where
    /// it has none of that.
    async fn ask(&self, config: TurnConfig, has_answered: &AtomicBool) -> RelayCheck {
        for is_own in [true, false] {
            let found =
                self.ask_once(config.clone(), is_own, has_answered).await.unwrap_or_else(|error| match tls::certificate_error(&error) {
                    Some(reason) => RelayCheck::Untrusted(reason.to_string()),
                    None => RelayCheck::Unanswered,
                });
            if found != RelayCheck::Refused {
                return found;
            }
        }
        RelayCheck::Refused
    }

    async fn ask_once(&self, mut config: TurnConfig, is_own: bool, has_answered: &AtomicBool) -> io::Result<RelayCheck> {
        let (link, places) = self.open().await?;
        config.set_address_family(if places.1.is_ipv4() == is_own { AddressFamily::IPV4 } else { AddressFamily::IPV6 });
        converse(link, places, config, has_answered).await
    }

    /// Opens the way to it; with the places at both of its ends, this process first.
    async fn open(&self) -> io::Result<(Link, (SocketAddr, SocketAddr))> {
        let remote = lookup_host((self.host.as_str(), self.port)).await?.next().ok_or(io::ErrorKind::NotFound)?;
        if self.transport == Transport::Udp {
            let socket = UdpSocket::bind(if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
            socket.connect(remote).await?;
            let local = socket.local_addr()?;
            return Ok((Link::Datagrams(socket), (local, remote)));
        }
        let stream = TcpStream::connect(remote).await?;
        let places = (stream.local_addr()?, remote);
        if self.transport == Transport::Tcp {
            return Ok((Link::Stream(Box::new(stream)), places));
        }
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(tls::client().map_err(io::Error::other)?));
        Ok((Link::Stream(Box::new(connector.connect(name, stream).await?)), places))
    }
}

trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// The way to a relay.
enum Link {
    Datagrams(UdpSocket),
    Stream(Box<dyn ByteStream>),
}

impl Link {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(bytes).await.map(drop),
            Self::Stream(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Fails at the end of a stream.
    async fn receive(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Datagrams(socket) => socket.recv(bytes).await,
            Self::Stream(stream) => match stream.read(bytes).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                length => Ok(length),
            },
        }
    }
}

/// Asks for a place by a way that is open.
async fn converse(
    mut link: Link,
    (local, remote): (SocketAddr, SocketAddr),
    config: TurnConfig,
    has_answered: &AtomicBool,
) -> io::Result<RelayCheck> {
    let mut client = match link {
        Link::Datagrams(_) => TurnClient::from(TurnClientUdp::allocate(local, remote, config)),
        Link::Stream(_) => TurnClient::from(TurnClientTcp::allocate(local, remote, config)),
    };
    let mut bytes = [0; LONGEST];
    loop {
        let pause = match next(&mut client) {
            Next::Found(found) => return Ok(found),
            Next::Wait(pause) => pause,
        };
        while let Some(packet) = client.poll_transmit(clock::relay_instant()) {
            link.send(packet.data.as_ref()).await?;
        }
        tokio::select! {
            length = link.receive(&mut bytes) => {
                let heard = bytes[..length?].to_vec();
                has_answered.store(true, Ordering::Relaxed);
                // What comes before there is a place is about that alone.
                let _ = client.recv(Transmit::new(heard, client.transport(), remote, local), clock::relay_instant());
            }
            () = sleep(pause) => {}
        }
    }
}

/// What comes next.
enum Next {
    Found(RelayCheck),
    Wait(Duration),
}

fn next(client: &mut TurnClient) -> Next {
    let now = clock::relay_instant();
    let pause = match client.poll(now) {
        TurnPollRet::WaitUntil(at) => at.saturating_duration_since(now).min(LOOK_EVERY),
        TurnPollRet::Closed => return Next::Found(RelayCheck::Refused),
        TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => LOOK_EVERY,
    };
    while let Some(event) = client.poll_event() {
        match event {
            TurnEvent::AllocationCreated(..) => return Next::Found(RelayCheck::Works),
            TurnEvent::AllocationCreateFailed(_) => return Next::Found(RelayCheck::Refused),
            _ => {}
        }
    }
    Next::Wait(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_relay_says_host_port_and_transport() {
        let relay = |host: &str, port, transport| Some(Relay { host: host.to_owned(), port, transport });
        for (uri, expected) in [
            ("turn:turn.example.org:3478?transport=udp", relay("turn.example.org", 3478, Transport::Udp)),
            ("turn:192.0.2.1?transport=tcp", relay("192.0.2.1", 3478, Transport::Tcp)),
            ("turns:turn.example.org:443?transport=tcp", relay("turn.example.org", 443, Transport::Tls)),
            ("turns:turn.example.org", relay("turn.example.org", 5349, Transport::Tls)),
            ("turn:[2001:db8::1]:3479?transport=udp", relay("2001:db8::1", 3479, Transport::Udp)),
            ("turn:[2001:db8::1]", relay("2001:db8::1", 3478, Transport::Udp)),
            ("stun:stun.example.org:3478", None),
            ("turn:turn.example.org:port", None),
            ("", None),
        ] {
            assert_eq!(Relay::parse(uri), expected, "{uri}");
        }
    }
}
