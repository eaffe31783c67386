//! What the gateway knows, and how it judges a use of an invite by it.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use jiff::Timestamp;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;

use super::places::{Places, Sight};
use crate::api::{ConditionType, Room, RoomClass};
use crate::backend::{Admission, Backend, Registry};
use crate::domain::{Invite, KeyRing, Refusal, Ticket, ValidRoom, Visitor, admit, choose_class, identify, recorded_session, validate};

/// The live Rooms, their classes and media servers, and the keys that sign invites.
pub struct Lobby {
    rooms: Store<Room>,
    classes: Store<RoomClass>,
    keys: watch::Receiver<Option<Arc<KeyRing>>>,
    backends: Arc<Registry>,
    clock: fn() -> Timestamp,
    places: Places,
}

/// Why somebody does not get what they ask for.
#[derive(Debug, thiserror::Error)]
pub enum Denial {
    /// By the rules of the door.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be done at this moment. The cause is for logs, not for visitors.
    #[error("{0}")]
    Unavailable(String),
}

/// What somebody who stands before the door is told about the call.
pub struct View {
    /// Who they are.
    pub visitor: Visitor,
    /// The Room.
    pub room: ValidRoom,
    /// Whether they could join.
    pub state: ViewState,
    /// The moment of this view.
    pub now: Timestamp,
}

/// Whether somebody could join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewState {
    /// Not yet.
    Early,
    /// Yes.
    Open,
    /// Only when somebody has left.
    Full,
    /// Not any more.
    Over,
    /// Not while the Room is suspended.
    Suspended,
}

/// What somebody joins with.
pub struct Joined {
    /// Address and media token.
    pub admission: Admission,
    /// When the media token ends.
    pub expires_at: Timestamp,
}

/// Somebody with a valid invite before the door, as things stand at `now`.
struct Standing {
    visitor: Visitor,
    room: ValidRoom,
    deleted: bool,
    session: Option<String>,
    now: Timestamp,
}

impl Standing {
    /// The ticket, with this many other people in the call or on their way.
    fn ticket(&self, others: usize) -> Result<Ticket, Refusal> {
        if self.deleted { Err(Refusal::Over) } else { admit(&self.room, &self.visitor, others, self.now) }
    }

    /// The ticket by what was seen in the session, if that still tells anything.
    fn ticket_by(&self, sight: &Sight, others: usize) -> Result<Ticket, Denial> {
        self.ticket(0)?;
        if self.session.as_ref() != Some(&sight.session) {
            return Err(unavailable("the session was replaced in the meantime"));
        }
        if sight.is_stale(self.now) {
            return Err(unavailable("the media server took too long to answer"));
        }
        Ok(self.ticket(others)?)
    }
}

impl Lobby {
    /// The lobby, once both stores hold what the API server has: before that, good invites would look like unknown ones.
    pub async fn open(
        rooms: Store<Room>,
        classes: Store<RoomClass>,
        keys: watch::Receiver<Option<Arc<KeyRing>>>,
        backends: Arc<Registry>,
        clock: fn() -> Timestamp,
    ) -> Result<Self, WriterDropped> {
        rooms.wait_until_ready().await?;
        classes.wait_until_ready().await?;
        Ok(Self { rooms, classes, keys, backends, clock, places: Places::default() })
    }

    /// The classes, which name the media servers that the page connects to.
    pub fn classes(&self) -> Vec<Arc<RoomClass>> {
        self.classes.state()
    }

    /// The invite that a request carries, if one of the keys signed it.
    pub fn invite(&self, headers: &HeaderMap) -> Result<Invite, Denial> {
        let bearer = bearer(headers).ok_or(Refusal::InvalidInvite)?;
        let keys = self.keys.borrow().clone().ok_or_else(|| unavailable("the keys that sign invites are not known yet"))?;
        keys.verify(bearer).map_err(|_| Refusal::InvalidInvite.into())
    }

