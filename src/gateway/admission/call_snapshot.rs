//! What the media server says of a call: who is in it, and as of when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, WeakShared};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::denied::Denied;
use crate::backend::{Backend, Registry};
use crate::domain::{Failure, SessionMember};
use crate::gateway::wall_clock::WallClock;

/// How long a request may take. What is seen of a call within a request is never older than this when it is used.
pub const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// Who was in a session, and when.
pub struct CallSnapshot {
    /// Name of the session; of one that does not exist, the name under which it may be made.
    pub session: String,
    /// Whether the session exists. One that does not is not made yet, or the media server has lost it.
    pub exists: bool,
    pub members: Vec<SessionMember>,
    /// The moment the media server was asked: people who came since then may be missing.
    pub asked_at: Timestamp,
}

/// A call on its media server.
#[derive(Clone)]
pub struct ObservedCall {
    pub backend: Arc<dyn Backend>,
    pub snapshot: Arc<CallSnapshot>,
}

impl CallSnapshot {
    /// Whether reservations that matter for this snapshot may have been dropped since.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        has_passed(LONGEST_REQUEST, self.asked_at, now)
    }

    /// Whether this person is in the call.
    pub fn has(&self, identity: &str) -> bool {
        self.members.iter().any(|member| member.identity == identity)
    }
}

/// Looks at calls. Those who want to see the same one at the same time share a look: each costs as much as there are people in the call,
/// and many come at once.
#[derive(Clone)]
pub struct CallObserver {
    backends: Arc<Registry>,
    clock: WallClock,
    looks: Looks,
}

type Look = BoxFuture<'static, Result<ObservedCall, Failure>>;
/// Looks under way, by class and sessions, as long as somebody waits for them.
type Looks = Arc<Mutex<HashMap<(String, Vec<String>), WeakShared<Look>>>>;

impl CallObserver {
    /// Looks at the calls on these media servers.
    pub fn new(backends: Arc<Registry>, clock: WallClock) -> Self {
        Self { backends, clock, looks: Looks::default() }
    }

    /// The media server of `class`, or why there is none to use.
    pub fn backend(&self, class: &str) -> Result<Arc<dyn Backend>, Denied> {
        Ok(self.backends.get(class)?)
    }

    /// Asks the media server of `class` for the session, which has one of these names. The look may have begun before: people who come
    /// meanwhile have reservations, see [`CallSnapshot::asked_at`].
    pub async fn observe(&self, class: &str, sessions: &[String]) -> Result<ObservedCall, Denied> {
        if sessions.is_empty() {
            return Err(Denied::unavailable("the session is not there yet"));
        }
        let key = (class.to_owned(), sessions.to_vec());
        let look = {
            let mut looks = self.looks.lock();
            if let Some(look) = looks.get(&key).and_then(WeakShared::upgrade) {
                look
            } else {
                let look = self.clone().look(key.clone()).boxed().shared();
                looks.retain(|_, look| look.upgrade().is_some());
                looks.extend(look.downgrade().map(|weak| (key, weak)));
                look
            }
        };
        Ok(look.await?)
    }

    async fn look(self, key: (String, Vec<String>)) -> Result<ObservedCall, Failure> {
        let seen = self.ask(&key).await;
        // Whoever comes now wants to see what is so now.
        self.looks.lock().remove(&key);
        seen
    }

    async fn ask(&self, (class, sessions): &(String, Vec<String>)) -> Result<ObservedCall, Failure> {
        let backend = self.backends.get(class)?;
        let asked_at = self.clock.now();
        let mut snapshot = CallSnapshot { session: String::new(), exists: false, members: Vec::new(), asked_at };
        for session in sessions {
            // The last of the names is the next one to use.
            snapshot.session.clone_from(session);
            if let Some(members) = backend.observe(session).await? {
                snapshot = CallSnapshot { exists: true, members, ..snapshot };
                break;
            }
        }
        Ok(ObservedCall { backend, snapshot: Arc::new(snapshot) })
    }
}

/// Whether `length` has passed since `moment`.
pub fn has_passed(length: Duration, moment: Timestamp, now: Timestamp) -> bool {
    now.duration_since(moment) >= length.try_into().unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::FakeMediaServer;
    use crate::backend::fake::Operation;

    #[test]
    fn a_snapshot_is_stale_when_a_request_may_have_ended_since() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let snapshot = CallSnapshot { session: "s".into(), exists: true, members: Vec::new(), asked_at: at(0) };
        assert!(!snapshot.is_stale(at(9)));
        assert!(snapshot.is_stale(at(10)));
    }

    fn observer(media: &Arc<FakeMediaServer>) -> CallObserver {
        let backends = Registry::default();
        backends.set("class", Ok(media.clone()));
        CallObserver::new(Arc::new(backends), WallClock::new(|| Timestamp::UNIX_EPOCH))
    }

    fn looks(media: &FakeMediaServer) -> usize {
        media.calls().iter().filter(|call| call.operation == Operation::Observe).count()
    }

    #[tokio::test]
    async fn who_wants_to_see_a_call_at_the_same_time_shares_a_look_and_who_comes_later_has_one_of_their_own() {
        let media = Arc::new(FakeMediaServer::default());
        media.set_members("a", []);
        let observer = observer(&media);
        let (a, b) = (["a".to_owned()], ["b".to_owned()]);
        let (first, second, other) =
            tokio::join!(observer.observe("class", &a), observer.observe("class", &a), observer.observe("class", &b));
        assert!(first.is_ok_and(|call| call.snapshot.exists) && second.is_ok() && other.is_ok_and(|call| !call.snapshot.exists));
        assert_eq!(looks(&media), 2);
        observer.observe("class", &a).await.ok().unwrap();
        assert_eq!(looks(&media), 3);
        assert!(observer.looks.lock().is_empty());
    }

    #[tokio::test]
    async fn a_look_that_everybody_gave_up_is_no_longer_shared() {
        let media = Arc::new(FakeMediaServer::default());
        let observer = observer(&media);
        let a = ["a".to_owned()];
        let mut given_up = Box::pin(observer.observe("class", &a));
        assert!(given_up.as_mut().now_or_never().is_some() || observer.looks.lock().len() == 1);
        drop(given_up);
        assert!(observer.looks.lock().values().all(|look| look.upgrade().is_none()));
        assert!(observer.observe("class", &a).await.is_ok());
    }
}
