//! Rooms and their rosters.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::identifiers::{is_raw_id, is_room_id, is_uuid, room_id};
use super::identities::Identities;
use super::moments::{date_time, http_date, ticks, written};
use super::reply::Reply;
use super::request::Received;

/// The version of the Rooms API.
pub const VERSION: &str = "2025-03-13";

const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(180 * 24);
const LARGEST_ROSTER: usize = 350;
const PAGE: usize = 30;
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A room, for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomState {
    /// Its id.
    pub id: String,
    /// From when it may be joined.
    pub valid_from: Timestamp,
    /// From when it may not be joined any more.
    pub valid_until: Timestamp,
    /// Whether telephones may be called from it.
    pub pstn_dial_out_enabled: bool,
    /// Roles by raw id.
    pub participants: BTreeMap<String, String>,
}

struct Room {
    created_at: Timestamp,
    state: RoomState,
}

/// The rooms of one resource.
pub struct Rooms {
    endpoint: String,
    created: u64,
    /// By the order of their creation.
    existing: BTreeMap<u64, Room>,
    /// What was made by repeatable requests, by their ids.
    repeatable: BTreeMap<String, Repeatable>,
}

/// A repeatable request and its answer.
struct Repeatable {
    first_sent: String,
    body: Value,
    answer: Value,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Role {
    Presenter,
    Attendee,
    Consumer,
    Collaborator,
}

// Clients of the service send `null` for what they leave out here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateRoom {
    valid_from: Option<String>,
    valid_until: Option<String>,
    pstn_dial_out_enabled: Option<bool>,
    participants: Option<BTreeMap<String, Invited>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invited {
    role: Role,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateRoom {
    #[serde(default, deserialize_with = "not_null")]
    valid_from: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    valid_until: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    pstn_dial_out_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateParticipants {
    #[serde(default)]
    participants: BTreeMap<String, Option<Change>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default, deserialize_with = "not_null")]
    role: Option<Role>,
}

fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Rooms {
    /// Those of a new resource: none.
    pub fn new(endpoint: String) -> Self {
        Self { endpoint, created: 0, existing: BTreeMap::new(), repeatable: BTreeMap::new() }
    }

    /// All of them, in the order of their creation.
    pub fn states(&self) -> Vec<RoomState> {
        self.existing.values().map(|room| room.state.clone()).collect()
    }

    /// Whether there is one with this id.
    pub fn exists(&self, id: &str) -> bool {
        self.find(id).is_ok()
    }

    /// When one may be joined.
    pub fn window(&self, id: &str) -> Option<(Timestamp, Timestamp)> {
        self.find(id).ok().map(|room| (room.state.valid_from, room.state.valid_until))
    }

    /// The role of somebody on a roster.
    pub fn role(&self, id: &str, raw_id: &str) -> Option<String> {
        self.find(id).ok()?.state.participants.get(raw_id).cloned()
    }

    /// Removes one; whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.existing.len();
        self.existing.retain(|_, room| room.state.id != id);
        self.existing.len() < before
    }

    /// Puts somebody on the roster of one, without a request; whether it was there.
    pub fn add(&mut self, id: &str, user: &str, role: &str) -> bool {
        let found = self.existing.values_mut().find(|room| room.state.id == id);
        found.is_some_and(|room| room.state.participants.insert(user.to_owned(), role.to_owned()).is_none())
    }

    /// `POST /rooms`
    pub fn create(&mut self, request: &Received, identities: &Identities, now: Timestamp) -> Result<Reply, Reply> {
        let Some((key, first_sent)) = repeatability(request)? else {
            return self.make(request, identities, now).map(created);
        };
        let body: Value = request.json("application/json")?;
        let answer = if let Some(made) = self.repeatable.get(key) {
            if (made.first_sent.as_str(), &made.body) != (first_sent, &body) {
                return Err(Reply::bad_request("The Repeatability-Request-ID is that of another request."));
            }
            made.answer.clone()
        } else {
            let answer = self.make(request, identities, now)?;
            let made = Repeatable { first_sent: first_sent.to_owned(), body, answer: answer.clone() };
            self.repeatable.insert(key.to_owned(), made);
            answer
        };
        Ok(created(answer).header("repeatability-result", "accepted"))
    }

