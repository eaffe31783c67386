//! The listener: bounded connections in total and by address, and no patience with slow senders.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::base_path::BasePath;
use super::client_ip::{TrustedProxies, network};
use super::connection_count::ConnectionCount;
use super::peer::PeerInfo;

/// How long a client may take for the head of a request, and how long a connection may wait for its next one.
const SLOWEST_HEAD: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes: an invite or a media token takes up to 4 KiB, LiveKit's description of a client, which
/// comes in the query, a few more.
const LONGEST_HEAD: usize = 32 * 1024;
/// Most headers of a request.
const MOST_HEADERS: usize = 64;
/// Most connections from one address: an office of 350 people behind one address, each with a signalling connection and four
/// that their browser keeps open for the page.
const MOST_PER_ADDRESS: usize = 350 * 5;
/// File descriptors that are left for everything that is no client: the API server, files, the probes.
const RESERVED: u64 = 128;
/// How long a client may take nothing of what it was sent, or be gone without a word.
const LONGEST_DEAFNESS: Duration = Duration::from_secs(30);
/// Pause when the system has nothing left to accept a connection with.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long requests under way may take at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves until `shutdown`, then lets the requests under way finish. Signalling connections end with the process: their
/// clients come back to another gateway by themselves.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    base: BasePath,
    trusted_proxies: TrustedProxies,
    shutdown: impl Future<Output = ()>,
) {
    listen_with(listener, router, base, trusted_proxies, LONGEST_DEAFNESS, shutdown).await;
}

async fn listen_with(
    listener: TcpListener,
    router: Router,
    base: BasePath,
    trusted_proxies: TrustedProxies,
    deafness: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let most = most_connections();
    let total = Arc::new(Semaphore::new(most));
    // One address must not take everything.
    let per_address = MOST_PER_ADDRESS.min(most / 2);
    let connections = ConnectionCount::default();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let accepting = async {
        loop {
            let Ok(permit) = total.clone().acquire_owned().await else { return };
            let Some((stream, address)) = accepted(&listener).await else { continue };
            let network = (!trusted_proxies.contain(address.ip())).then(|| network(address.ip()));
            let Some(counted) = connections.add(network, per_address, permit) else { continue };
            prepare(&stream, deafness);
            let peer = PeerInfo::new(address.ip(), counted);
            tasks.spawn(serve(stream, peer, router.clone(), base.clone(), stop.clone()));
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    drop(listener);
    stop.cancel();
    tasks.close();
    let _ = timeout(FAREWELL, tasks.wait()).await;
}

/// The next connection, unless it is gone already.
async fn accepted(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) if is_of_one_connection(&error) => None,
        Err(error) => {
            tracing::warn!(%error, "no connection can be accepted at the moment");
            sleep(EXHAUSTED).await;
            None
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Sets what the system is to do for a connection. The limit holds for signalling too, which goes on over the same socket.
fn prepare(stream: &TcpStream, deafness: Duration) {
    // Small messages that somebody waits for.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, u32::try_from(deafness.as_millis()).unwrap_or(u32::MAX));
    #[cfg(not(target_os = "linux"))]
    let _ = deafness;
}

async fn serve(stream: TcpStream, peer: PeerInfo, router: Router, base: BasePath, stop: CancellationToken) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        base.take_off(request.uri_mut());
        TowerToHyperService::new(router.clone()).call(request.map(Body::new))
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(SLOWEST_HEAD).max_headers(MOST_HEADERS).max_buf_size(LONGEST_HEAD);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Says what was wrong with the form, never what was sent.
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// How many connections the system lets this process have. Each may become a tunnel, with a second one to the media server.
fn most_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // The lower limit is for programs that use select(2).
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let descriptors = if raised { maximum } else { current }.unwrap_or(u64::MAX);
    let most = (descriptors.saturating_sub(RESERVED) / 2).max(16);
    usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use axum::body::Bytes;
    use axum::routing::get;
    use futures::{StreamExt, stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;

    /// Longer than everything takes; it is only used up by failures.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Says when the response that holds it is given up.
    struct Held(UnboundedSender<()>);

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_what_it_is_sent_is_cut_and_one_that_reads_slowly_is_not() {
        let (ended, mut responses_ended) = unbounded_channel();
        // More than all buffers between the two sides hold, and without an end.
        let endless = move || {
            let held = Arc::new(Held(ended.clone()));
            let chunks = stream::repeat(Bytes::from(vec![0; 65_536]));
            let chunks = chunks.map(move |chunk| {
                let _as_long_as_it_is_sent = &held;
                Ok::<_, Infallible>(chunk)
            });
            std::future::ready(Body::from_stream(chunks))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(endless));
        tokio::spawn(listen_with(listener, router, BasePath::of(None), TrustedProxies::default(), Duration::from_millis(500), pending()));
        let asked = async || {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nhost: meet.test\r\n\r\n").await.unwrap();
            client
        };
        let mut reader = asked().await;
        let deaf = asked().await;
        let mut taken = vec![0; 1 << 20];
        let reading = async {
            loop {
                reader.read_exact(&mut taken).await.unwrap();
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            ended = timeout(PATIENCE, responses_ended.recv()) => assert_eq!(ended.unwrap(), Some(())),
            () = reading => {}
        }
        reader.read_exact(&mut taken).await.unwrap();
        assert!(responses_ended.try_recv().is_err(), "it is the other one's");
        drop(deaf);
    }
}
