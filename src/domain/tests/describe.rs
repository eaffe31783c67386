//! Plans in words.

use super::simulation::session_id;
use crate::domain::{InviteStep, InviteWrite, Plan, RoomStep, SessionStep, Step};

/// A step in words: the epoch for a session, the participant's name for an invite.
pub fn describe(step: &Step) -> String {
    let epoch = |session: &str| session.strip_prefix(&session_id(0)[..session_id(0).len() - 1]).unwrap_or(session).to_owned();
    let name = |secret: &str| secret.strip_prefix("standup-invite-").unwrap_or(secret).to_owned();
    match step {
        Step::Room(RoomStep::AddFinalizer) => "add finalizer".into(),
        Step::Room(RoomStep::Delete) => "delete room".into(),
        Step::Room(RoomStep::ReleaseFinalizer { give_up: false }) => "release finalizer".into(),
        Step::Room(RoomStep::ReleaseFinalizer { give_up: true }) => "release finalizer whatever happened".into(),
        Step::Session(SessionStep::RemoveMember { session, identity }) => format!("remove {identity} from {}", epoch(session)),
        Step::Session(SessionStep::SetRole { session, person }) => {
            format!("make {} {:?} \"{}\" in {}", person.name, person.role, person.display_name, epoch(session))
        }
        Step::Session(SessionStep::Close { session }) => format!("close {}", epoch(session)),
        Step::Session(SessionStep::Ensure { session, epoch: number, settings: _ }) => {
            assert_eq!(*session, session_id(*number));
            format!("ensure {number}")
        }
        Step::Session(SessionStep::Admit { session, settings: _, people }) => {
            let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
            format!("admit {names:?} to {}", epoch(session))
        }
        Step::Session(SessionStep::Reserve { session, epoch: number }) => {
            assert_eq!(*session, session_id(*number));
            format!("reserve {number}")
        }
        Step::Invite(InviteStep::Issue { person, write: InviteWrite::Create }) => format!("create {}", person.name),
        Step::Invite(InviteStep::Issue { person, write: InviteWrite::Refresh { .. } }) => format!("refresh {}", person.name),
        Step::Invite(InviteStep::Withdraw { secret_name, secret_uid }) => {
            format!("withdraw {} by {}", name(secret_name), secret_uid.as_deref().unwrap_or("label"))
        }
    }
}

impl Plan {
    /// The steps in words.
    pub fn describe(&self) -> Vec<String> {
        self.steps.iter().map(describe).collect()
    }
}
