//! Plans in words.

use super::session_id;
use crate::domain::{Plan, Step};

/// A step in words: the epoch for a session, the participant's name for an invite.
pub fn describe(step: &Step) -> String {
    let epoch = |session: &str| session.strip_prefix(&session_id(0)[..session_id(0).len() - 1]).unwrap_or(session).to_owned();
    let name = |secret: &str| secret.strip_prefix("standup-invite-").unwrap_or(secret).to_owned();
    match step {
        Step::AddFinalizer => "add finalizer".into(),
        Step::RemovePerson { session, identity } => format!("remove {identity} from {}", epoch(session)),
        Step::SetRole { session, person } => {
            format!("make {} {:?} \"{}\" in {}", person.name, person.role, person.display_name, epoch(session))
        }
        Step::CloseSession { session } => format!("close {}", epoch(session)),
        Step::EnsureSession { session, epoch: number } => {
            assert_eq!(*session, session_id(*number));
            format!("ensure {number}")
        }
        Step::ReserveSession { session, epoch: number } => {
            assert_eq!(*session, session_id(*number));
            format!("reserve {number}")
        }
        Step::IssueInvite { person, issue } => format!("{issue:?} {}", person.name).to_lowercase(),
        Step::WithdrawInvite { secret_name, secret_uid } => {
            format!("withdraw {} by {}", name(secret_name), secret_uid.as_deref().unwrap_or("label"))
        }
        Step::DeleteRoom => "delete room".into(),
        Step::ReleaseFinalizer { give_up: false } => "release finalizer".into(),
        Step::ReleaseFinalizer { give_up: true } => "release finalizer whatever happened".into(),
    }
}

impl Plan {
    /// The steps in words.
    pub fn describe(&self) -> Vec<String> {
        self.steps.iter().map(describe).collect()
    }
}
