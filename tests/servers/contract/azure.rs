//! What Azure Communication Services alone has to show: how much is asked of it, and what becomes of a request that goes wrong.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use roomkeeper::api::{Reason, Role};
use roomkeeper::backend::{AzureCommunicationServices, Backend, WorkloadIdentity};
use roomkeeper::domain::{Failure, FailureClass, Person, TokenGrant, Window};

use super::{grant, session, ticket_for};
use crate::support::acs::{AcsServer, Fault};
use crate::support::process::log_file;
use crate::support::session_ledger::MemoryLedger;
use crate::support::{run, window};

const KEY: &str = "0123456789abcdef";

/// A backend that keeps its records for itself.
pub fn backend(server: &AcsServer) -> AzureCommunicationServices {
    restarted(server, &MemoryLedger::default())
}

/// A backend as a controller has it that starts with these records.
fn restarted(server: &AcsServer, ledger: &MemoryLedger) -> AzureCommunicationServices {
    AzureCommunicationServices::new(&server.endpoint(), server.access_key(), Arc::new(ledger.clone())).expect("usable")
}

fn person(name: &str, role: Role) -> Person {
    Person { name: name.to_owned(), display_name: name.to_owned(), role, suspended: false, generation: 3 }
}

fn people(number: usize) -> Vec<Person> {
    (0..number).map(|number| person(&format!("person-{number}"), Role::Attendee)).collect()
}

fn count(server: &AcsServer, method: &str, path: &str) -> usize {
    server.requests().iter().filter(|request| request.starts_with(&format!("{method} {path}"))).count()
}

/// A session with these people on its roster, and its window.
async fn made(backend: &dyn Backend, people: &[Person]) -> (String, Window) {
    let (session, window) = (session(), window());
    backend.ensure(&session, window.into()).await.expect("ensure");
    backend.admit(&session, window.into(), people, KEY).await.expect("admit");
    (session, window)
}

#[test]
fn a_room_with_five_people_costs_seven_requests_one_more_person_two_and_its_end_two_and_one_for_each() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, window) = made(&backend, &people(5)).await;
        assert_eq!((server.requests().len(), count(&server, "POST", "/identities")), (7, 5), "{:?}", server.requests());
        server.clear_requests();
        backend.admit(&session, window.into(), &[person("eve", Role::Presenter)], KEY).await.expect("admit");
        assert_eq!(server.requests().len(), 2, "{:?}", server.requests());
        server.clear_requests();
        backend.close(&session).await.expect("close");
        assert_eq!((server.requests().len(), count(&server, "DELETE", "/identities")), (8, 6), "{:?}", server.requests());
        assert!(server.rooms().is_empty() && server.identities().is_empty());
    });
}

#[test]
fn who_was_removed_has_no_identity_and_no_token_that_is_good() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, _) = made(&backend, &[person("ada", Role::Presenter), person("bob", Role::Attendee)]).await;
        let credentials = backend.mint_token(&session, &ticket_for("bob", Role::Attendee)).await.expect("a token");
        let room = credentials.ids.expect("ids").room;
        assert_eq!(server.join(&room, &credentials.token).as_deref(), Ok("Attendee"));
        backend.remove(&session, "bob").await.expect("remove");
        assert_eq!(server.join(&room, &credentials.token), Err(5828));
        assert_eq!(server.identities().len(), 1);
        let refused = backend.mint_token(&session, &ticket_for("bob", Role::Attendee)).await.expect_err("nobody");
        assert!(!refused.needs_change(), "{refused}");
    });
}

#[test]
fn an_invite_of_another_generation_is_another_identity_and_the_one_before_is_gone() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, window) = made(&backend, &[person("bob", Role::Attendee)]).await;
        let before = backend.mint_token(&session, &ticket_for("bob", Role::Attendee)).await.expect("a token");
        let later = Person { generation: 4, ..person("bob", Role::Attendee) };
        backend.admit(&session, window.into(), &[later], KEY).await.expect("admit");
        assert!(backend.mint_token(&session, &ticket_for("bob", Role::Attendee)).await.is_err(), "not by the invite of before");
        let ids = before.ids.expect("ids");
        assert_eq!(server.join(&ids.room, &before.token), Err(5828));
        assert_eq!(server.identities().len(), 1);
        let grant = TokenGrant { generation: 4, ..ticket_for("bob", Role::Attendee) };
        let after = backend.mint_token(&session, &grant).await.expect("a token");
        assert_eq!(server.join(&ids.room, &after.token).as_deref(), Ok("Attendee"));
    });
}

