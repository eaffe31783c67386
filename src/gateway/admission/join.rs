//! The way in: from an invite to a view of the call or a media token, and from a media token to a connection.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::authorize::{Authorization, authorize_invite, authorize_token};
use super::call_snapshot::{ObservedCall, observe_call};
use super::denied::Denied;
use super::display_name::{display_name, no_display_name};
use super::live_rooms::LiveRooms;
use super::random_name::random_name;
use super::reservations::Reservations;
use crate::api::Role;
use crate::backend::{MediaCredentials, Registry, TokenSubject};
use crate::domain::{Availability, Invite, Person, Refusal, ValidRoom};
use crate::gateway::wall_clock::WallClock;

/// How long somebody waits for the session of a call that has just opened.
const SESSION_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the holder of an invite is told about the call.
pub struct RoomView {
    pub person: Person,
    pub room: ValidRoom,
    /// Whether they can join.
    pub availability: Availability,
    pub now: Timestamp,
}

/// What somebody joins with.
pub struct JoinResponse {
    pub credentials: MediaCredentials,
    pub identity: String,
    /// When the media token ends.
    pub expires_at: Timestamp,
}

/// Lets people in, never more than a Room allows.
pub struct AdmissionService {
    rooms: LiveRooms,
    backends: Arc<Registry>,
    clock: WallClock,
    reservations: Reservations,
}

impl AdmissionService {
    /// A service in which nobody has a reservation yet.
    pub fn new(rooms: LiveRooms, backends: Arc<Registry>, clock: WallClock) -> Self {
        Self { rooms, backends, clock, reservations: Reservations::default() }
    }

    /// What the holder of the invite is told about the call.
    pub async fn view(&self, invite: &Invite) -> Result<RoomView, Denied> {
        let mut authorization = self.await_session(invite).await?;
        let mut outcome = authorization.check().map_err(Denied::from);
        if outcome.is_ok() {
            let ObservedCall { snapshot, .. } = self.observe(&authorization).await?;
            authorization = self.authorize(invite)?;
            let others = self.reservations.others(&authorization.person.name, &snapshot);
            outcome = authorization.grant_in(&snapshot, others).map(drop);
        }
        let availability = match outcome {
            Ok(()) => Availability::Open,
            Err(Denied::Refused(Refusal::Full)) => Availability::Full,
            Err(Denied::Refused(Refusal::TooEarly { .. })) => Availability::Early,
            Err(Denied::Refused(Refusal::Over)) => Availability::Over,
            Err(Denied::Refused(Refusal::Suspended)) => Availability::Suspended,
            Err(denied) => return Err(denied),
        };
        let Authorization { person, room, now, .. } = authorization;
        Ok(RoomView { person, room, availability, now })
    }

    /// Lets the holder of the invite in. Whoever comes by the shared link brings a display name, and nobody else does.
    pub async fn join(&self, invite: &Invite, display_name: Option<&str>) -> Result<JoinResponse, Denied> {
        let authorization = self.await_session(invite).await?;
        let newcomer = newcomer(&authorization.person, display_name)?;
        authorization.check()?;
        let ObservedCall { backend, snapshot } = self.observe(&authorization).await?;
        if !snapshot.exists {
            backend.ensure(&snapshot.session).await?;
        }
        // The Room may have changed or ended while the media server was asked, so that it is judged once more.
        let mut authorization = self.authorize(invite)?;
        if let Some(Newcomer { nonce, display_name }) = newcomer {
            authorization.person = authorization.person.by_link(&nonce, &display_name);
        }
        self.reservations.reserve(&authorization.person.name, &snapshot, authorization.now, |others| {
            let grant = authorization.grant_in(&snapshot, others)?;
            let credentials = backend.mint_token(&snapshot.session, &grant)?;
            Ok((grant.expires_at, JoinResponse { credentials, identity: grant.identity, expires_at: grant.expires_at }))
        })
    }

    /// Reserves a place for somebody who connects by a media token, and mints the one that the media server gets in its stead: what
    /// the client holds says who they are, and the Room what they may do now. People who are in the call have a place; those who come
    /// back to it may find theirs taken.
    pub async fn reconnect(&self, subject: &TokenSubject) -> Result<(MediaCredentials, Role), Denied> {
        let authorization = authorize_token(&self.rooms, subject, self.clock.now())?;
        authorization.check()?;
        let ObservedCall { backend, snapshot } = self.observe(&authorization).await?;
        let authorization = authorize_token(&self.rooms, subject, self.clock.now())?;
        let is_member = snapshot.has(&subject.identity);
        self.reservations.reserve(&authorization.person.name, &snapshot, authorization.now, |others| {
            let grant = authorization.grant_in(&snapshot, if is_member { 0 } else { others })?;
            Ok((grant.expires_at, (backend.mint_token(&subject.session, &grant)?, grant.role)))
        })
    }

    /// Judges the invite. While the call is open and has no session, waits a little for the one that the controller is
    /// making: at the moment when a Room opens, many people come.
    async fn await_session(&self, invite: &Invite) -> Result<Authorization, Denied> {
        let waited = timeout(SESSION_PATIENCE, async {
            loop {
                let authorization = self.authorize(invite)?;
                if !authorization.sessions.is_empty() || authorization.check().is_err() {
                    return Ok(authorization);
                }
                sleep(LOOK_EVERY).await;
            }
        });
        waited.await.unwrap_or_else(|_| self.authorize(invite))
    }

    fn authorize(&self, invite: &Invite) -> Result<Authorization, Denied> {
        authorize_invite(&self.rooms, invite, self.clock.now())
    }

    async fn observe(&self, authorization: &Authorization) -> Result<ObservedCall, Denied> {
        observe_call(&self.backends, &authorization.room.class, &authorization.sessions, &self.clock).await
    }
}

/// What somebody gets who comes by the shared link.
struct Newcomer {
    /// Makes an identity that nobody else has.
    nonce: String,
    /// The name of their own choice.
    display_name: String,
}

/// The newcomer, if this person is the shared link.
fn newcomer(person: &Person, chosen: Option<&str>) -> Result<Option<Newcomer>, Denied> {
    if !person.is_link() {
        no_display_name(chosen)?;
        return Ok(None);
    }
    let display_name = display_name(chosen)?;
    Ok(Some(Newcomer { nonce: random_name()?, display_name }))
}
