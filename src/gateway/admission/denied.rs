//! Why somebody does not get what they ask for.

use crate::domain::{Failure, Refusal};

/// Why somebody does not get what they ask for.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The Room's rules forbid it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be done at this moment. The cause is for logs, never for clients.
    #[error("{0}")]
    Unavailable(String),
    /// A field of the request has a value that is not allowed.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// As many people as may come at the same time are on their way.
    #[error("too many people are on their way")]
    Crowded,
    /// The media server of the call cannot do this.
    #[error("the media server of the call cannot do this")]
    Unsupported,
    /// The Room cannot take one more guest.
    #[error("the Room has {limit} guests, which is the most it may have")]
    TooManyGuests { limit: usize },
    /// The Room has no such guest.
    #[error("there is no guest of that identity")]
    NoSuchGuest,
    /// Nobody of that identity is kept out of the Room.
    #[error("nobody of that identity was removed")]
    NotRemoved,
    /// The person who was named is not in the call.
    #[error("nobody of that identity is in the call")]
    NotInCall,
}

/// A field whose value is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidField {
    /// The field, as clients write it.
    pub field: &'static str,
    /// What is wrong with the value, and the limit: a sentence.
    pub message: String,
}

impl Denied {
    /// A denial for now; the cause is for logs.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        Self::unavailable(failure.to_string())
    }
}
