//! The packets between this process and the places that a media server names, by UDP or by TCP.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use is::{Candidate, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// Longest packet that is read, in bytes: those that connect two places are far shorter.
const LONGEST: usize = 2048;
/// Packets that wait to be looked at.
const WAITING: usize = 64;

/// A packet that has come.
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

enum Socket {
    Udp(Arc<UdpSocket>),
    Tcp(OwnedWriteHalf),
}

/// A socket that has just been opened.
pub enum Opened {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// Opens a socket from which `remote` can be reached.
pub async fn open(protocol: Protocol, remote: SocketAddr) -> io::Result<Opened> {
    if protocol != Protocol::Udp {
        return Ok(Opened::Tcp(TcpStream::connect(remote).await?));
    }
    // The system chooses the address of this machine by where the packets are to go.
    let probe = UdpSocket::bind(unspecified(remote)).await?;
    probe.connect(remote).await?;
    Ok(Opened::Udp(UdpSocket::bind((probe.local_addr()?.ip(), 0)).await?))
}

/// Sockets by their own address. What reads them ends with this.
pub struct Ways {
    sockets: HashMap<SocketAddr, Socket>,
    sender: Sender<Packet>,
    packets: Receiver<Packet>,
    reading: JoinSet<()>,
}

impl Ways {
    /// No socket yet.
    pub fn new() -> Self {
        let (sender, packets) = channel(WAITING);
        Self { sockets: HashMap::new(), sender, packets, reading: JoinSet::new() }
    }

    /// Adds a socket, and gives its candidate; none where another one does as well.
    pub fn add(&mut self, opened: Opened) -> io::Result<Option<Candidate>> {
        let candidate = match opened {
            Opened::Udp(socket) => {
                let local = socket.local_addr()?;
                if self.sockets.keys().any(|other| other.ip() == local.ip()) {
                    return Ok(None);
                }
                let socket = Arc::new(socket);
                self.reading.spawn(read_datagrams(socket.clone(), local, self.sender.clone()));
                self.sockets.insert(local, Socket::Udp(socket));
                Candidate::builder().udp().host(local).build()
            }
            Opened::Tcp(stream) => {
                let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
                let (reader, writer) = stream.into_split();
                self.reading.spawn(read_frames(reader, remote, local, self.sender.clone()));
                self.sockets.insert(local, Socket::Tcp(writer));
                Candidate::builder().tcp().host(local).build()
            }
        };
        candidate.map(Some).map_err(|error| io::Error::other(error.to_string()))
    }

    /// Sends a packet. One that cannot be sent is lost, as others are on the way.
    pub async fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        match self.sockets.get_mut(&from) {
            Some(Socket::Udp(socket)) => drop(socket.send_to(bytes, to).await),
            // A connection leads to one place alone.
            Some(Socket::Tcp(writer)) if writer.peer_addr().is_ok_and(|peer| peer == to) => {
                let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
                drop(writer.write_all(&[&length.to_be_bytes(), bytes].concat()).await);
            }
            _ => {}
        }
    }

    /// The next packet.
    pub async fn receive(&mut self) -> Option<Packet> {
        self.packets.recv().await
    }
}

fn unspecified(remote: SocketAddr) -> SocketAddr {
    if remote.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() }
}

async fn read_datagrams(socket: Arc<UdpSocket>, to: SocketAddr, sender: Sender<Packet>) {
    let mut bytes = vec![0; LONGEST];
    loop {
        // An error says that an earlier packet was not wanted somewhere.
        let Ok((length, from)) = socket.recv_from(&mut bytes).await else { continue };
        if sender.send(Packet { from, to, bytes: bytes[..length].to_vec() }).await.is_err() {
            return;
        }
    }
}

/// Reads packets that have their length before them (RFC 4571).
async fn read_frames(mut reader: OwnedReadHalf, from: SocketAddr, to: SocketAddr, sender: Sender<Packet>) {
    while let Ok(length) = reader.read_u16().await {
        let mut bytes = vec![0; usize::from(length)];
        if reader.read_exact(&mut bytes).await.is_err() || sender.send(Packet { from, to, bytes }).await.is_err() {
            return;
        }
    }
}
