//! How old what the watches have shown can be, measured on their own connections: a connection that is dead without being closed tells
//! nothing, and looks like one on which nothing happens.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{Method, Request, Response};
use parking_lot::Mutex;
use tokio::time::sleep;
use tower::{Layer, Service};

use super::versions::Beside;
use crate::clock;

/// How long a watch lasts before it is begun anew where it was: the API server ends it then, and says so much at least.
pub const WATCH_LASTS: Duration = Duration::from_secs(20);
/// Oldest knowledge that anybody goes by. With the time that a request may take, nobody is judged by what is older than a minute.
const LONGEST_SILENCE: Duration = Duration::from_secs(50);
/// How often the watches are looked at by those who want to be told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The watches of a client, by what they watch.
#[derive(Clone, Default)]
pub struct WatchAges(Arc<Mutex<HashMap<String, Watch>>>);

#[derive(Default)]
struct Watch {
    /// Uptime at which something came last, of the watch or of a list that it begins anew with.
    heard: Duration,
    /// How many connections it has: one, but for moments.
    connections: usize,
}

impl WatchAges {
    /// How long ago the watch was heard that has been silent for the longest time. No time if there is none yet.
    #[must_use]
    pub fn oldest(&self, uptime: Duration) -> Duration {
        self.0.lock().values().map(|watch| uptime.saturating_sub(watch.heard)).max().unwrap_or_default()
    }

    /// Whether a watch has been silent for too long.
    #[must_use]
    pub fn are_silent(&self, uptime: Duration) -> bool {
        self.oldest(uptime) >= LONGEST_SILENCE
    }

    /// Calls `changed` whenever a watch has been silent for too long, and when all are heard again.
    pub async fn tell(&self, changed: impl Fn(bool)) {
        let mut silent = false;
        loop {
            sleep(LOOK_EVERY).await;
            if self.are_silent(clock::uptime()) != silent {
                silent = !silent;
                changed(silent);
            }
        }
    }

    /// Waits until a watch has been silent for this long.
    pub async fn silent_for(&self, long: Duration) {
        while self.oldest(clock::uptime()) < long {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether all watches are connected: what happened a moment ago is known, or is on its way.
    #[must_use]
    pub fn are_connected(&self) -> bool {
        self.0.lock().values().all(|watch| watch.connections > 0)
    }

    /// A watch is asked for. From now on it counts.
    fn asked(&self, path: &str, uptime: Duration) {
        self.0.lock().entry(path.to_owned()).or_insert_with(|| Watch { heard: uptime, ..Watch::default() });
    }

    /// Something came of what is watched.
    fn heard(&self, path: &str, uptime: Duration) {
        if let Some(watch) = self.0.lock().get_mut(path) {
            watch.heard = uptime;
        }
    }

    fn connected(&self, path: &str) {
        if let Some(watch) = self.0.lock().get_mut(path) {
            watch.connections += 1;
        }
    }

    fn disconnected(&self, path: &str) {
        if let Some(watch) = self.0.lock().get_mut(path) {
            watch.connections = watch.connections.saturating_sub(1);
        }
    }
}

impl<S> Layer<S> for WatchAges {
    type Service = Listening<S>;

    fn layer(&self, inner: S) -> Listening<S> {
        Listening { inner, ages: self.clone() }
    }
}

/// A client's service whose watches are listened to.
#[derive(Clone)]
pub struct Listening<S> {
    inner: S,
    ages: WatchAges,
}

impl<S, R, B> Service<Request<R>> for Listening<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Unpin,
{
    type Response = Response<HeardBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let ages = self.ages.clone();
        let path = request.uri().path().to_owned();
        let is_watch = asks_for_watch(&request);
        let asked_at = clock::uptime();
        if is_watch {
            ages.asked(&path, asked_at);
        }
        // A list of what is watched tells as much as the watch.
        let tells = request.method() == Method::GET && request.extensions().get::<Beside>().is_none();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let listener = (tells && answer.status().is_success()).then(|| Listener::new(ages, path, is_watch, asked_at));
            Ok(answer.map(|inner| HeardBody { inner, listener }))
        })
    }
}

fn asks_for_watch<R>(request: &Request<R>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == "watch" && (value == "true" || value == "1"))
}

/// Whoever hears an answer, as long as it lasts.
struct Listener {
    ages: WatchAges,
    path: String,
    is_watch: bool,
    asked_at: Duration,
}

impl Listener {
    fn new(ages: WatchAges, path: String, is_watch: bool, asked_at: Duration) -> Self {
        if is_watch {
            ages.connected(&path);
        }
        let listener = Self { ages, path, is_watch, asked_at };
        listener.hear(clock::uptime());
        listener
    }

