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
use crate::backend::{Admission, Backend, Holder, Registry};
use crate::domain::{
    Invite, KeyRing, Refusal, Ticket, ValidRoom, Visitor, admit, choose_class, identify, invite_id, recorded_session, validate,
};

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
pub struct Standing {
    /// Who they are.
    pub visitor: Visitor,
    /// The Room.
    pub room: ValidRoom,
    deleted: bool,
    session: Option<String>,
    now: Timestamp,
}

impl Standing {
    /// The ticket, with this many other people in the call or on their way.
    pub fn ticket(&self, others: usize) -> Result<Ticket, Refusal> {
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

    /// Judges the holder of a media token as the invite would be judged that the token goes back to: by the Room whose session
    /// it is for, as it is now.
    pub fn stand_by(&self, holder: &Holder) -> Result<Standing, Denial> {
        let room = self.rooms.find(|room| recorded_session(room) == Some(&holder.session)).ok_or(Refusal::InvalidInvite)?;
        self.stand(&invite_of(&room, holder)?)
    }

    /// The Room whose session this is, and the name of its class.
    pub fn room_of(&self, session: &str) -> Option<(ObjectRef<Room>, String)> {
        let room = self.rooms.find(|room| recorded_session(room) == Some(session))?;
        let class = self.accepted(&room).ok()?.class;
        Some((ObjectRef::from_obj(room.as_ref()), class))
    }

    /// Takes a place for somebody who connects by a media token. Who is in the call has one; whoever comes back to it may find
    /// theirs taken.
    pub async fn take_place(&self, holder: &Holder) -> Result<Standing, Denial> {
        let standing = self.stand_by(holder)?;
        standing.ticket(0)?;
        let (_, sight) = self.look(&standing).await?;
        let standing = self.stand_by(holder)?;
        let seated = sight.seats.iter().any(|seat| seat.identity == holder.identity);
        self.places.take(&standing.visitor.person.name, &sight, standing.now, |others| {
            let ticket = standing.ticket_by(&sight, if seated { 0 } else { others })?;
            Ok::<_, Denial>((ticket.expires_at, ()))
        })?;
        Ok(standing)
    }

    /// Who of the people in a Room's call may not stay there as things stand, and when the call ends for all of them.
    ///
    /// While the Room is not accepted nobody is put out: only the end of the window last in force comes all the same.
    pub fn judge(&self, room: &ObjectRef<Room>, holders: &[&Holder]) -> (Vec<Option<Refusal>>, Option<Timestamp>) {
        let now = (self.clock)();
        let all = |refusal: Refusal| vec![Some(refusal); holders.len()];
        let Some(live) = self.rooms.get(room) else { return (all(Refusal::InvalidInvite), None) };
        if live.metadata.deletion_timestamp.is_some() {
            return (all(Refusal::Over), None);
        }
        let Ok(valid) = self.accepted(&live) else {
            let until = live.status.as_ref().and_then(|status| status.valid_until.as_ref()).map(|until| until.0);
            return (if has_ended(&live, now) { all(Refusal::Over) } else { vec![None; holders.len()] }, until);
        };
        let judged = holders.iter().map(|holder| {
            let visitor = invite_of(&live, holder).and_then(|invite| identify(Some(&live), &invite));
            visitor.and_then(|visitor| admit(&valid, &visitor, 0, now)).err()
        });
        (judged.collect(), Some(valid.window.until))
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

/// The invite that the holder of a media token came by, if the Room's session is the one that the token is for.
fn invite_of(room: &Room, holder: &Holder) -> Result<Invite, Refusal> {
    let Holder { session, identity, generation } = holder;
    let (name, namespace) = (room.metadata.name.clone(), room.metadata.namespace.clone());
    match (name, namespace, invite_id(room), generation) {
        (Some(name), Some(namespace), Some(id), Some(generation)) if recorded_session(room) == Some(session) => {
            Ok(Invite { namespace, room: name, id: id.to_owned(), participant: identity.clone(), generation: *generation })
        }
        _ => Err(Refusal::InvalidInvite),
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
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}