    /// Makes one with nobody on its roster, without a request, so that its window may be over; its id.
    pub fn add_room(&mut self, valid_from: Timestamp, valid_until: Timestamp) -> String {
        let id = room_id(self.created.is_multiple_of(2));
        let state = RoomState { id: id.clone(), valid_from, valid_until, pstn_dial_out_enabled: false, participants: BTreeMap::new() };
        self.existing.insert(self.created, Room { created_at: ticks(valid_from), state });
        self.created += 1;
        id
    }

    fn make(&mut self, request: &Received, identities: &Identities, now: Timestamp) -> Result<Value, Reply> {
        let asked: CreateRoom = request.json("application/json")?;
        let now = ticks(now);
        let valid_from = asked.valid_from.map_or(Ok(now), |text| moment("ValidFrom", &text))?;
        let valid_until = asked.valid_until.map_or(Ok(valid_from + LONGEST_WINDOW), |text| moment("ValidUntil", &text))?;
        check_window(valid_from, valid_until, now)?;
        let mut participants = BTreeMap::new();
        for (raw_id, Invited { role }) in asked.participants.unwrap_or_default() {
            check_raw_id(&raw_id)?;
            check_identity(&raw_id, identities)?;
            participants.insert(raw_id, format!("{role:?}"));
        }
        check_size(&participants)?;
        let id = room_id(self.created.is_multiple_of(2));
        let pstn_dial_out_enabled = asked.pstn_dial_out_enabled.unwrap_or_default();
        let state = RoomState { id, valid_from, valid_until, pstn_dial_out_enabled, participants };
        let room = Room { created_at: now, state };
        let answer = model(&room);
        self.existing.insert(self.created, room);
        self.created += 1;
        Ok(answer)
    }

    /// `GET /rooms`
    pub fn list(&self, place: Option<&str>) -> Result<Reply, Reply> {
        let before = place.map_or(Ok(u64::MAX), |place| place.parse().map_err(|_| invalid_place()))?;
        let newest_first = self.existing.range(..before).rev();
        Ok(self.page("/rooms", newest_first.map(|(number, room)| (number.to_string(), model(room)))))
    }

    /// `GET /rooms/{id}`
    pub fn get(&self, id: &str) -> Result<Reply, Reply> {
        Ok(Reply::json(200, model(self.find(id)?)))
    }

    /// `PATCH /rooms/{id}`
    pub fn update(&mut self, id: &str, request: &Received, now: Timestamp) -> Result<Reply, Reply> {
        let room = self.find_mut(id)?;
        let asked: UpdateRoom = request.json(MERGE_PATCH)?;
        let state = &mut room.state;
        let has_window = asked.valid_from.is_some() || asked.valid_until.is_some();
        let valid_from = asked.valid_from.map_or(Ok(state.valid_from), |text| moment("ValidFrom", &text))?;
        let valid_until = asked.valid_until.map_or(Ok(state.valid_until), |text| moment("ValidUntil", &text))?;
        if has_window {
            check_window(valid_from, valid_until, now)?;
        }
        (state.valid_from, state.valid_until) = (valid_from, valid_until);
        state.pstn_dial_out_enabled = asked.pstn_dial_out_enabled.unwrap_or(state.pstn_dial_out_enabled);
        Ok(Reply::json(200, model(room)))
    }

    /// `GET /rooms/{id}/participants`
    pub fn list_participants(&self, id: &str, place: Option<&str>) -> Result<Reply, Reply> {
        let roster = &self.find(id)?.state.participants;
        let rest = roster.iter().filter(|(raw_id, _)| place.is_none_or(|place| raw_id.as_str() > place));
        let items = rest.map(|(raw_id, role)| (raw_id.clone(), json!({"rawId": raw_id, "role": role})));
        Ok(self.page(&format!("/rooms/{id}/participants"), items))
    }