/// A gateway puts people out, too, and keeps nothing.
#[test]
fn who_is_put_out_without_a_record_of_it_is_off_the_roster_and_can_come_again() {
    run(async {
        let server = AcsServer::start().await;
        let ledger = MemoryLedger::default();
        let controller = restarted(&server, &ledger);
        let (session, window) = made(&controller, &[person("bob", Role::Attendee)]).await;
        let gateway =
            AzureCommunicationServices::new(&server.endpoint(), server.access_key(), Arc::new(ledger.read_only())).expect("usable");
        assert!(gateway.remove(&session, "bob").await.is_err_and(|failure| !failure.needs_change()));
        assert_eq!(controller.observe(&session).await, Ok(Some(Vec::new())));
        controller.admit(&session, window.into(), &[person("bob", Role::Attendee)], KEY).await.expect("admit");
        let credentials = gateway.mint_token(&session, &ticket_for("bob", Role::Attendee)).await.expect("a token");
        assert_eq!(server.join(&credentials.ids.expect("ids").room, &credentials.token).as_deref(), Ok("Attendee"));
    });
}

#[test]
fn another_end_is_told_once() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, window) = made(&backend, &[]).await;
        let Window { from, until } = window;
        let longer = Window { from, until: until + Duration::from_hours(5) };
        server.clear_requests();
        for _ in 0..2 {
            backend.admit(&session, longer.into(), &[], KEY).await.expect("admit");
        }
        assert_eq!(server.requests().len(), 1, "{:?}", server.requests());
        assert_eq!(server.rooms().first().expect("a room").valid_until, longer.until);
    });
}

#[test]
fn a_room_that_was_deleted_in_the_portal_is_lost_and_nothing_of_it_is_left() {
    run(async {
        let server = AcsServer::start().await;
        let ledger = MemoryLedger::default();
        let (session, _) = made(&restarted(&server, &ledger), &people(3)).await;
        let room = server.rooms().first().expect("a room").id.clone();
        server.delete_room(&room);
        let backend = restarted(&server, &ledger);
        assert_eq!(backend.observe(&session).await, Ok(None));
        assert_eq!(backend.list_sessions(&session).await, Ok(Vec::new()));
        assert!(server.identities().is_empty() && ledger.sessions().is_empty());
    });
}

#[test]
fn somebody_whom_another_program_put_on_the_roster_is_seen_and_can_be_removed() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let ((one, _), (other, _)) = (made(&backend, &people(1)).await, made(&backend, &[]).await);
        let stranger = backend.mint_token(&one, &ticket_for("person-0", Role::Attendee)).await.expect("a token").ids.expect("ids").user;
        let empty = server.rooms().into_iter().find(|room| room.participants.is_empty()).expect("a room");
        server.add_participant(&empty.id, &stranger, "Presenter");
        let seen = backend.observe(&other).await.expect("an answer").expect("a session");
        assert_eq!(
            seen.iter().map(|member| (member.identity.as_str(), member.generation)).collect::<Vec<_>>(),
            [(stranger.as_str(), None)]
        );
        backend.remove(&other, &stranger).await.expect("removed");
        assert_eq!(backend.observe(&other).await.expect("an answer"), Some(Vec::new()));
        assert_eq!(server.identities().len(), 1, "whose it is stays");
    });
}

/// What becomes of a controller that is killed at a request, whether the service has carried it out or not, and starts again.
#[test]
fn a_crash_at_whichever_request_leaves_one_room_and_no_person_twice() {
    run(async {
        for fault in [Fault::Lost, Fault::Unanswered] {
            for (method, path) in [("POST", "/rooms"), ("POST", "/identities"), ("PATCH", "/participants")] {
                let server = AcsServer::start().await;
                let ledger = MemoryLedger::default();
                let (session, window) = (session(), window());
                server.fail_next(method, path, 1, fault);
                let first = restarted(&server, &ledger);
                let failed = match first.ensure(&session, window.into()).await {
                    Ok(()) => first.admit(&session, window.into(), &people(3), KEY).await,
                    failed => failed,
                };
                assert!(failed.is_err_and(|failure| !failure.needs_change()), "{method} {path} {fault:?}");
                let second = restarted(&server, &ledger);
                second.ensure(&session, window.into()).await.expect("ensure");
                second.admit(&session, window.into(), &people(3), KEY).await.expect("admit");
                let rooms = server.rooms();
                assert_eq!(rooms.iter().map(|room| room.participants.len()).collect::<Vec<_>>(), [3], "{method} {path} {fault:?}");
                // An identity whose answer was lost is on no roster, and has no token.
                let left_behind = usize::from(method == "POST" && path == "/identities" && matches!(fault, Fault::Unanswered));
                assert_eq!(server.identities().len(), 3 + left_behind, "{method} {path} {fault:?}");
                second.close(&session).await.expect("close");
                assert_eq!((server.rooms().len(), server.identities().len()), (0, left_behind), "{method} {path} {fault:?}");
            }
        }
    });
}