    /// What the holder of the invite is told about the call.
    pub async fn view(&self, invite: &Invite) -> Result<View, Denial> {
        let mut standing = self.stand(invite)?;
        let mut ticket = standing.ticket(0).map_err(Denial::from);
        if ticket.is_ok() {
            let (_, sight) = self.look(&standing).await?;
            standing = self.stand(invite)?;
            ticket = standing.ticket_by(&sight, self.places.others(&standing.visitor.person.name, &sight));
        }
        let state = match ticket {
            Ok(_) => ViewState::Open,
            Err(Denial::Refused(Refusal::TooEarly { .. })) => ViewState::Early,
            Err(Denial::Refused(Refusal::Over)) => ViewState::Over,
            Err(Denial::Refused(Refusal::Suspended)) => ViewState::Suspended,
            Err(Denial::Refused(Refusal::Full)) => ViewState::Full,
            Err(denial) => return Err(denial),
        };
        let Standing { visitor, room, now, .. } = standing;
        Ok(View { visitor, room, state, now })
    }

    /// Lets the holder of the invite in.
    pub async fn join(&self, invite: &Invite) -> Result<Joined, Denial> {
        let standing = self.stand(invite)?;
        standing.ticket(0)?;
        let (backend, sight) = self.look(&standing).await?;
        // After the wait for the media server the Room may have changed or ended: judged anew, with a fresh time.
        let standing = self.stand(invite)?;
        self.places.take(&standing.visitor.person.name, &sight, standing.now, |others| {
            let ticket = standing.ticket_by(&sight, others)?;
            let admission = backend.admit(&sight.session, &ticket).map_err(|failure| unavailable(failure.to_string()))?;
            Ok((ticket.expires_at, Joined { admission, expires_at: ticket.expires_at }))
        })
    }

    /// Judges the invite by the Room as it is now. An invite that is not valid is refused before anything else is looked at.
    fn stand(&self, invite: &Invite) -> Result<Standing, Denial> {
        let now = (self.clock)();
        let room = self.rooms.get(&ObjectRef::new(&invite.room).within(&invite.namespace)).ok_or(Refusal::InvalidInvite)?;
        let visitor = identify(Some(&room), invite)?;
        let deleted = room.metadata.deletion_timestamp.is_some();
        let session = recorded_session(&room).map(str::to_owned);
        match self.accepted(&room) {
            Ok(room) => Ok(Standing { visitor, room, deleted, session, now }),
            // The end comes whatever the spec has become.
            Err(_) if deleted || has_ended(&room, now) => Err(Refusal::Over.into()),
            Err(denial) => Err(denial),
        }
    }

    /// The Room, while the controller and its class accept it.
    fn accepted(&self, room: &Room) -> Result<ValidRoom, Denial> {
        if room.status.as_ref().and_then(|status| status.condition(ConditionType::Accepted, false)).is_some() {
            return Err(unavailable("the Room is not accepted"));
        }
        let classes = self.classes.state();
        let class = choose_class(room, classes.iter().map(AsRef::as_ref));
        class.and_then(|class| validate(room, class)).map_err(|rejection| unavailable(rejection.to_string()))
    }

    /// Looks into the session.
    async fn look(&self, standing: &Standing) -> Result<(Arc<dyn Backend>, Sight), Denial> {
        let session = standing.session.clone().ok_or_else(|| unavailable("the session is not there yet"))?;
        let backend = self.backends.get(&standing.room.class).map_err(|failure| unavailable(failure.to_string()))?;
        let asked_at = (self.clock)();
        let seats = backend.observe(&session).await.map_err(|failure| unavailable(failure.to_string()))?;
        let seats = seats.ok_or_else(|| unavailable("the media server has lost the session"))?;
        Ok((backend, Sight { session, seats, asked_at }))
    }
}

/// Whether the window that was last in force is over.
fn has_ended(room: &Room, now: Timestamp) -> bool {
    room.status.as_ref().and_then(|status| status.valid_until.as_ref()).is_some_and(|until| until.0 <= now)
}

fn unavailable(cause: impl Into<String>) -> Denial {
    Denial::Unavailable(cause.into())
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}
