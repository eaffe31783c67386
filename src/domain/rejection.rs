//! Why a Room, or a guest of one, is not accepted.

use crate::api::{MAX_PARTICIPANTS, Reason};

/// Why a spec is not accepted: reason and message of the condition `Accepted`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Rejection {
    /// The reason.
    pub reason: Reason,
    /// Names field, value and limit.
    pub message: String,
}

impl Rejection {
    /// A rejection with this message, which names the field, the value and the limit.
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// Why a guest is not let in who came after all whom a Room may have.
    #[must_use]
    pub fn too_many_guests() -> Self {
        let message = format!("spec.roomName: the Room has {MAX_PARTICIPANTS} guests who came before, no more are let in");
        Self::new(Reason::TooManyParticipants, message)
    }
}
