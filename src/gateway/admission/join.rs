//! What the gateway knows, and how it judges a use of an invite by it.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::WriterDropped;
use tokio::sync::watch;

use crate::api::{Room, RoomClass, RoomGuest};
use crate::backend::{Backend, MediaCredentials, Registry, TokenSubject};
use crate::domain::{Availability, Failure, Installation, Invite, KeyRing, Person, Refusal, ValidRoom};
use crate::gateway::admission::authorize::Authorization;
use crate::gateway::admission::kube_writer::KubeWriter;
use crate::gateway::admission::reservations::{CallSnapshot, Reservations};
use crate::gateway::http::json;
use crate::gateway::http::problem::Problem;

/// What the API server has.
pub struct Stores {
    /// The live Rooms.
    pub rooms: Store<Room>,
    /// Their guests.
    pub guests: Store<RoomGuest>,
    /// Their classes.
    pub classes: Store<RoomClass>,
}

/// The live Rooms, their classes and media servers, and the keys that sign invites.
pub struct AdmissionService {
    pub(super) rooms: Store<Room>,
    pub(super) guests: Store<RoomGuest>,
    pub(super) classes: Store<RoomClass>,
    pub(super) installation: Installation,
    keys: watch::Receiver<Option<Arc<KeyRing>>>,
    backends: Arc<Registry>,
    pub(super) clerk: Arc<dyn KubeWriter>,
    pub(super) clock: fn() -> Timestamp,
    places: Reservations,
}

/// Why somebody does not get what they ask for.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// By the rules of the door.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be done at this moment. The cause is for logs, not for visitors.
    #[error("{0}")]
    Unavailable(String),
    /// What was asked for is not well formed.
    #[error("the request is not well formed")]
    Malformed(Problem),
    /// Who was meant is not in the call.
    #[error("nobody of that identity is in the call")]
    Absent,
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        unavailable(failure.to_string())
    }
}

/// What somebody who stands before the door is told about the call.
pub struct View {
    /// Who they are.
    pub person: Person,
    /// The Room.
    pub room: ValidRoom,
    /// Whether they could join.
    pub state: Availability,
    /// The moment of this view.
    pub now: Timestamp,
}

/// What somebody joins with.
pub struct JoinResponse {
    /// Address and media token.
    pub credentials: MediaCredentials,
    /// Identity in the call.
    pub identity: String,
    /// When the media token ends.
    pub expires_at: Timestamp,
}

impl AdmissionService {
    /// The lobby, once the stores hold what the API server has: before that, good invites would look like unknown ones.
    pub async fn open(
        stores: Stores,
        installation: Installation,
        keys: watch::Receiver<Option<Arc<KeyRing>>>,
        backends: Arc<Registry>,
        clerk: Arc<dyn KubeWriter>,
        clock: fn() -> Timestamp,
    ) -> Result<Self, WriterDropped> {
        let Stores { rooms, guests, classes } = stores;
        rooms.wait_until_ready().await?;
        guests.wait_until_ready().await?;
        classes.wait_until_ready().await?;
        Ok(Self { rooms, guests, classes, installation, keys, backends, clerk, clock, places: Reservations::default() })
    }

    /// The keys that sign invites, once there are some.
    pub fn keys(&self) -> watch::Receiver<Option<Arc<KeyRing>>> {
        self.keys.clone()
    }

    /// The classes, which name the media servers that the page connects to.
    pub fn classes(&self) -> Vec<Arc<RoomClass>> {
        self.classes.state()
    }

    /// The invite that a request carries, if one of the keys signed it.
    pub fn invite(&self, headers: &HeaderMap) -> Result<Invite, Denied> {
        let bearer = bearer(headers).ok_or(Refusal::InvalidInvite)?;
        let keys = self.keys.borrow().clone().ok_or_else(|| unavailable("the keys that sign invites are not known yet"))?;
        keys.verify(bearer).map_err(|_| Refusal::InvalidInvite.into())
    }

    /// An invite as token.
    pub fn sign(&self, invite: &Invite) -> Result<String, Denied> {
        let keys = self.keys.borrow().clone().ok_or_else(|| unavailable("the keys that sign invites are not known yet"))?;
        keys.sign(invite).map_err(|error| unavailable(error.to_string()))
    }