#[test]
fn an_end_that_is_cut_short_at_whichever_request_is_brought_to_its_end() {
    run(async {
        for fault in [Fault::Lost, Fault::Unanswered] {
            for path in ["/rooms", "/identities"] {
                let server = AcsServer::start().await;
                let ledger = MemoryLedger::default();
                let (session, _) = made(&restarted(&server, &ledger), &people(3)).await;
                server.fail_next("DELETE", path, 1, fault);
                assert!(restarted(&server, &ledger).close(&session).await.is_err(), "{path} {fault:?}");
                restarted(&server, &ledger).close(&session).await.expect("close");
                assert!(server.rooms().is_empty() && server.identities().is_empty() && ledger.sessions().is_empty(), "{path} {fault:?}");
            }
        }
    });
}

#[test]
fn a_session_whose_room_the_service_will_not_make_any_more_can_be_closed() {
    run(async {
        let server = AcsServer::start().await;
        let ledger = MemoryLedger::default();
        let (backend, session) = (restarted(&server, &ledger), session());
        let Window { from, .. } = window();
        let over = Window { from, until: from - Duration::from_hours(1) };
        assert!(backend.ensure(&session, over.into()).await.is_err_and(|failure| failure.needs_change()));
        assert_eq!(ledger.sessions(), [session.as_str()]);
        backend.close(&session).await.expect("close");
        assert!(ledger.sessions().is_empty() && server.rooms().is_empty());
    });
}

#[test]
fn whoever_is_in_the_call_at_its_end_is_put_out() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, _) = made(&backend, &[person("bob", Role::Attendee)]).await;
        let credentials = backend.mint_token(&session, &ticket_for("bob", Role::Attendee)).await.expect("a token");
        let room = credentials.ids.expect("ids").room;
        server.join(&room, &credentials.token).expect("in the call");
        assert_eq!(server.in_call(&room).len(), 1);
        backend.close(&session).await.expect("close");
        assert!(server.in_call(&room).is_empty());
    });
}

#[test]
fn a_session_that_waited_for_its_room_gets_one_with_the_end_of_now() {
    run(async {
        let server = AcsServer::start().await;
        let (backend, session) = (backend(&server), session());
        let Window { from, until } = window();
        server.fail_next("POST", "/rooms", 1, Fault::Lost);
        assert!(backend.ensure(&session, Window { from, until }.into()).await.is_err());
        let later = Window { from, until: until + Duration::from_hours(3) };
        backend.ensure(&session, later.into()).await.expect("ensure");
        assert_eq!(server.rooms().iter().map(|room| room.valid_until).collect::<Vec<_>>(), [later.until]);
    });
}

#[test]
fn a_list_does_not_fail_because_one_room_cannot_be_asked_for() {
    run(async {
        let server = AcsServer::start().await;
        let ledger = MemoryLedger::default();
        let (session, _) = made(&restarted(&server, &ledger), &people(1)).await;
        server.delete_room(&server.rooms()[0].id);
        let backend = restarted(&server, &ledger);
        server.fail_next("GET", "/rooms/{id}", 1, Fault::Status { status: 429, code: "TooManyRequests", retry_after: Some(1) });
        assert_eq!(backend.list_sessions(&session).await.map(|sessions| sessions.len()), Ok(1), "it may be there");
        assert_eq!(backend.list_sessions(&session).await, Ok(Vec::new()));
    });
}

#[test]
fn an_identity_whose_replacement_was_cut_short_is_deleted_by_the_next_look() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, window) = made(&backend, &[person("bob", Role::Attendee)]).await;
        let later = Person { generation: 4, ..person("bob", Role::Attendee) };
        server.fail_next("PATCH", "/participants", 1, Fault::Unanswered);
        assert!(backend.admit(&session, window.into(), &[later], KEY).await.is_err());
        assert_eq!(server.identities().len(), 2);
        backend.admit(&session, window.into(), &[], KEY).await.expect("admit");
        assert_eq!((server.identities().len(), server.rooms()[0].participants.len()), (1, 1));
    });
}

