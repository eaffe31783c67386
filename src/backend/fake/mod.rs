//! A media server in memory, for tests: it keeps the same promises as the real ones, as the contract suite shows, and has faults when
//! it is told to.
//!
//! It is not behind `#[cfg(test)]`, because tests and benchmarks outside of the crate use it too; nothing in the program does, so the
//! linker leaves it out of the binary.

mod call;
mod faults;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

pub use call::{Call, Operation};
pub use faults::Hold;

use super::interface::{Backend, MediaCredentials, SessionSummary, Signalling, TokenSubject};
use crate::api::{Reason, Role};
use crate::domain::{BackendKind, Failure, MediaConnections, Person, SessionMember, SessionSettings, TokenGrant};
use faults::{Fault, Faults};

/// How much earlier and later than it says a token is good, as on real servers.
const LEEWAY: SignedDuration = SignedDuration::from_mins(1);

/// Sessions and the people in them, for as long as this lives. A clone is another server in the same state.
#[derive(Default)]
pub struct FakeMediaServer {
    state: Mutex<State>,
    faults: Faults,
}

#[derive(Clone, Default)]
struct State {
    sessions: BTreeMap<String, Session>,
    calls: Vec<Call>,
    tokens: BTreeMap<String, Issued>,
    /// Where the gateway passes signalling on to; `None` means that clients connect themselves.
    upstream: Option<String>,
}

/// The people of a session by identity.
type Session = BTreeMap<String, SessionMember>;

/// A media token that was minted.
#[derive(Clone)]
struct Issued {
    subject: TokenSubject,
    not_before: Timestamp,
    ends: Timestamp,
}

impl Clone for FakeMediaServer {
    fn clone(&self) -> Self {
        Self { state: Mutex::new(self.state.lock().clone()), faults: self.faults.clone() }
    }
}

/// What people do, and what a test knows of the server.
impl FakeMediaServer {
    /// What every media token begins with, to look for in places where none belongs.
    pub const TOKEN_PREFIX: &str = "media-token";

    /// A person joins by a grant. As on a real server, the same identity takes the place of its earlier self.
    pub fn join(&self, session: &str, grant: &TokenGrant) -> Result<(), Failure> {
        let mut state = self.state.lock();
        let members = state.sessions.get_mut(session);
        let members = members.ok_or_else(|| Failure::rejected(Reason::Rejected, "there is no such session"))?;
        let member = SessionMember {
            identity: grant.identity.clone(),
            display_name: grant.display_name.clone(),
            role: Some(grant.role),
            generation: Some(grant.generation),
            signed_by: grant.signed_by.clone(),
        };
        members.insert(grant.identity.clone(), member);
        Ok(())
    }

    /// A person leaves.
    pub fn leave(&self, session: &str, identity: &str) {
        if let Some(members) = self.state.lock().sessions.get_mut(session) {
            members.remove(identity);
        }
    }

    /// There is a session with exactly these people in it, however they came.
    pub fn set_members(&self, session: &str, members: impl IntoIterator<Item = SessionMember>) {
        let members = members.into_iter().map(|member| (member.identity.clone(), member)).collect();
        self.state.lock().sessions.insert(session.to_owned(), members);
    }

    /// The people in a session, if there is one.
    pub fn members(&self, session: &str) -> Option<Vec<SessionMember>> {
        self.state.lock().sessions.get(session).map(|members| members.values().cloned().collect())
    }

    /// The names of all sessions.
    pub fn sessions(&self) -> Vec<String> {
        self.state.lock().sessions.keys().cloned().collect()
    }

    /// All calls so far, failed ones too.
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().calls.clone()
    }

    /// Number of calls of an operation so far.
    pub fn count(&self, operation: Operation) -> usize {
        self.state.lock().calls.iter().filter(|call| call.operation == operation).count()
    }
}

/// Faults and settings.
impl FakeMediaServer {
    /// The server loses a session.
    pub fn lose(&self, session: &str) {
        self.state.lock().sessions.remove(session);
    }

    /// The server loses all sessions, as at a restart.
    pub fn lose_sessions(&self) {
        self.state.lock().sessions.clear();
    }

    /// From now on every call fails with `failure`; with `None`, all faults are over.
    pub fn fail_with(&self, failure: Option<Failure>) {
        match failure {
            Some(failure) => Operation::ALL.into_iter().for_each(|operation| self.fail(operation, failure.clone())),
            None => self.faults.clear(),
        }
    }

    /// From now on every call of an operation fails.
    pub fn fail(&self, operation: Operation, failure: Failure) {
        self.faults.set(operation, Fault::Fail { failure, calls: None });
    }

    /// The next calls of an operation fail, as many as this.
    pub fn fail_next(&self, operation: Operation, calls: usize, failure: Failure) {
        if calls > 0 {
            self.faults.set(operation, Fault::Fail { failure, calls: Some(calls) });
        }
    }

