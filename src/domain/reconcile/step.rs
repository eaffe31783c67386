//! The steps of a plan, by who carries them out.

use super::super::roster::Person;
use super::super::session::SessionSettings;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Room(RoomStep),
    Session(SessionStep),
    Invite(InviteStep),
}

impl Step {
    /// Whether it takes away what was given, or writes over it. The deletion of a Room is held to the version that was seen, and its
    /// finalizer comes off when it is being deleted.
    pub(super) fn takes_away(&self) -> bool {
        match self {
            Self::Room(_) => false,
            Self::Session(step) => !matches!(step, SessionStep::Ensure { .. } | SessionStep::Admit { .. } | SessionStep::Reserve { .. }),
            Self::Invite(step) => !matches!(step, InviteStep::Issue { person: _, write: InviteWrite::Create }),
        }
    }
}

/// A write of the Room object itself, by the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomStep {
    AddFinalizer,
    /// Delete the object, because its TTL is over.
    Delete,
    /// Take our finalizer off.
    ReleaseFinalizer {
        /// Also after a failure, because the deletion has waited long enough.
        give_up: bool,
    },
}

/// What happens to a session and the people in it, by the media server.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionStep {
    /// Create the session if it is absent.
    Ensure {
        session: String,
        epoch: i64,
        settings: SessionSettings,
    },
    /// Put people on the roster of the media server, and have the session be as the Room asks for.
    Admit {
        session: String,
        settings: SessionSettings,
        people: Vec<Person>,
    },
    /// Record the name under which the gateway creates the session when somebody joins.
    Reserve {
        session: String,
        epoch: i64,
    },
    Close {
        session: String,
    },
    RemoveMember {
        session: String,
        identity: String,
    },
    /// Give a joined person the role and the display name that they should have.
    SetRole {
        session: String,
        person: Person,
    },
}

impl SessionStep {
    /// Whether the step concerns one person in the session.
    pub(super) fn is_of_member(&self) -> bool {
        matches!(self, Self::RemoveMember { .. } | Self::SetRole { .. })
    }
}

/// A write or a deletion of an invite Secret, by the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum InviteStep {
    Issue {
        person: Person,
        write: InviteWrite,
    },
    Withdraw {
        secret_name: String,
        /// UID from the ledger; `None` when a crash kept it from the ledger.
        secret_uid: Option<String>,
    },
}

/// How an invite Secret is written. Both end the same; what differs is which request is likely to succeed at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteWrite {
    /// It is not in the ledger: create it, and if one of that name is there, see whether it is ours.
    Create,
    /// It is in the ledger: bring the Secret of this UID up to date, and if it is gone, create it.
    Refresh { secret_uid: String },
}
