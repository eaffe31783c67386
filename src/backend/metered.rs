//! Any backend, with every call counted, timed and traced.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tracing::{Instrument, Span, debug_span, field};

use super::interface::{Backend, MediaCredentials, SessionSummary, Signalling, TokenSubject};
use crate::api::Role;
use crate::clock;
use crate::domain::{BackendKind, Failure, MediaConnections, Person, SessionMember, SessionSettings, TokenGrant};
use crate::observability::metrics::Metrics;

pub struct Metered {
    inner: Arc<dyn Backend>,
    kind: &'static str,
    metrics: Metrics,
}

impl Metered {
    /// Counts what goes to `inner` as calls to a backend of this kind, one of a closed list.
    pub fn new(inner: Arc<dyn Backend>, kind: &'static str, metrics: Metrics) -> Self {
        Self { inner, kind, metrics }
    }

    async fn call<T>(&self, op: &'static str, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        // A call outside of any trace, such as the sweep of a class every few seconds, is not worth a trace of its own.
        let span = if Span::current().is_none() {
            Span::none()
        } else {
            debug_span!("backend", otel.name = op, otel.kind = "client", backend = self.kind, op, code = field::Empty)
        };
        let began = clock::uptime();
        let outcome = call.instrument(span.clone()).await;
        let code = outcome.as_ref().err().map_or_else(|| "OK".to_owned(), |failure| failure.reason.to_string());
        span.record("code", &code);
        self.metrics.backend_called(self.kind, op, code, clock::uptime().saturating_sub(began));
        outcome
    }
}

#[async_trait]
impl Backend for Metered {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }

    async fn probe(&self) -> Result<(), Failure> {
        self.call("probe", self.inner.probe()).await
    }

    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure> {
        self.call("observe", self.inner.observe(session)).await
    }

    async fn media_connections(&self, session: &str, now: Timestamp) -> Result<MediaConnections, Failure> {
        self.call("media_connections", self.inner.media_connections(session, now)).await
    }

    async fn ensure(&self, session: &str, settings: SessionSettings) -> Result<(), Failure> {
        self.call("ensure", self.inner.ensure(session, settings)).await
    }

    async fn admit(&self, session: &str, settings: SessionSettings, people: &[Person], signed_by: &str) -> Result<(), Failure> {
        self.call("admit", self.inner.admit(session, settings, people, signed_by)).await
    }

    async fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure> {
        let minted = self.inner.mint_token(session, grant);
        // Where the media server keeps no roster, it is not asked.
        if self.kind().keeps_roster() { self.call("mint_token", minted).await } else { minted.await }
    }

    fn signalling(&self) -> Signalling {
        self.inner.signalling()
    }

    fn token_subject(&self, token: &str, now: Timestamp) -> Option<TokenSubject> {
        self.inner.token_subject(token, now)
    }

    fn webhook_session(&self, authorization: &str, body: &[u8], now: Timestamp) -> Option<String> {
        self.inner.webhook_session(authorization, body, now)
    }

    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure> {
        self.call("set_role", self.inner.set_role(session, identity, role, display_name)).await
    }

    async fn mute(&self, session: &str, identity: &str) -> Result<(), Failure> {
        self.call("mute", self.inner.mute(session, identity)).await
    }

    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure> {
        self.call("remove", self.inner.remove(session, identity)).await
    }

    async fn close(&self, session: &str) -> Result<(), Failure> {
        self.call("close", self.inner.close(session)).await
    }

    async fn hold(&self, session: &str) -> Result<(), Failure> {
        self.call("ensure", self.inner.hold(session)).await
    }

    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure> {
        // The value of the metric's label since its first release.
        self.call("sweep", self.inner.list_sessions(prefix)).await
    }
}
