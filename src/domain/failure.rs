//! Why something did not work, and what follows from it.

use std::time::Duration;

use crate::api::Reason;

/// What to do after a failure. Whatever is not known for certain is [`FailureClass::Transient`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Try again.
    Transient {
        /// The shortest wait, where the other side asked for one.
        after: Option<Duration>,
    },
    /// The other side understood and refused; the same request will be refused again.
    Rejected,
    /// The other side refuses the credentials.
    Unauthorized,
    /// The settings cannot work as they are.
    Misconfigured,
}

/// A failure with what a person is told about it.
///
/// The message is stable text: no ids, times or answers of servers, because it goes into conditions, and a condition that
/// changed every time would be written every time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Failure {
    /// What to do about it.
    pub class: FailureClass,
    /// The reason that conditions and metrics show.
    pub reason: Reason,
    /// One stable sentence.
    pub message: String,
}

impl Failure {
    /// A failure to be tried again.
    #[must_use]
    pub fn transient(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: FailureClass::Transient { after: None }, reason, message: message.into() }
    }

    /// A failure that the same request will meet again.
    #[must_use]
    pub fn rejected(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: FailureClass::Rejected, reason, message: message.into() }
    }

    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Unauthorized, reason: Reason::Unauthorized, message: message.into() }
    }

    #[must_use]
    pub fn misconfigured(reason: Reason, message: impl Into<String>) -> Self {
        Self { class: FailureClass::Misconfigured, reason, message: message.into() }
    }

    /// Whether only a change by somebody can help.
    #[must_use]
    pub fn needs_change(&self) -> bool {
        !matches!(self.class, FailureClass::Transient { .. })
    }
}
