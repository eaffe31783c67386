//! Proxies before the API server and before a media server that count the requests which change something, and let one of them go wrong.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{Method, Request, Response, StatusCode};
use futures::stream;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// Largest body, in bytes.
pub const LARGEST: usize = 16 << 20;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not reach the server, and is not answered.
    Lost,
    /// The server carries it out, and it is not answered.
    Unanswered,
    /// The connection is closed before the server sees it.
    Reset,
    /// The connection is closed after the server has carried it out.
    ResetAfter,
    /// The server carries it out, and half of the answer comes.
    Truncated,
    /// The server does not see it, and seems to answer with this status.
    Status(u16),
}

/// Which of the requests goes wrong. Both proxies share it.
#[derive(Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Default)]
struct Inner {
    armed: Mutex<Option<(usize, Fault)>>,
    changes: AtomicUsize,
    latest: Mutex<String>,
    struck: Mutex<Option<String>>,
    delay: Mutex<Duration>,
    silent: Mutex<&'static [&'static str]>,
    held: watch::Sender<&'static [&'static str]>,
    waiting: AtomicUsize,
    given_up: AtomicUsize,
}

/// A request that is not answered, until who asks gives up or it is held no more.
struct Waiting(Faults);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::SeqCst);
        self.0.0.given_up.fetch_add(1, Ordering::SeqCst);
    }
}

impl Faults {
    /// From now on, the request of this number among those that change something goes wrong; the first has the number 1.
    pub fn arm(&self, number: usize, fault: Fault) {
        *self.0.struck.lock() = None;
        *self.0.armed.lock() = Some((self.changes() + number, fault));
    }

    /// From now on nothing goes wrong.
    pub fn disarm(&self) {
        *self.0.armed.lock() = None;
    }

    /// From now on each request takes this much longer, whatever it is for.
    pub fn delay(&self, delay: Duration) {
        *self.0.delay.lock() = delay;
    }

    /// How many requests that change something there have been.
    pub fn changes(&self) -> usize {
        self.0.changes.load(Ordering::SeqCst)
    }

    /// The last of them.
    pub fn latest(&self) -> String {
        self.0.latest.lock().clone()
    }

    /// The request that went wrong since it was armed, if there was one.
    pub fn struck(&self) -> Option<String> {
        self.0.struck.lock().clone()
    }

    /// From now on requests whose path ends so do not reach the server, and are not answered.
    pub fn silence(&self, ends: &'static [&'static str]) {
        *self.0.silent.lock() = ends;
    }

    /// From now on requests whose path ends so reach the server when nothing is held that they are.
    pub fn hold(&self, ends: &'static [&'static str]) {
        self.0.held.send_replace(ends);
    }

    /// Waits while a request is held.
    async fn wait(&self, request: &Request<Incoming>) {
        let is_held = |ends: &&[&str]| is_among(request, ends);
        let mut held = self.0.held.subscribe();
        if is_held(&held.borrow_and_update()) {
            let _waiting = self.waits();
            // They are held as long as there are faults, of which this is a part.
            let _ = held.wait_for(|ends| !is_held(ends)).await;
        }
    }

    /// Requests that wait for an answer that does not come, or for being held no more.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::SeqCst)
    }

    /// Requests that were given up because no answer came, and those that are held no more.
    pub fn given_up(&self) -> usize {
        self.0.given_up.load(Ordering::SeqCst)
    }

    /// Keeps a request that is not answered; nothing for the others.
    fn keep(&self, request: &Request<Incoming>) -> Option<Waiting> {
        is_among(request, &self.0.silent.lock()).then(|| self.waits())
    }

    fn waits(&self) -> Waiting {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self.clone())
    }

    /// Counts a request; what goes wrong with it.
    fn meet(&self, request: &Request<Incoming>) -> Option<Fault> {
        if !changes_something(request) {
            return None;
        }
        let number = self.0.changes.fetch_add(1, Ordering::SeqCst) + 1;
        let told = format!("{} {}", request.method(), request.uri().path());
        self.0.latest.lock().clone_from(&told);
        let mut armed = self.0.armed.lock();
        let (_, fault) = armed.take_if(|(at, _)| *at == number)?;
        *self.0.struck.lock() = Some(told);
        Some(fault)
    }
}

/// Whether the path of a request ends in one of these ways.
fn is_among(request: &Request<Incoming>, ends: &[&str]) -> bool {
    ends.iter().any(|end| request.uri().path().ends_with(end))
}

/// Not so what the operator does for itself, what it only tries, and Events, of which a lost one is no loss.
fn changes_something(request: &Request<Incoming>) -> bool {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    if let Some(call) = path.strip_prefix("/twirp/livekit.RoomService/") {
        return !call.starts_with("List") && !call.starts_with("Get");
    }
    let is_for_itself = ["/leases", "/roomclasses", "/events", "review"].iter().any(|part| path.contains(part));
    request.method() != Method::GET && !is_for_itself && !query.contains("dryRun")
}

