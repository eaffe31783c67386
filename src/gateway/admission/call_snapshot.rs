//! What the media server says of a call: who is in it, and as of when.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::denied::Denied;
use crate::backend::{Backend, Registry};
use crate::domain::SessionMember;
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
pub struct ObservedCall {
    pub backend: Arc<dyn Backend>,
    pub snapshot: CallSnapshot,
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

/// Asks the media server of `class` for the session, which has one of these names.
pub async fn observe_call(backends: &Registry, class: &str, sessions: &[String], clock: &WallClock) -> Result<ObservedCall, Denied> {
    let backend = backends.get(class)?;
    let asked_at = clock.now();
    for session in sessions {
        if let Some(members) = backend.observe(session).await? {
            let snapshot = CallSnapshot { session: session.clone(), exists: true, members, asked_at };
            return Ok(ObservedCall { backend, snapshot });
        }
    }
    // The last of the names is the next one to use.
    let session = sessions.last().cloned().ok_or_else(|| Denied::unavailable("the session is not there yet"))?;
    Ok(ObservedCall { backend, snapshot: CallSnapshot { session, exists: false, members: Vec::new(), asked_at } })
}

/// Whether `length` has passed since `moment`.
pub fn has_passed(length: Duration, moment: Timestamp, now: Timestamp) -> bool {
    now.duration_since(moment) >= length.try_into().unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_stale_when_a_request_may_have_ended_since() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let snapshot = CallSnapshot { session: "s".into(), exists: true, members: Vec::new(), asked_at: at(0) };
        assert!(!snapshot.is_stale(at(9)));
        assert!(snapshot.is_stale(at(10)));
    }
}
