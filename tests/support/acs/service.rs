//! What the double knows, and which operation a request is.

use jiff::{SignedDuration, Timestamp};

use super::super::now;
use super::calls::Calls;
use super::entra::Entra;
use super::faults::Faults;
use super::identifiers::is_room_id;
use super::identities::{self, Identities};
use super::reply::Reply;
use super::request::Received;
use super::rooms::{self, Rooms};
use super::signature;

/// All that the double knows.
pub struct Service {
    /// How far its clock is ahead.
    pub skew: SignedDuration,
    /// Whether it refuses all that is signed well.
    pub refuses_access: bool,
    /// The rooms.
    pub rooms: Rooms,
    /// The identities and their tokens.
    pub identities: Identities,
    /// Who is in which call.
    pub calls: Calls,
    /// What is to go wrong.
    pub faults: Faults,
    /// The requests so far.
    pub log: Vec<String>,
    /// Tokens by which requests are taken besides the key.
    pub entra: Entra,
    key: Vec<u8>,
}

/// The operations, with the ids in their paths.
enum Operation<'a> {
    CreateRoom,
    ListRooms,
    GetRoom(&'a str),
    UpdateRoom(&'a str),
    DeleteRoom(&'a str),
    ListParticipants(&'a str),
    UpdateParticipants(&'a str),
    CreateIdentity,
    IssueToken(&'a str),
    RevokeTokens(&'a str),
    DeleteIdentity(&'a str),
}

impl<'a> Operation<'a> {
    fn of(request: &'a Received) -> Result<Self, Reply> {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        if path.contains(&"") {
            return Err(Reply::not_found());
        }
        Ok(match (request.method.as_str(), path.as_slice()) {
            ("POST", ["rooms"]) => Self::CreateRoom,
            ("GET", ["rooms"]) => Self::ListRooms,
            ("GET", ["rooms", id]) => Self::GetRoom(id),
            ("PATCH", ["rooms", id]) => Self::UpdateRoom(id),
            ("DELETE", ["rooms", id]) => Self::DeleteRoom(id),
            ("GET", ["rooms", id, "participants"]) => Self::ListParticipants(id),
            ("PATCH", ["rooms", id, "participants"]) => Self::UpdateParticipants(id),
            ("POST", ["identities"]) => Self::CreateIdentity,
            ("POST", ["identities", id, ":issueAccessToken"]) => Self::IssueToken(id),
            ("POST", ["identities", id, ":revokeAccessTokens"]) => Self::RevokeTokens(id),
            ("DELETE", ["identities", id]) => Self::DeleteIdentity(id),
            (
                _,
                ["rooms" | "identities"]
                | ["rooms" | "identities", _]
                | ["rooms", _, "participants"]
                | ["identities", _, ":issueAccessToken" | ":revokeAccessTokens"],
            ) => {
                return Err(Reply::refusal(405, "MethodNotAllowed", "The resource has no such operation."));
            }
            _ => return Err(Reply::not_found()),
        })
    }

    fn is_of_rooms(&self) -> bool {
        !matches!(self, Self::CreateIdentity | Self::IssueToken(_) | Self::RevokeTokens(_) | Self::DeleteIdentity(_))
    }

    fn is_list(&self) -> bool {
        matches!(self, Self::ListRooms | Self::ListParticipants(_))
    }

    fn has_body(&self) -> bool {
        matches!(self, Self::CreateRoom | Self::UpdateRoom(_) | Self::UpdateParticipants(_) | Self::CreateIdentity | Self::IssueToken(_))
    }
}

impl Service {
    /// A resource without rooms and identities.
    pub fn new(endpoint: String, key: Vec<u8>) -> Self {
        Self {
            skew: SignedDuration::ZERO,
            refuses_access: false,
            rooms: Rooms::new(endpoint),
            identities: Identities::new(),
            calls: Calls::default(),
            faults: Faults::default(),
            log: Vec::new(),
            key,
            entra: Entra::default(),
        }
    }

    /// The moment by its clock.
    pub fn now(&self) -> Timestamp {
        now() + self.skew
    }

    /// Records how a request went.
    pub fn note(&mut self, request: &Received, outcome: &str) {
        self.log.push(format!("{} {} -> {outcome}", request.method, request.path_without_ids()));
    }

    /// Carries a request out or refuses it, and records that, with something after the status.
    pub fn carry_out(&mut self, request: &Received, after_status: &str) -> Reply {
        if Entra::is_asked(request) {
            let reply = self.entra.issue(request, self.now());
            self.note(request, &format!("{}{after_status}", reply.status));
            return reply;
        }
        let reply = self.check(request).and_then(|operation| self.perform(&operation, request)).unwrap_or_else(|refusal| refusal);
        self.note(request, &format!("{}{after_status}", reply.status));
        reply
    }

    /// Refuses what no operation takes.
    fn check<'a>(&self, request: &'a Received) -> Result<Operation<'a>, Reply> {
        match request.header("authorization").and_then(|header| header.strip_prefix("Bearer ")) {
            Some(token) => self.entra.check(token, self.now())?,
            None => signature::check(request, &self.key, self.now())?,
        }
        if self.refuses_access {
            return Err(Reply::refusal(403, "Forbidden", "This key has no access."));
        }
        let operation = Operation::of(request)?;
        if !operation.has_body() {
            request.no_body()?;
        }
        Ok(operation)
    }

    fn perform(&mut self, operation: &Operation, request: &Received) -> Result<Reply, Reply> {
        let version = if operation.is_of_rooms() { rooms::VERSION } else { identities::VERSION };
        let place = request.query(version, operation.is_list())?;
        if operation.is_of_rooms() {
            self.perform_of_rooms(operation, request, place.as_deref())
        } else {
            self.perform_of_identity(operation, request).map_err(Reply::without_error_code)
        }
    }

    fn perform_of_rooms(&mut self, operation: &Operation, request: &Received, place: Option<&str>) -> Result<Reply, Reply> {
        let now = self.now();
        match operation {
            Operation::CreateRoom => self.rooms.create(request, &self.identities, now),
            Operation::ListRooms => self.rooms.list(place),
            Operation::GetRoom(id) => self.rooms.get(id),
            Operation::UpdateRoom(id) => self.rooms.update(id, request, now),
            Operation::DeleteRoom(id) if !is_room_id(id) => Err(rooms::invalid_id()),
            Operation::DeleteRoom(id) if self.rooms.remove(id) => Ok(Reply::no_content()),
            Operation::ListParticipants(id) => self.rooms.list_participants(id, place),
            Operation::UpdateParticipants(id) => {
                for raw_id in self.rooms.update_participants(id, request, &self.identities)? {
                    self.calls.eject(id, &raw_id);
                }
                Ok(Reply::json(200, serde_json::json!({})))
            }
            _ => Err(Reply::not_found()),
        }
    }

    fn perform_of_identity(&mut self, operation: &Operation, request: &Received) -> Result<Reply, Reply> {
        let now = self.now();
        match operation {
            Operation::CreateIdentity => self.identities.create(request, now),
            Operation::IssueToken(id) => self.identities.issue(id, request, now),
            Operation::RevokeTokens(id) => self.identities.revoke(id, now),
            Operation::DeleteIdentity(id) => self.identities.delete(id, now),
            _ => Err(Reply::not_found()),
        }
    }

    /// Lets the bearer of a token into the call of a room; their role, or the subcode of the refusal.
    pub fn join(&mut self, room: &str, token: &str) -> Result<String, u32> {
        let now = self.now();
        let (valid_from, valid_until) = self.rooms.window(room).ok_or(5732_u32)?;
        let raw_id = self.identities.bearer(token, now).ok_or(5828_u32)?;
        let role = self.rooms.role(room, &raw_id).ok_or(5828_u32)?;
        if now < valid_from || now >= valid_until {
            return Err(5829);
        }
        self.calls.enter(room, &raw_id);
        Ok(role)
    }
}