/// A proxy, until it is dropped.
pub struct FaultProxy {
    /// Where it listens.
    pub port: u16,
    serving: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy before a media server.
    pub async fn before(url: &str, faults: &Faults) -> Self {
        let config = Config::new(url.parse().expect("an address"));
        Self::start(config, faults).await
    }

    /// A proxy before the API server of a kubeconfig, and the kubeconfig of the same account that goes through it.
    pub async fn before_api_server(kubeconfig: &Path, faults: &Faults) -> (Self, PathBuf) {
        let proxy = Self::start(upstream(kubeconfig).await, faults).await;
        let through = through(kubeconfig, proxy.port);
        (proxy, through)
    }

    async fn start(config: Config, faults: &Faults) -> Self {
        let client = plain_client(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let faults = faults.clone();
        let serving = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (client, faults) = (client.clone(), faults.clone());
                let service = service_fn(move |request| pass(request, client.clone(), faults.clone()));
                connections.spawn(async move { drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await) });
            }
        });
        Self { port, serving }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An error closes the connection.
async fn pass(request: Request<Incoming>, client: Client, faults: Faults) -> io::Result<Response<Body>> {
    let closed = || io::Error::from(io::ErrorKind::ConnectionReset);
    let delay = *faults.0.delay.lock();
    if delay > Duration::ZERO {
        sleep(delay).await;
    }
    faults.wait(&request).await;
    if let Some(_waiting) = faults.keep(&request) {
        return std::future::pending().await;
    }
    match faults.meet(&request) {
        None => forward(request, &client).await,
        Some(Fault::Lost) => std::future::pending().await,
        Some(Fault::Reset) => Err(closed()),
        Some(Fault::Status(code)) => Ok(refusal(code)),
        Some(Fault::Unanswered) => {
            forward(request, &client).await?;
            std::future::pending().await
        }
        Some(Fault::ResetAfter) => {
            forward(request, &client).await?;
            Err(closed())
        }
        Some(Fault::Truncated) => {
            let (parts, body) = forward(request, &client).await?.into_parts();
            let body = to_bytes(body, LARGEST).await.map_err(io::Error::other)?;
            let half = stream::iter([Ok(body.slice(..body.len() / 2)), Err(closed())]);
            Ok(Response::from_parts(parts, Body::from_stream(half)))
        }
    }
}

/// How a proxy reaches the API server of a kubeconfig. Who calls says who they are.
pub async fn upstream(kubeconfig: &Path) -> Config {
    let mut direct = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    direct.auth_infos.iter_mut().for_each(|user| user.auth_info = Some(AuthInfo::default()));
    Config::from_custom_kubeconfig(direct, &KubeConfigOptions::default()).await.expect("a usable kubeconfig")
}

/// A client that sends each request once.
pub fn plain_client(mut config: Config) -> Client {
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

/// Kubeconfig of the same account that goes through a proxy at this port of loopback.
pub fn through(kubeconfig: &Path, port: u16) -> PathBuf {
    let mut through = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    for cluster in through.clusters.iter_mut().filter_map(|cluster| cluster.cluster.as_mut()) {
        (cluster.server, cluster.certificate_authority) = (Some(format!("http://127.0.0.1:{port}")), None);
    }
    let path = kubeconfig.with_extension(format!("through-{port}"));
    std::fs::write(&path, serde_json::to_string(&through).expect("JSON")).expect("a kubeconfig");
    path
}

/// Has the server answer. The body comes as it is made, because a watch has no end.
pub async fn forward<B>(request: Request<B>, client: &Client) -> io::Result<Response<Body>>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    // They are of this connection.
    for header in [HOST, CONNECTION, TRANSFER_ENCODING] {
        parts.headers.remove(header);
    }
    let body: Bytes = to_bytes(Body::new(body), LARGEST).await.map_err(io::Error::other)?;
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let (mut parts, body) = client.send(request).await.map_err(io::Error::other)?.into_parts();
    parts.headers.remove(TRANSFER_ENCODING);
    parts.headers.remove(CONNECTION);
    Ok(Response::from_parts(parts, Body::new(body)))
}

/// As an API server or a media server refuses.
fn refusal(code: u16) -> Response<Body> {
    let status = StatusCode::from_u16(code).expect("a status");
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "a fault", "reason": "Fault",
        "msg": "a fault", "details": {"retryAfterSeconds": u8::from(code == 429)}});
    let answer = Response::builder().status(status).header("content-type", "application/json").header("retry-after", "1");
    answer.body(Body::from(body.to_string())).expect("an answer")
}
