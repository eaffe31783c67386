//! What tests do to the fake media server: people come and go, and calls meet faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use roomkeeper::api::{Reason, Role};
use roomkeeper::backend::fake::{FakeMediaServer, Operation};
use roomkeeper::backend::{Backend, Signalling};
use roomkeeper::domain::Failure;

use super::{every_call, grant};
use crate::support::{run, window};

fn down() -> Failure {
    Failure::transient(Reason::Unreachable, "down for a test")
}

#[test]
fn every_call_fails_as_told_until_told_otherwise() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.fail_with(Some(down()));
        for (call, outcome) in every_call(&fake).await {
            assert_eq!(outcome, Err(down()), "{call}");
        }
        assert_eq!(fake.mint_token("session", &grant(Role::Attendee)).await.err(), Some(down()));
        fake.fail_with(None);
        for (call, outcome) in every_call(&fake).await {
            assert_eq!(outcome, Ok(()), "{call}");
        }
        assert_eq!(fake.calls().len(), 17, "failed calls count too");
    });
}

#[test]
fn a_call_fails_as_often_as_told_and_no_other_call_does() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.fail_next(Operation::Ensure, 2, down());
        assert_eq!(fake.probe().await, Ok(()));
        let outcomes = [
            fake.ensure("session", window().into()).await,
            fake.ensure("session", window().into()).await,
            fake.ensure("session", window().into()).await,
        ];
        assert_eq!(outcomes, [Err(down()), Err(down()), Ok(())]);
        assert_eq!((fake.count(Operation::Ensure), fake.count(Operation::Probe)), (3, 1));
    });
}

#[test]
fn a_call_that_fails_has_done_nothing() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.ensure("session", window().into()).await.expect("ensure");
        fake.join("session", &grant(Role::Attendee)).expect("join");
        fake.fail_with(Some(down()));
        for outcome in [fake.remove("session", "ada").await, fake.close("session").await, fake.ensure("other", window().into()).await] {
            assert_eq!(outcome, Err(down()));
        }
        assert_eq!(fake.sessions(), ["session"]);
        assert_eq!(fake.members("session").map(|members| members.len()), Some(1));
    });
}

#[test]
fn a_held_call_gets_no_answer_and_does_nothing_before_it_is_released() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.ensure("session", window().into()).await.expect("ensure");
        let mut hold = fake.hold(Operation::Close);
        let mut close = Box::pin(fake.close("session"));
        tokio::select! {
            _ = &mut close => panic!("a held call was answered"),
            () = hold.reached(1) => {}
        }
        assert_eq!((fake.sessions(), close.as_mut().now_or_never()), (vec!["session".to_owned()], None));
        assert_eq!(fake.probe().await, Ok(()), "other calls are not held");
        drop(hold);
        assert_eq!(close.await, Ok(()));
        assert_eq!(fake.sessions(), [""; 0]);
        assert_eq!(fake.close("session").await, Ok(()), "nor are later ones");
    });
}

#[test]
fn something_happens_at_each_call_before_its_work() {
    run(async {
        let fake = Arc::new(FakeMediaServer::default());
        fake.ensure("session", window().into()).await.expect("ensure");
        let (happened, server) = (Arc::new(AtomicUsize::new(0)), Arc::downgrade(&fake));
        let count = happened.clone();
        fake.meanwhile(Operation::Observe, move || {
            count.fetch_add(1, Ordering::Relaxed);
            server.upgrade().expect("the server").lose_sessions();
        });
        assert_eq!(fake.observe("session").await, Ok(None));
        assert_eq!(fake.observe("session").await, Ok(None));
        assert_eq!(happened.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn calls_are_told_with_what_they_were_about() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.ensure("session", window().into()).await.expect("ensure");
        fake.mute("session", "ada").await.expect("mute");
        let calls: Vec<_> = fake.calls().iter().map(ToString::to_string).collect();
        assert_eq!(calls, ["Ensure session", "Mute ada"]);
    });
}

#[test]
fn who_is_proxied_gets_no_address_of_the_server() {
    let fake = FakeMediaServer::default();
    run(async {
        let url = async || fake.mint_token("session", &grant(Role::Attendee)).await.expect("a token").url;
        assert!(fake.signalling() == Signalling::Direct && url().await.is_some());
        let upstream = "http://127.0.0.1:1".to_owned();
        fake.proxy_to(Some(upstream.clone()));
        assert!(fake.signalling() == Signalling::Proxied { upstream } && url().await.is_none());
    });
}

#[test]
fn a_clone_is_a_server_of_its_own_in_the_same_state() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.ensure("session", window().into()).await.expect("ensure");
        fake.fail(Operation::Probe, down());
        let other = fake.clone();
        fake.lose_sessions();
        fake.fail_with(None);
        assert_eq!((other.sessions(), other.probe().await), (vec!["session".to_owned()], Err(down())));
    });
}

#[test]
fn a_restart_forgets_every_session() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.ensure("session", window().into()).await.expect("ensure");
        fake.ensure("other", window().into()).await.expect("ensure");
        fake.join("session", &grant(Role::Attendee)).expect("join");
        fake.lose("other");
        assert_eq!(fake.sessions(), ["session"]);
        fake.lose_sessions();
        assert_eq!(fake.observe("session").await, Ok(None));
    });
}

#[test]
fn who_left_is_not_seen() {
    run(async {
        let fake = FakeMediaServer::default();
        fake.ensure("session", window().into()).await.expect("ensure");
        fake.join("session", &grant(Role::Attendee)).expect("join");
        fake.leave("session", "ada");
        assert_eq!(fake.observe("session").await, Ok(Some(vec![])));
    });
}