#[test]
fn what_the_service_refuses_is_told_with_what_is_to_be_done() {
    run(async {
        let server = AcsServer::start().await;
        let ledger = MemoryLedger::default();
        let backend = restarted(&server, &ledger);
        let probe = async || backend.probe().await.expect_err("refused");
        let answer = |status: u16, retry_after| Fault::Status { status, code: "Any", retry_after };
        for (fault, class) in [
            (answer(429, Some(7)), FailureClass::Transient { after: Some(Duration::from_secs(7)) }),
            (answer(500, None), FailureClass::Transient { after: None }),
            (answer(503, None), FailureClass::Transient { after: None }),
            (answer(409, None), FailureClass::Transient { after: None }),
            (answer(400, None), FailureClass::Rejected),
            (Fault::Lost, FailureClass::Transient { after: None }),
            (Fault::Malformed, FailureClass::Transient { after: None }),
            (Fault::NotJson, FailureClass::Transient { after: None }),
        ] {
            server.fail_next("GET", "/rooms", 1, fault);
            assert_eq!(probe().await.class, class, "{fault:?}");
        }
        server.refuse_access(true);
        assert!(probe().await.message.contains("forbids"), "{}", probe().await);
        server.refuse_access(false);
        server.set_skew(SignedDuration::from_mins(20));
        assert!(probe().await.message.contains("clock"), "{}", probe().await);
        server.set_skew(SignedDuration::ZERO);
        let other = AzureCommunicationServices::new(&server.endpoint(), "b3RoZXI=", Arc::new(ledger)).expect("usable");
        let refused = other.probe().await.expect_err("refused");
        assert_eq!((refused.class, refused.reason), (FailureClass::Unauthorized, Reason::Unauthorized));
        assert!(refused.message.contains("access key"), "{refused}");
    });
}

#[test]
fn nobody_gets_a_token_before_they_are_on_the_roster() {
    run(async {
        let server = AcsServer::start().await;
        let backend = backend(&server);
        let (session, _) = made(&backend, &[]).await;
        let Failure { class, .. } = backend.mint_token(&session, &grant(Role::Attendee)).await.expect_err("nobody");
        assert_eq!(class, FailureClass::Transient { after: None });
        assert_eq!(server.requests().len(), 1, "nothing but the creation was asked for");
    });
}

/// The workload identity of a pod whose projected token is this.
fn identity(server: &AcsServer, projected: &str) -> WorkloadIdentity {
    let token_file = log_file("projected-token");
    std::fs::write(&token_file, projected).expect("a file");
    WorkloadIdentity { authority: server.endpoint(), tenant: "tenant".to_owned(), client: "client".to_owned(), token_file }
}

fn by_identity(server: &AcsServer, identity: WorkloadIdentity) -> AzureCommunicationServices {
    AzureCommunicationServices::with_identity(&server.endpoint(), identity, Arc::new(MemoryLedger::default())).expect("usable")
}

fn tokens_asked_for(server: &AcsServer) -> usize {
    count(server, "POST", "/tenant/oauth2/v2.0/token")
}

#[test]
fn a_workload_identity_holds_calls_without_a_key_and_asks_for_a_token_only_when_it_has_none_that_is_good() {
    run(async {
        let server = AcsServer::start().await;
        server.trust_identity("client", "projected", 3600);
        let backend = by_identity(&server, identity(&server, "projected\n"));
        let (session, _) = made(&backend, &people(3)).await;
        assert_eq!(backend.observe(&session).await.expect("an answer").map(|members| members.len()), Some(3));
        assert_eq!(tokens_asked_for(&server), 1);
        // One that ends before it would be renewed is asked for each time.
        server.trust_identity("client", "projected", 60);
        let backend = by_identity(&server, identity(&server, "projected"));
        server.clear_requests();
        backend.probe().await.expect("an answer");
        backend.probe().await.expect("an answer");
        assert_eq!(tokens_asked_for(&server), 2);
    });
}

#[test]
fn a_workload_identity_that_is_refused_or_missing_is_told() {
    run(async {
        let server = AcsServer::start().await;
        server.trust_identity("client", "projected", 3600);
        let refused = by_identity(&server, identity(&server, "another")).probe().await.expect_err("refused");
        assert_eq!(refused.class, FailureClass::Unauthorized);
        assert!(refused.message.contains("Microsoft Entra"), "{refused}");
        let missing = WorkloadIdentity { token_file: "/nowhere".into(), ..identity(&server, "") };
        let failure = by_identity(&server, missing).probe().await.expect_err("no file");
        assert_eq!(failure.class, FailureClass::Misconfigured);
        // A token that the service does not take any more is not kept.
        let backend = by_identity(&server, identity(&server, "projected"));
        backend.probe().await.expect("an answer");
        server.set_skew(SignedDuration::from_hours(2));
        assert_eq!(backend.probe().await.expect_err("refused").class, FailureClass::Unauthorized);
        server.set_skew(SignedDuration::ZERO);
        server.clear_requests();
        backend.probe().await.expect("an answer");
        assert_eq!(tokens_asked_for(&server), 1);
    });
}