    /// Calls of an operation get no answer until this is dropped. Tokens are minted without asking a server, so that is never held.
    pub fn hold(&self, operation: Operation) -> Hold {
        self.faults.hold(operation)
    }

    /// Something happens at each call of an operation, before it does its work.
    pub fn meanwhile(&self, operation: Operation, happens: impl Fn() + Send + Sync + 'static) {
        self.faults.set(operation, Fault::Meanwhile(std::sync::Arc::new(happens)));
    }

    /// Clients reach the signalling through the gateway, which passes it on to `upstream`; with `None`, by themselves.
    pub fn proxy_to(&self, upstream: Option<String>) {
        self.state.lock().upstream = upstream;
    }

    /// Counts a call, lets it meet its fault, and then do its work.
    async fn call<T>(
        &self,
        operation: Operation,
        about: &str,
        work: impl FnOnce(&mut BTreeMap<String, Session>) -> T + Send,
    ) -> Result<T, Failure> {
        self.record(operation, about);
        // Others get their turn before the answer, as they do while a request is on a network.
        tokio::task::yield_now().await;
        self.faults.meet(operation).await?;
        Ok(work(&mut self.state.lock().sessions))
    }

    fn record(&self, operation: Operation, about: &str) {
        self.state.lock().calls.push(Call { operation, about: about.to_owned() });
    }
}

#[async_trait]
impl Backend for FakeMediaServer {
    fn kind(&self) -> BackendKind {
        BackendKind::LiveKit
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.call(Operation::Probe, "", |_| ()).await
    }

    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure> {
        self.call(Operation::Observe, session, |sessions| sessions.get(session).map(|members| members.values().cloned().collect())).await
    }

    async fn media_connections(&self, session: &str, _now: Timestamp) -> Result<MediaConnections, Failure> {
        // Whoever is here has come without a network between.
        let connected = self.members(session).is_some_and(|members| !members.is_empty());
        Ok(MediaConnections { connected, waiting: Vec::new() })
    }

    async fn ensure(&self, session: &str, _: SessionSettings) -> Result<(), Failure> {
        self.call(Operation::Ensure, session, |sessions| {
            sessions.entry(session.to_owned()).or_default();
        })
        .await
    }

    async fn admit(&self, _: &str, _: SessionSettings, _: &[Person], _: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure> {
        let TokenGrant { identity, display_name, role, generation, signed_by, not_before, expires_at } = grant;
        self.record(Operation::MintToken, identity);
        self.faults.meet_now(Operation::MintToken)?;
        let token = format!("{}/{session}/{identity}/{role:?}/{not_before}/{expires_at}/{generation}", Self::TOKEN_PREFIX);
        let subject = TokenSubject {
            session: session.to_owned(),
            identity: identity.clone(),
            display_name: display_name.clone(),
            generation: Some(*generation),
            signed_by: signed_by.clone(),
        };
        let mut state = self.state.lock();
        state.tokens.insert(token.clone(), Issued { subject, not_before: *not_before, ends: *expires_at });
        let url = state.upstream.is_none().then(|| "wss://media.test".to_owned());
        Ok(MediaCredentials::by_token(url, token, *expires_at))
    }

    fn signalling(&self) -> Signalling {
        let upstream = self.state.lock().upstream.clone();
        upstream.map_or(Signalling::Direct, |upstream| Signalling::Proxied { upstream })
    }

    fn token_subject(&self, token: &str, now: Timestamp) -> Option<TokenSubject> {
        let state = self.state.lock();
        let Issued { subject, not_before, ends } = state.tokens.get(token)?;
        let good = not_before.duration_since(now) <= LEEWAY && now.duration_since(*ends) < LEEWAY;
        good.then(|| subject.clone())
    }

    fn webhook_session(&self, _: &str, _: &[u8], _: Timestamp) -> Option<String> {
        None
    }

    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure> {
        self.call(Operation::SetRole, identity, |sessions| {
            if let Some(member) = sessions.get_mut(session).and_then(|members| members.get_mut(identity)) {
                member.role = Some(role);
                display_name.clone_into(&mut member.display_name);
            }
        })
        .await
    }

    async fn mute(&self, _: &str, identity: &str) -> Result<(), Failure> {
        self.call(Operation::Mute, identity, |_| ()).await
    }

    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure> {
        self.call(Operation::Remove, identity, |sessions| {
            if let Some(members) = sessions.get_mut(session) {
                members.remove(identity);
            }
        })
        .await
    }

    async fn close(&self, session: &str) -> Result<(), Failure> {
        self.call(Operation::Close, session, |sessions| {
            sessions.remove(session);
        })
        .await
    }

    // It has one server.
    async fn hold(&self, _session: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure> {
        self.call(Operation::ListSessions, prefix, |sessions| {
            let ours = sessions.iter().filter(|(id, _)| id.starts_with(prefix));
            ours.map(|(id, members)| SessionSummary { id: id.clone(), joined: u32::try_from(members.len()).unwrap_or(u32::MAX) }).collect()
        })
        .await
    }
}
