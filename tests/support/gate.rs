//! A proxy before the API server that lets one account see the cluster late, in parts, or as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use futures::StreamExt;
use kube::Client;
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fault_proxy::{LARGEST, forward, plain_client, through, upstream};

/// The proxy.
pub struct Gate {
    /// Kubeconfig of the account that comes through it.
    pub kubeconfig: PathBuf,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

struct Inner {
    client: Client,
    view: watch::Sender<View>,
    waiting: AtomicUsize,
    /// Headers of whoever asked for a list, by path and query, and what it was when it was remembered.
    lists: Mutex<BTreeMap<String, (HeaderMap, Bytes)>>,
}

/// What gets through of lists and watches.
#[derive(Clone, Copy, Default)]
struct View {
    /// How often watches were cut.
    cuts: usize,
    /// Watches wait, and those that are open tell nothing.
    holds: bool,
    /// Lists are as they were.
    is_old: bool,
    /// Watches that have waited are told that what they ask for is gone.
    is_gone: bool,
}

impl Gate {
    /// Passes everything on to the API server of `kubeconfig`, with the caller's own token.
    pub async fn start(kubeconfig: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let client = plain_client(upstream(kubeconfig).await);
        let path = through(kubeconfig, listener.local_addr().expect("its address").port());
        let (view, waiting, lists) = (watch::Sender::default(), AtomicUsize::new(0), Mutex::default());
        let inner = Arc::new(Inner { client, view, waiting, lists });
        let router = Router::new().fallback(pass).with_state(inner.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { kubeconfig: path, inner, serving }
    }

    /// Ends all watches. Those that come back wait.
    pub fn close(&self) {
        self.inner.view.send_modify(|view| *view = View { cuts: view.cuts + 1, holds: true, ..View::default() });
    }

    /// Lets all watches be silent.
    pub fn freeze(&self) {
        self.inner.view.send_modify(|view| view.holds = true);
    }

    /// Keeps all lists that were ever asked for as they are now.
    pub async fn remember(&self) {
        let asked: Vec<(String, HeaderMap)> =
            self.inner.lists.lock().iter().map(|(list, (headers, _))| (list.clone(), headers.clone())).collect();
        for (list, headers) in asked {
            let mut request = Request::builder().uri(&list).body(Body::empty()).expect("a request");
            *request.headers_mut() = headers.clone();
            let answer = forward(request, &self.inner.client).await.expect("a list");
            assert_eq!(answer.status(), StatusCode::OK, "{list}");
            let body = to_bytes(answer.into_body(), LARGEST).await.expect("a list");
            self.inner.lists.lock().insert(list, (headers, body));
        }
    }

    /// From now on lists are as they were remembered, and watches wait.
    pub fn go_back(&self) {
        self.inner.view.send_modify(|view| *view = View { cuts: view.cuts + 1, holds: true, is_old: true, is_gone: false });
    }

    /// Watches that have come back and wait.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::SeqCst)
    }

    /// Tells the watches that wait that they must list anew, and lets all others through.
    pub fn open(&self) {
        self.inner.view.send_modify(|view| *view = View { cuts: view.cuts, is_gone: true, ..View::default() });
    }

    /// Lets all watches tell what they have missed.
    pub fn catch_up(&self) {
        self.inner.view.send_modify(|view| *view = View { cuts: view.cuts, ..View::default() });
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
    let query = request.uri().query().unwrap_or_default();
    if query.contains("watch=true") {
        return pass_watch(&gate, request).await;
    }
    // Whatever is read page by page is a list. What is asked for beside the watches is metadata alone, and none of a view.
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if request.method() == Method::GET && query.contains("limit=") && !accept.contains("PartialObjectMetadata") {
        let list = request.uri().to_string();
        let old = gate.lists.lock().entry(list).or_insert_with(|| (request.headers().clone(), Bytes::new())).1.clone();
        if gate.view.borrow().is_old {
            assert!(!old.is_empty(), "what is old was remembered: {}", request.uri());
            return Response::builder().header("content-type", "application/json").body(Body::from(old)).expect("an answer");
        }
    }
    forward(request, &gate.client).await.unwrap_or_else(|_| unavailable())
}

async fn pass_watch(gate: &Arc<Inner>, request: Request) -> Response<Body> {
    let mut view = gate.view.subscribe();
    let seen = *view.borrow_and_update();
    if seen.holds {
        let _waiting = Waiting::begin(gate);
        match view.wait_for(|view| !view.holds).await.map(|view| view.is_gone) {
            Ok(true) => return gone(),
            Ok(false) => {}
            Err(_) => return unavailable(),
        }
    }
    let Ok(answer) = forward(request, &gate.client).await else { return unavailable() };
    let (parts, body) = answer.into_parts();
    let (told, mut cut) = (view.clone(), view);
    let events = body.into_data_stream().then(move |event| {
        let mut told = told.clone();
        async move {
            drop(told.wait_for(|view| !view.holds).await);
            event
        }
    });
    let cut = async move { drop(cut.wait_for(|view| view.cuts > seen.cuts).await) };
    Response::from_parts(parts, Body::from_stream(events.take_until(Box::pin(cut))))
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
