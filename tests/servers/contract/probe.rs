//! What a probe finds out about a real LiveKit server, and how its other calls tell refused credentials.

use roomkeeper::api::Reason;
use roomkeeper::backend::{Backend, LiveKit};
use roomkeeper::domain::FailureClass;

use super::{every_call, server, session};
use crate::support::livekit::{LiveKitServer, Options};
use crate::support::{run, window};

#[test]
fn a_server_that_makes_rooms_on_join_is_unsafe() {
    run(async {
        let server = LiveKitServer::start(Options { auto_create: true, ..Options::default() }).await;
        let backend = server.backend();
        let failure = backend.probe().await.expect_err("unsafe");
        assert_eq!((failure.class, failure.reason), (FailureClass::Misconfigured, Reason::UnsafeAutoCreate));
        assert!(failure.message.contains("room.auto_create: false"), "it says what to do: {failure}");
        assert_eq!(backend.list_sessions("").await, Ok(vec![]), "and the probe itself made no room");
    });
}

#[test]
fn a_probe_finds_a_server_sound_again_and_again_and_leaves_nothing_there() {
    run(async {
        let server = LiveKitServer::start(Options::default()).await;
        let backend = server.backend();
        for _ in 0..3 {
            assert_eq!(backend.probe().await, Ok(()));
        }
        assert_eq!(backend.list_sessions("").await, Ok(vec![]));
    });
}

#[test]
fn a_wrong_key_and_a_wrong_secret_are_unauthorized_in_every_call() {
    run(async {
        let server = server().await;
        let Options { api_key, api_secret, .. } = &server.options;
        for (key, secret) in [("unknown", api_secret.as_str()), (api_key, "another secret of more than 32 characters")] {
            let backend = LiveKit::new(&server.url(), None, key, secret).expect("usable settings");
            for (call, outcome) in every_call(&backend).await {
                let failure = outcome.expect_err(call);
                assert_eq!((failure.class, failure.reason), (FailureClass::Unauthorized, Reason::Unauthorized), "{call}");
            }
        }
    });
}

#[test]
fn a_name_that_livekit_refuses_is_rejected_for_good() {
    run(async {
        let failure = server().await.backend().ensure(&"x".repeat(1000), window().into()).await.expect_err("too long");
        assert_eq!((failure.class, failure.reason), (FailureClass::Rejected, Reason::Rejected));
    });
}

#[test]
fn a_server_that_is_down_is_tried_again_and_has_forgotten_its_sessions_when_it_is_back() {
    run(async {
        let mut server = LiveKitServer::start(Options::default()).await;
        let (backend, session) = (server.backend(), session());
        backend.ensure(&session, window().into()).await.expect("ensure");
        server.stop();
        for (call, outcome) in every_call(&backend).await {
            let failure = outcome.expect_err(call);
            assert_eq!((failure.class, failure.reason), (FailureClass::Transient { after: None }, Reason::Unreachable), "{call}");
        }
        server.restart().await;
        assert_eq!(backend.probe().await, Ok(()));
        assert_eq!(backend.observe(&session).await, Ok(None));
        assert_eq!(backend.ensure(&session, window().into()).await, Ok(()));
    });
}
