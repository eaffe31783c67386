//! What a media server is asked for, and what it answers.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::api::Role;
use crate::domain::{BackendKind, Failure, MediaConnections, Person, SessionMember, SessionSettings, TokenGrant};

/// A session as the media server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    pub id: String,
    /// Number of people in it; 0 where the media server does not say.
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

/// Whom a media token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSubject {
    pub session: String,
    pub identity: String,
    pub display_name: String,
    /// Generation of the invite that the token goes back to; `None` when the token does not say.
    pub generation: Option<i64>,
    /// Fingerprint of the key that signed that invite; `None` when the token does not say.
    pub signed_by: Option<String>,
}

impl TokenSubject {
    /// The holder as a member of the session, whose role a token does not decide.
    #[must_use]
    pub fn member(&self) -> SessionMember {
        let Self { session: _, identity, display_name, generation, signed_by } = self.clone();
        SessionMember { identity, display_name, role: None, generation, signed_by }
    }
}

/// What a joining client needs.
pub struct MediaCredentials {
    /// Address of the media server's signalling for clients; `None` when they reach it through the gateway.
    pub url: Option<String>,
    /// A secret.
    pub token: String,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// By which ids clients join, where session and person have some of the media server's own; otherwise the token says both.
    pub ids: Option<ServiceIds>,
}

impl MediaCredentials {
    /// Of a media server whose tokens say session and person.
    #[must_use]
    pub fn by_token(url: Option<String>, token: String, expires_at: Timestamp) -> Self {
        Self { url, token, expires_at, ids: None }
    }
}

/// What a media server that gives out its own ids calls a session and a person. No secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceIds {
    pub room: String,
    pub user: String,
}

impl fmt::Debug for MediaCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, token: _, expires_at, ids } = self;
        f.debug_struct("MediaCredentials").field("url", url).field("expires_at", expires_at).field("ids", ids).finish_non_exhaustive()
    }
}

/// A media server that holds sessions.
///
/// Every operation is idempotent: a person or a session that is not there counts as removed, muted, changed or closed.
#[async_trait]
pub trait Backend: Send + Sync {
    /// What kind of media server it is, from which follows what it can do.
    fn kind(&self) -> BackendKind;

    /// Whether it can be reached, takes the credentials and is set up safely.
    async fn probe(&self) -> Result<(), Failure>;

    /// The people in a session, without the media server's own services; `None` when there is no such session. Where the media server keeps a
    /// roster of its own these are the people on it, whether they have come or not.
    async fn observe(&self, session: &str) -> Result<Option<Vec<SessionMember>>, Failure>;

    /// How the media of the people in a session do, at `now`; of a session that is not there as of an empty one.
    async fn media_connections(&self, session: &str, now: Timestamp) -> Result<MediaConnections, Failure>;

    /// Creates the session if it is absent. A media server that knows no windows keeps it until it is closed.
    async fn ensure(&self, session: &str, settings: SessionSettings) -> Result<(), Failure>;

    /// Puts people on the roster of a session that is there, and has it be as these settings say. Where the media server keeps no roster, a token
    /// is all that people need, and nothing is done. `signed_by` is the fingerprint of the key that signs their invites.
    async fn admit(&self, session: &str, settings: SessionSettings, people: &[Person], signed_by: &str) -> Result<(), Failure>;

    /// Mints the media token by which a person joins a session. It may live longer than the grant where the media server gives out none that
    /// are shorter; then closing the session and removing the person make it useless.
    async fn mint_token(&self, session: &str, grant: &TokenGrant) -> Result<MediaCredentials, Failure>;

    /// How clients reach the signalling.
    fn signalling(&self) -> Signalling;

    /// Whom this media token is for, if at `now` it lets somebody join a session and do nothing else. The media server renews
    /// tokens of people in a call by itself; those count too. Whether the person is still allowed in is for the caller to judge.
    fn token_subject(&self, token: &str, now: Timestamp) -> Option<TokenSubject>;

    /// The session that a webhook is about, if `authorization` proves that the media server sent this `body`. Webhooks get lost,
    /// come late and come twice, so one is only a reason to look at the session.
    fn webhook_session(&self, authorization: &str, body: &[u8], now: Timestamp) -> Option<String>;

    /// Gives a joined person a role and a display name, without reconnecting.
    async fn set_role(&self, session: &str, identity: &str, role: Role, display_name: &str) -> Result<(), Failure>;

    /// Mutes the microphone of a person, who can unmute it again.
    async fn mute(&self, session: &str, identity: &str) -> Result<(), Failure>;

    /// Disconnects a person, who can join again with a token that is still good.
    async fn remove(&self, session: &str, identity: &str) -> Result<(), Failure>;

    /// Ends a session and disconnects everybody in it.
    async fn close(&self, session: &str) -> Result<(), Failure>;

    /// Sees to it that a session which is there, and seems to be used, does not live on a server that is dead: in a cluster of servers nothing
    /// else may tell.
    async fn hold(&self, session: &str) -> Result<(), Failure>;

    /// All sessions whose name begins with `prefix`.
    async fn list_sessions(&self, prefix: &str) -> Result<Vec<SessionSummary>, Failure>;
}
