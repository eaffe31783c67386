//! Media servers behind one trait, in the words of the domain.
//!
//! Every operation is idempotent, and a session that is absent counts as closed. Errors are classified where they arise,
//! as [`Failure`]s. Backends know neither Kubernetes nor each other.

mod fake;
mod livekit;
mod metered;
mod registry;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

pub use fake::FakeMediaServer;
pub use livekit::LiveKit;
pub use metered::Metered;
pub use registry::Registry;

use crate::api::Role;
use crate::domain::{Failure, SessionMember, TokenGrant};

/// What a backend can do, as plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A changed role reaches joined people.
    pub live_roles: bool,
    /// People can be put out of a call.
    pub live_removal: bool,
    /// Camera and screen are told apart, so that a role may have one and not the other.
    pub typed_sources: bool,
}

/// A session seen in a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Name of the session.
    pub id: String,
    /// People in it.
    pub joined: u32,
}

/// How clients reach the signalling of a media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signalling {
    /// At the media server's public address.
    Direct,
    /// Through the gateway, which passes it on.
    Proxied {
        /// The media server's address as the gateway reaches it: scheme and host, nothing after it.
        upstream: String,
    },
}

/// Who holds a media token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSubject {
    /// The session that the token is for.
    pub session: String,
    /// Identity in the call.
    pub identity: String,
    /// Generation of the invite that it goes back to; `None` when it cannot be told.
    pub generation: Option<i64>,
}

/// What a joining client needs.
pub struct MediaCredentials {
    /// Address of the media server's signalling for clients; `None` when they reach it through the gateway.
    pub url: Option<String>,
    /// Media token: a secret.
    pub token: String,
}

impl fmt::Debug for MediaCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaCredentials").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A media server that holds sessions.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Whether it can be reached, takes the credentials and is set up safely.
    async fn probe(&self) -> Result<(), Failure>;

    /// The people in a session, without the media server's own services; `None` when there is no such session.
    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure>;

    /// Makes the session if it is absent.
    async fn ensure(&self, session: &str) -> Result<(), Failure>;

    /// Mints the media token of a person for a session.
    fn admit(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure>;

    /// How clients reach the signalling.
    fn signalling(&self) -> Signalling;

    /// Who holds this media token, if it lets somebody into a session at `now` and nothing more. It may be one that the
    /// media server itself made for somebody in the call. Says nothing about whether that person is still allowed there.
    fn holder(&self, token: &str, now: Timestamp) -> Option<TokenSubject>;

    /// The session that something happened in, if `authorization` shows that the media server itself sent this `body`. A hint
    /// to look there, and nothing more: hints get lost, come late, and come again.
    fn hint(&self, authorization: &str, body: &[u8], now: Timestamp) -> Option<String>;

    /// Gives a joined person a role and a display name, without reconnecting. Fine when the person is not there.
    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure>;

    /// Mutes the microphone of a person, who can unmute it again. Fine when the person is not there, or not heard.
    async fn mute(&self, session: &str, identity: &str) -> Result<(), Failure>;

    /// Puts a person out. Fine when the person, or the session, is not there.
    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure>;

    /// Ends a session and puts everybody out. Fine when it is absent.
    async fn close(&self, session: &str) -> Result<(), Failure>;

    /// All sessions whose name begins with `prefix`.
    async fn sweep(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure>;
}