    /// What the holder of the invite is told about the call.
    pub async fn view(&self, invite: &Invite) -> Result<View, Denied> {
        let mut standing = self.settled(invite).await?;
        let mut grant = standing.grant(0).map_err(Denied::from);
        if grant.is_ok() {
            let (_, sight, _) = self.look(&standing).await?;
            standing = self.stand(invite)?;
            grant = standing.grant_by(&sight, self.places.others(&standing.person.name, &sight));
        }
        let state = match grant {
            Ok(_) => Availability::Open,
            Err(Denied::Refused(Refusal::TooEarly { .. })) => Availability::Early,
            Err(Denied::Refused(Refusal::Over)) => Availability::Over,
            Err(Denied::Refused(Refusal::Suspended)) => Availability::Suspended,
            Err(Denied::Refused(Refusal::Full)) => Availability::Full,
            Err(denial) => return Err(denial),
        };
        let Authorization { person, room, now, .. } = standing;
        Ok(View { person, room, state, now })
    }

    /// Lets the holder of the invite in.
    pub async fn join(&self, invite: &Invite, display_name: Option<&str>) -> Result<JoinResponse, Denied> {
        let mut standing = self.settled(invite).await?;
        let newcomer = newcomer(&standing.person, display_name)?;
        standing.grant(0)?;
        let (backend, sight, exists) = self.look(&standing).await?;
        if !exists {
            backend.ensure(&sight.session).await?;
        }
        // After the wait for the media server the Room may have changed or ended: judged anew, with a fresh time.
        standing = self.stand(invite)?;
        if let Some((nonce, name)) = newcomer {
            standing.person = standing.person.by_link(&nonce, &name);
        }
        self.places.take(&standing.person.name, &sight, standing.now, |others| {
            let grant = standing.grant_by(&sight, others)?;
            let credentials = backend.mint_token(&sight.session, &grant)?;
            Ok((grant.expires_at, JoinResponse { credentials, expires_at: grant.expires_at, identity: grant.identity }))
        })
    }

    /// Takes a place for somebody who connects by a media token. Who is in the call has one; whoever comes back to it may find
    /// theirs taken.
    pub async fn take_place(&self, holder: &TokenSubject) -> Result<(), Denied> {
        let standing = self.stand_by(holder)?;
        standing.grant(0)?;
        let (_, sight, _) = self.look(&standing).await?;
        let standing = self.stand_by(holder)?;
        let seated = sight.members.iter().any(|member| member.identity == holder.identity);
        self.places.take(&standing.person.name, &sight, standing.now, |others| {
            let grant = standing.grant_by(&sight, if seated { 0 } else { others })?;
            Ok((grant.expires_at, ()))
        })
    }

    /// Looks into the session, and says whether it exists. One that does not is not made yet, or the media server has lost
    /// it: then it may be made under the name that is given.
    pub async fn look(&self, standing: &Authorization) -> Result<(Arc<dyn Backend>, CallSnapshot, bool), Denied> {
        let backend = self.backends.get(&standing.room.class)?;
        let asked_at = (self.clock)();
        let mut absent = None;
        for session in &standing.sessions {
            match backend.observe(session).await? {
                Some(members) => return Ok((backend, CallSnapshot { session: session.clone(), members, asked_at }, true)),
                None => absent = Some(session),
            }
        }
        let session = absent.cloned().ok_or_else(|| unavailable("the session is not there yet"))?;
        Ok((backend, CallSnapshot { session, members: Vec::new(), asked_at }, false))
    }
}

/// The identity and name that somebody gets who comes by the shared link: one that nobody else has, and one of their own
/// choice. Nobody else chooses.
fn newcomer(person: &Person, display_name: Option<&str>) -> Result<Option<(String, String)>, Denied> {
    if !person.is_link() {
        let refused =
            || Problem::bad_request("displayName: is for shared links; the name of a personal invite is the Room's to give.".into());
        return display_name.map_or(Ok(None), |_| Err(Denied::Malformed(refused())));
    }
    let name = json::display_name(display_name).map_err(Denied::Malformed)?;
    let nonce = nonce().ok_or_else(|| unavailable("the system gives no random numbers"))?;
    Ok(Some((nonce, name)))
}

/// A random name of letters and digits that nobody can guess.
pub fn nonce() -> Option<String> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}

/// A denial for now; the cause is for logs.
pub fn unavailable(cause: impl Into<String>) -> Denied {
    Denied::Unavailable(cause.into())
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}
