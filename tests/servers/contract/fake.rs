//! What tests do to the backend in memory.

use roomkeeper::api::{Reason, Role};
use roomkeeper::backend::{Backend, FakeMediaServer};
use roomkeeper::domain::Failure;

use super::{every_call, grant};
use crate::support::run;

#[test]
fn every_call_fails_as_told_until_told_otherwise() {
    run(async {
        let memory = FakeMediaServer::default();
        let failure = Failure::transient(Reason::Unreachable, "down for a test");
        memory.fail_with(Some(failure.clone()));
        for (call, outcome) in every_call(&memory).await {
            assert_eq!(outcome, Err(failure.clone()), "{call}");
        }
        assert_eq!(memory.mint_token("session", &grant(Role::Attendee)).err(), Some(failure));
        memory.fail_with(None);
        for (call, outcome) in every_call(&memory).await {
            assert_eq!(outcome, Ok(()), "{call}");
        }
        assert_eq!(memory.calls(), 17, "failed calls count too");
    });
}

#[test]
fn a_restart_forgets_every_session() {
    run(async {
        let memory = FakeMediaServer::default();
        memory.ensure("session").await.expect("ensure");
        memory.join("session", &grant(Role::Attendee)).expect("join");
        memory.forget();
        assert_eq!(memory.observe("session").await, Ok(None));
    });
}

#[test]
fn who_left_is_not_seen() {
    run(async {
        let memory = FakeMediaServer::default();
        memory.ensure("session").await.expect("ensure");
        memory.join("session", &grant(Role::Attendee)).expect("join");
        memory.leave("session", "ada");
        assert_eq!(memory.observe("session").await, Ok(Some(vec![])));
    });
}