    /// A part of the answer is read. It was sent before the watch ended, however long this process was suspended since.
    fn hear(&self, uptime: Duration) {
        self.ages.heard(&self.path, uptime.min(self.asked_at + WATCH_LASTS));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_watch {
            self.ages.disconnected(&self.path);
        }
    }
}

/// The body of an answer, whose every part is heard.
pub struct HeardBody<B> {
    inner: B,
    listener: Option<Listener>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for HeardBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match (&frame, &self.listener) {
            (Some(Ok(_)), Some(listener)) => listener.hear(clock::uptime()),
            (Some(Ok(_)), None) => {}
            (Some(Err(_)) | None, _) => self.listener = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::StatusCode;
    use tower::{ServiceExt, service_fn};

    use super::*;

    const ROOMS: &str = "/apis/roomkeeper.io/v1alpha1/rooms";
    const LATER: Duration = Duration::from_secs(100);

    /// An answer whose body has one part.
    async fn ask(ages: &WatchAges, query: &str, status: StatusCode) -> Response<HeardBody<String>> {
        let server = service_fn(move |_: Request<()>| async move {
            let mut answer = Response::new("{}".to_owned());
            *answer.status_mut() = status;
            Ok::<_, Infallible>(answer)
        });
        let request = Request::get(format!("{ROOMS}{query}")).body(()).unwrap();
        ages.layer(server).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn a_watch_counts_from_when_it_is_asked_for_and_a_list_or_a_watch_that_answers_ends_its_silence() {
        let ages = WatchAges::default();
        ask(&ages, "?limit=500", StatusCode::OK).await;
        assert_eq!(ages.oldest(LATER), Duration::ZERO, "nothing is watched");
        ages.asked(ROOMS, clock::uptime());
        for (query, status, ends) in [
            ("?watch=true", StatusCode::FORBIDDEN, false),
            ("?limit=500", StatusCode::FORBIDDEN, false),
            ("?limit=500", StatusCode::OK, true),
            ("?watch=true&resourceVersion=1", StatusCode::OK, true),
        ] {
            ages.0.lock().get_mut(ROOMS).unwrap().heard = Duration::ZERO;
            let before = ages.oldest(LATER);
            drop(ask(&ages, query, status).await);
            assert_eq!(ages.oldest(LATER) < before, ends, "{query} {status}");
        }
    }

    #[test]
    fn what_is_read_after_a_suspension_is_no_newer_than_the_end_of_its_watch() {
        let ages = WatchAges::default();
        let asked_at = Duration::from_secs(10);
        ages.asked(ROOMS, asked_at);
        let listener = Listener::new(ages.clone(), ROOMS.to_owned(), true, asked_at);
        for (read_at, counts_as) in [(15, 15), (29, 29), (100, 30)] {
            listener.hear(Duration::from_secs(read_at));
            assert_eq!(ages.0.lock()[ROOMS].heard, Duration::from_secs(counts_as), "read at {read_at} s");
        }
        assert!(ages.are_silent(Duration::from_secs(80)));
    }

    #[tokio::test]
    async fn a_watch_is_connected_from_its_answer_until_the_connection_is_gone() {
        let ages = WatchAges::default();
        assert!(ages.are_connected(), "there is none that is not");
        let refused = ask(&ages, "?watch=true", StatusCode::FORBIDDEN).await;
        assert!(!ages.are_connected());
        drop(refused);
        let listed = ask(&ages, "?limit=500", StatusCode::OK).await;
        assert!(!ages.are_connected(), "a list does not tell what comes next");
        drop(listed);
        let first = ask(&ages, "?watch=1", StatusCode::OK).await;
        assert!(ages.are_connected());
        let second = ask(&ages, "?watch=1", StatusCode::OK).await;
        drop(first);
        assert!(ages.are_connected());
        drop(second);
        assert!(!ages.are_connected());
    }

    #[tokio::test]
    async fn what_comes_on_a_watch_is_heard_and_its_end_ends_it() {
        let ages = WatchAges::default();
        let mut body = ask(&ages, "?watch=true", StatusCode::OK).await.into_body();
        ages.0.lock().get_mut(ROOMS).unwrap().heard = Duration::ZERO;
        let mut frame = async || std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(frame().await.is_some());
        assert!(ages.0.lock()[ROOMS].heard > Duration::ZERO);
        assert!(frame().await.is_none());
        assert!(!ages.are_connected());
    }

    #[tokio::test]
    async fn what_is_asked_beside_the_watch_says_nothing_about_its_age() {
        let ages = WatchAges::default();
        ages.asked(ROOMS, Duration::ZERO);
        let server = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("{}".to_owned())) });
        let request = Request::get(ROOMS).extension(Beside).body(()).unwrap();
        drop(ages.layer(server).oneshot(request).await.unwrap());
        assert_eq!(ages.oldest(LATER), LATER);
    }
}