    /// `PATCH /rooms/{id}/participants`; who was asked to be taken off.
    pub fn update_participants(&mut self, id: &str, request: &Received, identities: &Identities) -> Result<Vec<String>, Reply> {
        let room = self.find_mut(id)?;
        let asked: UpdateParticipants = request.json(MERGE_PATCH)?;
        let mut roster = room.state.participants.clone();
        let mut removed = Vec::new();
        for (raw_id, change) in asked.participants {
            check_raw_id(&raw_id)?;
            if let Some(Change { role }) = change {
                check_identity(&raw_id, identities)?;
                // Without a role, who is there keeps theirs.
                let kept = roster.get(&raw_id).cloned().unwrap_or_else(|| format!("{:?}", Role::Attendee));
                roster.insert(raw_id, role.map_or(kept, |role| format!("{role:?}")));
            } else {
                roster.remove(&raw_id);
                removed.push(raw_id);
            }
        }
        check_size(&roster)?;
        room.state.participants = roster;
        Ok(removed)
    }

    fn find(&self, id: &str) -> Result<&Room, Reply> {
        if !is_room_id(id) {
            return Err(invalid_id());
        }
        self.existing.values().find(|room| room.state.id == id).ok_or_else(Reply::not_found)
    }

    fn find_mut(&mut self, id: &str) -> Result<&mut Room, Reply> {
        if !is_room_id(id) {
            return Err(invalid_id());
        }
        self.existing.values_mut().find(|room| room.state.id == id).ok_or_else(Reply::not_found)
    }

    /// The first items, each with its place, and where the next are.
    fn page(&self, path: &str, mut items: impl Iterator<Item = (String, Value)>) -> Reply {
        let mut last = String::new();
        let first = items.by_ref().take(PAGE);
        let value: Vec<Value> = first
            .map(|(place, item)| {
                last = place;
                item
            })
            .collect();
        let mut answer = json!({"value": value});
        if items.next().is_some() {
            let place: String = form_urlencoded::byte_serialize(last.as_bytes()).collect();
            answer["nextLink"] = format!("{}{path}?nextLink={place}&api-version={VERSION}", self.endpoint).into();
        }
        Reply::json(200, answer)
    }
}

/// The headers by which a request may be repeated.
fn repeatability(request: &Received) -> Result<Option<(&str, &str)>, Reply> {
    match (request.header("repeatability-request-id"), request.header("repeatability-first-sent")) {
        (None, None) => Ok(None),
        (Some(id), Some(sent)) if is_uuid(id) && http_date(sent).is_some() => Ok(Some((id, sent))),
        _ => {
            Err(Reply::bad_request("A repeatable request has a UUID as Repeatability-Request-ID, and a date as Repeatability-First-Sent."))
        }
    }
}

fn created(room: Value) -> Reply {
    let id = room["id"].as_str().unwrap_or_default().to_owned();
    Reply::json(201, room).header("location", &id)
}

fn model(Room { created_at, state }: &Room) -> Value {
    json!({
        "id": state.id,
        "createdAt": written(*created_at),
        "validFrom": written(state.valid_from),
        "validUntil": written(state.valid_until),
        "pstnDialOutEnabled": state.pstn_dial_out_enabled,
    })
}

fn moment(target: &str, text: &str) -> Result<Timestamp, Reply> {
    date_time(text).ok_or_else(|| Reply::bad_argument(target, "The JSON value could not be converted to a date and time."))
}

fn check_window(from: Timestamp, until: Timestamp, now: Timestamp) -> Result<(), Reply> {
    if until <= now {
        return Err(Reply::bad_argument("ValidUntil", "The time range end is in the past."));
    }
    if from >= until || until.duration_since(from) > LONGEST_WINDOW {
        return Err(Reply::bad_argument("ValidUntil", "The time range is incorrect, or larger than 180 days."));
    }
    Ok(())
}

fn check_raw_id(raw_id: &str) -> Result<(), Reply> {
    if is_raw_id(raw_id) { Ok(()) } else { Err(Reply::bad_request("Invalid format for communication identifier.")) }
}

fn check_identity(raw_id: &str, identities: &Identities) -> Result<(), Reply> {
    if identities.exists(raw_id) { Ok(()) } else { Err(Reply::bad_request("Invalid value for the Participants.")) }
}

fn check_size(roster: &BTreeMap<String, String>) -> Result<(), Reply> {
    if roster.len() <= LARGEST_ROSTER { Ok(()) } else { Err(Reply::bad_request("A room has at most 350 participants.")) }
}

/// The refusal of an id that no room can have.
pub fn invalid_id() -> Reply {
    Reply::bad_request("Invalid room ID length.")
}

fn invalid_place() -> Reply {
    Reply::bad_request("The nextLink is not one of this list.")
}
