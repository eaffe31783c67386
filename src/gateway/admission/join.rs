//! The way in: from an invite to a view of the call or a media token, and from a media token to a connection.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::authorize::{Authorization, authorize_invite, authorize_token};
use super::call_snapshot::{CallObserver, ObservedCall};
use super::denied::Denied;
use super::display_name::{display_name, no_display_name};
use super::invite_keys::InviteKeys;
use super::live_rooms::LiveRooms;
use super::random_name::random_name;
use super::reservations::{Claim, Reservations, Visit};
use crate::api::Role;
use crate::backend::{Backend, MediaCredentials, Signalling, TokenSubject};
use crate::domain::{
    Availability, BackendKind, Invite, Media, Person, Refusal, SessionSettings, ValidRoom, bounded_display_name, visitor_identity,
};
use crate::gateway::wall_clock::WallClock;

/// How long somebody waits for the session of a call that has just opened.
const SESSION_PATIENCE: Duration = Duration::from_secs(3);
/// Of how many places of a call one may wait for a visitor who has not connected yet.
const WAITING_SHARE: usize = 10;
/// The same where clients connect to the media server themselves, so that a place cannot be taken back.
const UNJUDGED_SHARE: usize = 4;
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
    /// What kind of client it takes.
    pub backend: BackendKind,
    pub identity: String,
    /// Of somebody who came by a shared link, the invite by which they come back as the same person: a secret.
    pub invite: Option<String>,
    pub media: Media,
}

/// Lets people in, never more than a Room allows.
pub struct AdmissionService {
    rooms: LiveRooms,
    calls: CallObserver,
    keys: InviteKeys,
    clock: WallClock,
    reservations: Arc<Reservations>,
}

/// The place of somebody who is connected through the gateway, as long as this lives.
pub struct Seat {
    reservations: Arc<Reservations>,
    session: String,
    identity: String,
    clock: WallClock,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.reservations.disconnected(&self.session, &self.identity, self.clock.now());
    }
}

impl AdmissionService {
    /// A service in which nobody has a reservation yet.
    pub fn new(rooms: LiveRooms, calls: CallObserver, keys: InviteKeys, clock: WallClock) -> Self {
        Self { rooms, calls, keys, clock, reservations: Arc::default() }
    }

    /// What the holder of the invite is told about the call.
    pub async fn view(&self, invite: &Invite) -> Result<RoomView, Denied> {
        let mut authorization = self.await_session(invite).await?;
        let mut outcome = authorization.check().map_err(Denied::from);
        if outcome.is_ok() {
            let ObservedCall { backend, snapshot } = self.observe(&authorization).await?;
            authorization = self.authorize(invite)?;
            let others = self.reservations.others(&claim(&authorization, backend.as_ref()), &snapshot);
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

    /// Lets the holder of the invite in. Whoever comes by the shared link brings a display name, and nobody else does. They get an
    /// invite of their own, and are the same person when they come again by that.
    pub async fn join(&self, invite: &Invite, display_name: Option<&str>) -> Result<JoinResponse, Denied> {
        let authorization = self.await_session(invite).await?;
        let visitor = visitor(&authorization.person, display_name)?;
        authorization.check()?;
        let ObservedCall { backend, snapshot } = self.observe(&authorization).await?;
        if !snapshot.exists {
            make(backend.as_ref(), &snapshot.session, authorization.room.session_settings()).await?;
        }
        // The Room may have changed or ended while the media server was asked, so that it is judged once more.
        let mut authorization = self.authorize(invite)?;
        let own_invite = match visitor {
            Some(Visitor { identity, display_name }) => {
                authorization.person.name.clone_from(&identity);
                authorization.person.display_name = display_name;
                Some(self.keys.sign(&Invite { participant: identity, ..invite.clone() })?)
            }
            None => None,
        };
        let claim = claim(&authorization, backend.as_ref());
        // Nobody has a place without a token; and nobody gets the token if the place is taken by now.
        let grant = authorization.grant_in(&snapshot, self.reservations.others(&claim, &snapshot))?;
        let credentials = backend.mint_token(&snapshot.session, &grant).await?;
        self.reservations.reserve(&claim, &snapshot, authorization.now, |others| {
            authorization.grant_in(&snapshot, others)?;
            Ok((grant.expires_at, ()))
        })?;
        let (backend, media) = (authorization.room.backend, authorization.room.media);
        Ok(JoinResponse { credentials, backend, identity: grant.identity, invite: own_invite, media })
    }

    /// Reserves a place for somebody who connects by a media token, and mints the one that the media server gets in its stead: what
    /// the client holds says who they are, and the Room what they may do now. People who are in the call have a place; those who come
    /// back to it may find theirs taken.
    pub async fn reconnect(&self, subject: &TokenSubject) -> Result<(MediaCredentials, Role, Seat), Denied> {
        let authorization = authorize_token(&self.rooms, subject, self.clock.now())?;
        authorization.check()?;
        let ObservedCall { backend, snapshot } = self.observe(&authorization).await?;
        let authorization = authorize_token(&self.rooms, subject, self.clock.now())?;
        let is_member = snapshot.has(&subject.identity);
        let grant_among = |others| authorization.grant_in(&snapshot, if is_member { 0 } else { others });
        let claim = claim(&authorization, backend.as_ref());
        let grant = grant_among(self.reservations.others(&claim, &snapshot))?;
        let credentials = backend.mint_token(&subject.session, &grant).await?;
        self.reservations.connect(&claim, &snapshot, |others| Ok((grant_among(others)?.expires_at, ())))?;
        let (session, identity) = (snapshot.session.clone(), subject.identity.clone());
        let seat = Seat { reservations: self.reservations.clone(), session, identity, clock: self.clock.clone() };
        Ok((credentials, grant.role, seat))
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
        self.calls.observe(&authorization.room.class, &authorization.sessions).await
    }
}

/// Makes a session that is not made yet, or that the media server has lost. Where everybody has to be on a roster first, that is for the
/// controller.
async fn make(backend: &dyn Backend, session: &str, settings: SessionSettings) -> Result<(), Denied> {
    if backend.kind().keeps_roster() {
        return Err(Denied::unavailable("the session is not there yet"));
    }
    Ok(backend.ensure(session, settings).await?)
}

/// What somebody is who comes by the shared link.
struct Visitor {
    identity: String,
    /// The name of their own choice.
    display_name: String,
}

/// The visitor, if this person is one or will be: somebody new, or the same as before.
fn visitor(person: &Person, chosen: Option<&str>) -> Result<Option<Visitor>, Denied> {
    if !person.is_link() && !person.is_visitor() {
        no_display_name(chosen)?;
        return Ok(None);
    }
    let display_name = bounded_display_name(&display_name(chosen)?);
    let identity = if person.is_link() { visitor_identity(&random_name()?) } else { person.name.clone() };
    Ok(Some(Visitor { identity, display_name }))
}

/// What a person asks the reservations for.
fn claim<'a>(authorization: &'a Authorization, backend: &dyn Backend) -> Claim<'a> {
    let Authorization { person, room, .. } = authorization;
    let is_judged_again = matches!(backend.signalling(), Signalling::Proxied { .. });
    let share = if is_judged_again { WAITING_SHARE } else { UNJUDGED_SHARE };
    let most_waiting = room.max_participants.div_ceil(share);
    let visit = || Visit { is_judged_again, most_waiting, hosts: room.roster.hosts().collect() };
    Claim { identity: &person.name, visit: (person.is_link() || person.is_visitor()).then(visit) }
}
