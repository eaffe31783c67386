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
use turn_client_proto::prelude::TurnClientApi;
use turn_client_proto::stun::agent::Transmit;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::{TransportType, TurnCredentials};
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

    async fn ask(&self, config: TurnConfig, has_answered: &AtomicBool) -> RelayCheck {
        let found = match self.transport {
            Transport::Udp => self.by_udp(config, has_answered).await,
            Transport::Tcp => self.by_tcp(config, has_answered).await,
            Transport::Tls => self.by_tls(config, has_answered).await,
        };
        found.unwrap_or_else(|error| match tls::certificate_error(&error) {
            Some(reason) => RelayCheck::Untrusted(reason.to_string()),
            None => RelayCheck::Unanswered,
        })
    }

    async fn address(&self) -> io::Result<SocketAddr> {
        lookup_host((self.host.as_str(), self.port)).await?.next().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn by_tcp(&self, config: TurnConfig, has_answered: &AtomicBool) -> io::Result<RelayCheck> {
        let stream = TcpStream::connect(self.address().await?).await?;
        let places = (stream.local_addr()?, stream.peer_addr()?);
        by_stream(stream, places, config, has_answered).await
    }

    async fn by_tls(&self, config: TurnConfig, has_answered: &AtomicBool) -> io::Result<RelayCheck> {
        let stream = TcpStream::connect(self.address().await?).await?;
        let places = (stream.local_addr()?, stream.peer_addr()?);
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(tls::client().map_err(io::Error::other)?));
        let stream = connector.connect(name, stream).await?;
        by_stream(stream, places, config, has_answered).await
    }

    async fn by_udp(&self, config: TurnConfig, has_answered: &AtomicBool) -> io::Result<RelayCheck> {
        let remote = self.address().await?;
        let socket = UdpSocket::bind(if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).await?;
        socket.connect(remote).await?;
        let local = socket.local_addr()?;
        let mut client = TurnClientUdp::allocate(local, remote, config);
        let mut bytes = [0; LONGEST];
        loop {
            let pause = match next(&mut client) {
                Next::Found(found) => return Ok(found),
                Next::Wait(pause) => pause,
            };
            while let Some(packet) = client.poll_transmit(clock::relay_instant()) {
                socket.send(packet.data.as_ref()).await?;
            }
            tokio::select! {
                length = socket.recv(&mut bytes) => {
                    let length = length?;
                    has_answered.store(true, Ordering::Relaxed);
                    hear(&mut client, TransportType::Udp, (remote, local), bytes.get(..length).unwrap_or_default());
                }
                () = sleep(pause) => {}
            }
        }
    }
}

async fn by_stream(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    (local, remote): (SocketAddr, SocketAddr),
    config: TurnConfig,
    has_answered: &AtomicBool,
) -> io::Result<RelayCheck> {
    let mut client = TurnClientTcp::allocate(local, remote, config);
    let mut bytes = [0; LONGEST];
    loop {
        let pause = match next(&mut client) {
            Next::Found(found) => return Ok(found),
            Next::Wait(pause) => pause,
        };
        while let Some(packet) = client.poll_transmit(clock::relay_instant()) {
            stream.write_all(packet.data.as_ref()).await?;
        }
        stream.flush().await?;
        tokio::select! {
            length = stream.read(&mut bytes) => match length? {
                0 => return Ok(RelayCheck::Unanswered),
                length => {
                    has_answered.store(true, Ordering::Relaxed);
                    hear(&mut client, TransportType::Tcp, (remote, local), bytes.get(..length).unwrap_or_default());
                }
            },
            () = sleep(pause) => {}
        }
    }
}

/// What comes next.
enum Next {
    Found(RelayCheck),
    Wait(Duration),
}

fn next(client: &mut impl TurnClientApi) -> Next {
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

fn hear(client: &mut impl TurnClientApi, transport: TransportType, (from, to): (SocketAddr, SocketAddr), bytes: &[u8]) {
    // What comes before there is a place is about that alone.
    let _ = client.recv(Transmit::new(bytes.to_vec(), transport, from, to), clock::relay_instant());
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
