//! What unit tests start from: one Room, its class, and the people around it. A test changes the part that it is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::api::{DEFAULT_CLASS_ANNOTATION, Participant, Reason, Role, Room, RoomClass, RoomGuest, RoomSpec};
use crate::domain::{Failure, Invite, Roster, SessionMember};

pub const NAMESPACE: &str = "team";
pub const ROOM: &str = "standup";
pub const ROOM_UID: &str = "11111111-2222-3333-4444-555555555555";
/// When the Room was created.
pub const CREATED: &str = "2030-01-01T00:00:00Z";

/// A moment in RFC 3339.
pub fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The Room with this spec, as the API server has it before the controller has seen it.
pub fn room(spec: RoomSpec) -> Room {
    let mut room = Room::new(ROOM, spec);
    room.metadata.namespace = Some(NAMESPACE.into());
    room.metadata.uid = Some(ROOM_UID.into());
    room.metadata.generation = Some(1);
    room.metadata.creation_timestamp = Some(Time(moment(CREATED)));
    room
}

/// The same, with the spec as it stands in a manifest.
pub fn room_from(spec: Value) -> Room {
    room(serde_json::from_value(spec).unwrap())
}

/// A class with this spec, which need not name a backend, and that is not the default.
pub fn class(mut spec: Value) -> RoomClass {
    spec["backend"] = json!({});
    serde_json::from_value(json!({"metadata": {"name": "standard"}, "spec": spec})).unwrap()
}

/// The class that Rooms without a class use.
pub fn default_class() -> RoomClass {
    let mut class = class(json!({}));
    class.metadata.annotations = Some([(DEFAULT_CLASS_ANNOTATION.to_owned(), "true".to_owned())].into());
    class
}

pub fn participant(name: &str, role: Role) -> Participant {
    Participant { name: name.into(), role: Some(role), ..Participant::default() }
}

/// A guest of the Room, who is called like the object, in capitals.
pub fn guest(name: &str, role: &str, invited_by: Option<&str>) -> Arc<RoomGuest> {
    let mut spec = json!({"roomName": ROOM, "displayName": name.to_uppercase(), "role": role});
    if let Some(inviter) = invited_by {
        spec["invitedBy"] = json!(inviter);
    }
    Arc::new(serde_json::from_value(json!({"metadata": {"namespace": NAMESPACE, "name": name}, "spec": spec})).unwrap())
}

/// The roster of a Room without guests.
pub fn roster(room: &Room) -> Arc<Roster> {
    Arc::new(Roster::new(room, &[] as &[Arc<RoomGuest>], BTreeSet::new()))
}

/// An invite to the Room, of the first generation.
pub fn invite(participant: &str) -> Invite {
    Invite {
        namespace: NAMESPACE.into(),
        room: ROOM.into(),
        id: ROOM_UID.into(),
        participant: participant.into(),
        generation: 0,
        signed_by: None,
    }
}

/// Somebody in a call who joined as an Attendee by an invite of this generation.
pub fn member(identity: &str, generation: i64) -> SessionMember {
    SessionMember {
        identity: identity.into(),
        display_name: identity.into(),
        role: Some(Role::Attendee),
        generation: Some(generation),
        signed_by: None,
    }
}

/// What a server that cannot be reached gives.
pub fn unreachable() -> Failure {
    Failure::transient(Reason::Unreachable, "the media server cannot be reached")
}
