//! A media server in memory, for tests: it keeps the same promises as the real ones, as the contract suite shows.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Backend, Capabilities, MediaCredentials, SessionSummary, Signalling, TokenSubject};
use crate::api::{Reason, Role};
use crate::domain::{Failure, SessionMember, TokenGrant};

/// Sessions, and the people in them, for as long as this lives.
#[derive(Default)]
pub struct FakeMediaServer {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<String, Session>,
    failure: Option<Failure>,
    calls: u64,
    tokens: BTreeMap<String, Issued>,
}

/// A media token that was minted.
struct Issued {
    holder: TokenSubject,
    not_before: Timestamp,
    ends: Timestamp,
}

/// How much earlier and later than it says a token is good, as on real servers.
const LEEWAY: SignedDuration = SignedDuration::from_mins(1);

/// The people of a session by identity.
type Session = BTreeMap<String, SessionMember>;

impl FakeMediaServer {
    /// A person comes in by a grant. As on a real server, the same identity takes the place of its earlier self.
    pub fn join(&self, session: &str, grant: &TokenGrant) -> Result<(), Failure> {
        let mut state = self.lock();
        let members = state.sessions.get_mut(session);
        let members = members.ok_or_else(|| Failure::rejected(Reason::Rejected, "there is no such session"))?;
        let member = SessionMember {
            identity: grant.identity.clone(),
            display_name: grant.display_name.clone(),
            role: Some(grant.role),
            generation: Some(grant.generation),
        };
        members.insert(grant.identity.clone(), member);
        Ok(())
    }

    /// A person leaves.
    pub fn leave(&self, session: &str, identity: &str) {
        if let Some(members) = self.lock().sessions.get_mut(session) {
            members.remove(identity);
        }
    }

    /// The server restarts, and has forgotten everything.
    pub fn forget(&self) {
        self.lock().sessions.clear();
    }

    /// From now on every call fails with `failure`; with `None`, no longer.
    pub fn fail_with(&self, failure: Option<Failure>) {
        self.lock().failure = failure;
    }

    /// Number of calls so far, failed ones too.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and lets it do its work unless calls are to fail.
    fn call<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Session>) -> T) -> Result<T, Failure> {
        let mut state = self.lock();
        state.calls += 1;
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(work(&mut state.sessions)),
        }
    }
}

#[async_trait]
impl Backend for FakeMediaServer {
    fn capabilities(&self) -> Capabilities {
        Capabilities { live_roles: true, live_removal: true, typed_sources: true }
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.call(|_| ())
    }

    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure> {
        self.call(|sessions| sessions.get(session).map(|members| members.values().cloned().collect()))
    }

    async fn ensure(&self, session: &str) -> Result<(), Failure> {
        self.call(|sessions| {
            sessions.entry(session.to_owned()).or_default();
        })
    }

    fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure> {
        self.call(|_| ())?;
        let TokenGrant { identity, generation, not_before, expires_at, .. } = grant;
        let token = format!("{session}/{identity}/{generation}/{expires_at}");
        let holder = TokenSubject { session: session.to_owned(), identity: identity.clone(), generation: Some(*generation) };
        self.lock().tokens.insert(token.clone(), Issued { holder, not_before: *not_before, ends: *expires_at });
        Ok(MediaCredentials { url: Some("memory://localhost".to_owned()), token })
    }

    fn signalling(&self) -> Signalling {
        Signalling::Direct
    }

    fn token_subject(&self, token: &str, now: Timestamp) -> Option<TokenSubject> {
        let state = self.lock();
        let Issued { holder, not_before, ends } = state.tokens.get(token)?;
        let good = not_before.duration_since(now) <= LEEWAY && now.duration_since(*ends) < LEEWAY;
        good.then(|| holder.clone())
    }

    fn webhook_session(&self, _: &str, _: &[u8], _: Timestamp) -> Option<String> {
        None
    }

    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure> {
        self.call(|sessions| {
            if let Some(member) = sessions.get_mut(session).and_then(|members| members.get_mut(identity)) {
                member.role = Some(role);
                display_name.clone_into(&mut member.display_name);
            }
        })
    }

    async fn mute(&self, _: &str, _: &str) -> Result<(), Failure> {
        self.call(|_| ())
    }

    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure> {
        self.call(|sessions| {
            if let Some(members) = sessions.get_mut(session) {
                members.remove(identity);
            }
        })
    }

    async fn close(&self, session: &str) -> Result<(), Failure> {
        self.call(|sessions| {
            sessions.remove(session);
        })
    }

    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure> {
        self.call(|sessions| {
            let ours = sessions.iter().filter(|(id, _)| id.starts_with(prefix));
            ours.map(|(id, members)| SessionSummary { id: id.clone(), joined: u32::try_from(members.len()).unwrap_or(u32::MAX) }).collect()
        })
    }
}
