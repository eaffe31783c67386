//! What is asked of all Rooms every few seconds, without the rest of them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::window::Window;
use crate::api::{ConditionType, Phase, Room, RoomStatus, SessionStatus};

/// What a Room says of its class and of its session.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomSummary {
    /// Whether somebody has deleted the Room, and it waits for its end.
    pub is_deleted: bool,
    /// The class that the Room names, or the one it was accepted with.
    pub class_name: Option<Arc<str>>,
    pub phase: Phase,
    pub suspend: bool,
    /// The window in force, or less of it where the spec declares an earlier end.
    pub window: Option<Window>,
    /// When the clock alone changes the Room, by the status.
    pub next_transition: Option<Timestamp>,
    /// People in the call, by the status.
    pub joined: i32,
    /// The session that was recorded last.
    pub session: Option<Box<SessionStatus>>,
    /// How long the session stays when nobody is in it, as the spec says.
    pub close_when_empty_after: Option<Duration>,
    next_session: NextSession,
}

/// When a reconciliation may be making the next session of a Room, which no status tells of yet.
#[derive(Clone, Debug, PartialEq)]
enum NextSession {
    /// At any time: the spec is new, or no reconciliation has seen the Room.
    Anytime,
    Within(Window),
    Never,
}

impl RoomSummary {
    /// Of a Room as it is now.
    #[must_use]
    pub fn of(room: &Room) -> Self {
        let status = room.status.as_ref();
        let of_spec = || Some(room.spec.session.as_ref()?.close_when_empty_after?.into());
        Self {
            is_deleted: room.metadata.deletion_timestamp.is_some(),
            class_name: room.class_name().map(Arc::from),
            phase: status.map_or(Phase::default(), |status| status.phase),
            suspend: room.spec.suspend,
            window: Window::in_force_unaccepted(room),
            next_transition: status.and_then(|status| status.next_transition_time.as_ref()).map(|at| at.0),
            joined: status.and_then(|status| status.counts).map_or(0, |counts| counts.joined),
            session: status.and_then(|status| status.session.clone()).map(Box::new),
            close_when_empty_after: of_spec(),
            next_session: status.map_or(NextSession::Anytime, |status| NextSession::of(room, status)),
        }
    }

    /// Whether no reconciliation has told of this spec yet.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.next_session == NextSession::Anytime
    }

    /// The session that was made or is named, and has not ended.
    #[must_use]
    pub fn live_session(&self) -> Option<&SessionStatus> {
        self.session.as_deref().filter(|session| session.ended_at.is_none())
    }

    /// Name of that session.
    #[must_use]
    pub fn recorded_session(&self) -> Option<&str> {
        self.live_session().map(|session| session.id.as_str())
    }

    /// Whether the Room wants a session of this name and epoch at `now`, or a reconciliation may be making it.
    #[must_use]
    pub fn wants(&self, session: &str, epoch: i64, now: Timestamp) -> bool {
        if self.is_deleted {
            return false;
        }
        match &self.session {
            Some(recorded) if recorded.id == session => recorded.ended_at.is_none(),
            recorded => {
                let last = recorded.as_ref().map_or(0, |recorded| recorded.epoch);
                let may_be_made = match &self.next_session {
                    NextSession::Anytime => true,
                    NextSession::Within(window) => window.contains(now),
                    NextSession::Never => false,
                };
                may_be_made && epoch > last
            }
        }
    }
}

impl NextSession {
    fn of(room: &Room, status: &RoomStatus) -> Self {
        if status.observed_generation != room.metadata.generation {
            return Self::Anytime;
        }
        let accepted = status.condition(ConditionType::Accepted, true).is_some();
        match Window::recorded(status).filter(|_| accepted && status.phase != Phase::Suspended) {
            Some(window) => Self::Within(window),
            None => Self::Never,
        }
    }
}
