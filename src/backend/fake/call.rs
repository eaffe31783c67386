//! Calls that a fake media server has had.

use std::fmt;

/// The calls of a backend that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Probe,
    Observe,
    Ensure,
    MintToken,
    SetRole,
    Mute,
    Remove,
    Close,
    ListSessions,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Probe,
        Self::Observe,
        Self::Ensure,
        Self::MintToken,
        Self::SetRole,
        Self::Mute,
        Self::Remove,
        Self::Close,
        Self::ListSessions,
    ];
}

/// A call, whatever came of it. Its text is the operation and what it was about: the person if there was one, or else the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub operation: Operation,
    pub about: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.operation, self.about)
    }
}
