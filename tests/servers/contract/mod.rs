//! What every backend promises: one suite, run on the one in memory, on a real LiveKit server and on a double of Azure, and what each alone
//! has to show.

mod answers;
mod azure;
mod calls;
mod fake;
mod probe;
mod promises;
mod tokens;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use roomkeeper::api::Role;
use roomkeeper::backend::{AzureCommunicationServices, Backend, FakeMediaServer, LiveKit};
use roomkeeper::domain::{Failure, Person, TokenGrant};
use tokio::sync::{Mutex, OnceCell};

use crate::support::acs::AcsServer;
use crate::support::livekit::{Client, LiveKitServer, Options};
use crate::support::{now, window};

/// Brings people into sessions, who stay as long as this lives.
#[async_trait]
trait Joiner {
    /// Whether the person was let in.
    async fn join(&self, session: &str, grant: &TokenGrant) -> bool;
}

#[async_trait]
impl Joiner for FakeMediaServer {
    async fn join(&self, session: &str, grant: &TokenGrant) -> bool {
        FakeMediaServer::join(self, session, grant).is_ok()
    }
}

/// Joins LiveKit with real clients.
struct Clients<'a> {
    backend: &'a LiveKit,
    joined: Mutex<Vec<Client>>,
}

#[async_trait]
impl Joiner for Clients<'_> {
    async fn join(&self, session: &str, grant: &TokenGrant) -> bool {
        let credentials = self.backend.mint_token(session, grant).await.expect("a token");
        let client = Client::join(&credentials, &[]).await;
        match client {
            Ok(client) => self.joined.lock().await.push(client),
            Err(_) => return false,
        }
        true
    }
}

/// Joins the double of Azure Communication Services, whose roster has to have everybody first.
struct AzureClients<'a> {
    backend: &'a AzureCommunicationServices,
    server: &'a AcsServer,
}

#[async_trait]
impl Joiner for AzureClients<'_> {
    async fn join(&self, session: &str, grant: &TokenGrant) -> bool {
        let TokenGrant { identity, display_name, role, generation, signed_by, .. } = grant.clone();
        let person = Person { name: identity, display_name, role, suspended: false, generation };
        let admitted = self.backend.admit(session, window().into(), &[person], signed_by.as_deref().unwrap_or_default()).await;
        let Ok(()) = admitted else { return false };
        let credentials = self.backend.mint_token(session, grant).await.expect("a token");
        let room = credentials.ids.expect("the ids of the service").room;
        self.server.join(&room, &credentials.token).is_ok()
    }
}

/// Runs promises on every backend, and `of_media_servers` on those alone whose sessions are theirs to join by a token.
macro_rules! contract {
    (of_all: $($promise:ident)* , of_media_servers: $($further:ident)*) => {
        mod in_memory {
            $(#[test]
            fn $promise() { in_memory!($promise) })*
            $(#[test]
            fn $further() { in_memory!($further) })*
        }

        mod on_livekit {
            $(#[test]
            fn $promise() { on_livekit!($promise) })*
            $(#[test]
            fn $further() { on_livekit!($further) })*
        }

        mod on_azure {
            $(#[test]
            fn $promise() {
                crate::support::run(async {
                    let server = crate::contract::AcsServer::start().await;
                    let backend = crate::contract::azure::backend(&server);
                    let clients = crate::contract::AzureClients { backend: &backend, server: &server };
                    crate::contract::promises::$promise(&backend, &clients).await;
                });
            })*
        }
    };
}

macro_rules! in_memory {
    ($promise:ident) => {{
        let fake = crate::contract::FakeMediaServer::default();
        crate::support::run(crate::contract::promises::$promise(&fake, &fake));
    }};
}

macro_rules! on_livekit {
    ($promise:ident) => {
        crate::support::run(async {
            let backend = crate::contract::server().await.backend();
            let clients = crate::contract::Clients { backend: &backend, joined: crate::contract::Mutex::default() };
            crate::contract::promises::$promise(&backend, &clients).await;
        })
    };
}

contract! {
    of_all:
    a_probe_of_a_sound_server_is_fine
    a_session_that_was_never_made_is_absent
    a_new_session_is_there_and_empty
    ensuring_a_session_again_leaves_it_and_its_people_alone
    closing_an_absent_session_is_fine
    a_closed_session_is_gone_with_its_people
    a_list_has_only_sessions_of_its_prefix
    removing_somebody_who_is_not_there_is_fine
    changing_somebody_who_is_not_there_is_fine
    a_presenter_is_seen_as_the_ticket_says
    a_collaborator_is_seen_as_the_ticket_says
    an_attendee_is_seen_as_the_ticket_says
    a_consumer_is_seen_as_the_ticket_says
    several_people_are_all_seen
    a_changed_role_and_name_are_seen_and_nothing_else_changes
    presenter_and_collaborator_are_told_apart_after_a_change
    a_removed_person_is_gone_and_the_others_stay
    the_same_person_again_takes_the_place_of_the_earlier
    nobody_joins_a_session_that_does_not_exist
    ,
    of_media_servers:
    everything_is_there_that_a_media_server_can_do
    a_list_counts_the_people
    muting_somebody_who_is_not_there_is_fine
    the_subject_of_a_token_is_told_from_it_as_long_as_it_is_good
    a_token_that_was_changed_is_nobodys
}

/// The LiveKit server that tests share when they need nothing of their own. It ends with this process.
async fn server() -> &'static LiveKitServer {
    static SERVER: OnceCell<LiveKitServer> = OnceCell::const_new();
    SERVER.get_or_init(|| LiveKitServer::start(Options::default())).await
}

/// A prefix for sessions that no other test has.
fn prefix() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("test-{}-", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The name of a session that no other test has.
fn session() -> String {
    prefix() + "session"
}

/// A grant of Ada's that is good now.
fn grant(role: Role) -> TokenGrant {
    let not_before = now();
    TokenGrant {
        identity: "ada".to_owned(),
        display_name: "Ada Lovelace".to_owned(),
        role,
        generation: 3,
        signed_by: Some("0123456789abcdef".to_owned()),
        not_before,
        expires_at: not_before + Duration::from_mins(1),
    }
}

/// A grant for somebody else.
fn ticket_for(identity: &str, role: Role) -> TokenGrant {
    TokenGrant { identity: identity.to_owned(), display_name: identity.to_owned(), ..grant(role) }
}

/// Every call there is, by name, with what came of it.
async fn every_call(backend: &dyn Backend) -> Vec<(&'static str, Result<(), Failure>)> {
    vec![
        ("probe", backend.probe().await),
        ("observe", backend.observe("session").await.map(drop)),
        ("ensure", backend.ensure("session", window().into()).await),
        ("set_role", backend.set_role("session", "ada", Role::Attendee, "Ada").await),
        ("mute", backend.mute("session", "ada").await),
        ("remove", backend.remove("session", "ada").await),
        ("close", backend.close("session").await),
        ("list_sessions", backend.list_sessions("session").await.map(drop)),
    ]
}
