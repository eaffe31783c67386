//! A proxy before the API server that can cut all watches: those that come back wait until it opens again, and are then told that
//! what they ask for is gone, as after a long outage.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use futures::StreamExt;
use kube::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::fault_proxy::{forward, plain_client, through, upstream};

/// The proxy.
pub struct Gate {
    /// Kubeconfig of the account that comes through it.
    pub kubeconfig: PathBuf,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

struct Inner {
    client: Client,
    state: watch::Sender<Cuts>,
    waiting: AtomicUsize,
}

/// How often watches were cut, and whether they are now.
#[derive(Clone, Copy, Default)]
struct Cuts {
    number: usize,
    closed: bool,
}

impl Gate {
    /// Passes everything on to the API server of `kubeconfig`, with the caller's own token.
    pub async fn start(kubeconfig: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let client = plain_client(upstream(kubeconfig).await);
        let path = through(kubeconfig, listener.local_addr().expect("its address").port());
        let inner = Arc::new(Inner { client, state: watch::Sender::default(), waiting: AtomicUsize::new(0) });
        let router = Router::new().fallback(pass).with_state(inner.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { kubeconfig: path, inner, serving }
    }

    /// Ends all watches. Those that come back wait.
    pub fn close(&self) {
        self.inner.state.send_modify(|cuts| *cuts = Cuts { number: cuts.number + 1, closed: true });
    }

    /// Watches that have come back and wait.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::SeqCst)
    }

    /// Tells the watches that wait that they must list anew, and lets all others through.
    pub fn open(&self) {
        self.inner.state.send_modify(|cuts| cuts.closed = false);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A watch that waits, until it is answered or given up.
struct Waiting(Arc<Inner>);

impl Waiting {
    fn begin(gate: &Arc<Inner>) -> Self {
        gate.waiting.fetch_add(1, Ordering::SeqCst);
        Self(gate.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn pass(State(gate): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let mut state = gate.state.subscribe();
    let seen = *state.borrow_and_update();
    if is_watch && seen.closed {
        let _waiting = Waiting::begin(&gate);
        let opened = state.wait_for(|cuts| !cuts.closed).await.is_ok();
        return if opened { gone() } else { unavailable() };
    }
    let Ok(answer) = forward(request, &gate.client).await else { return unavailable() };
    if !is_watch {
        return answer;
    }
    let (parts, body) = answer.into_parts();
    let cut = async move { drop(state.wait_for(|cuts| cuts.number > seen.number).await) };
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().take_until(Box::pin(cut))))
}

/// As the API server answers a watch from a version that it does not remember any more.
fn gone() -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version"});
    let event = json!({"type": "ERROR", "object": status});
    Response::builder().header("content-type", "application/json").body(Body::from(format!("{event}\n"))).expect("an answer")
}

fn unavailable() -> Response<Body> {
    Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(Body::empty()).expect("an answer")
}
