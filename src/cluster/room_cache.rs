//! The Rooms as the controller keeps them: of very many, which are read one at a time.
//!
//! Most of a Room is its people, and a controller looks at them only while it works on that Room. So each is kept as compressed text, with that
//! beside it which is asked of all Rooms again and again.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use lz4_flex::block::{DecompressError, compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::{Deserialize, Deserializer};

use super::typical_room::TYPICAL_ROOM;
use crate::api::{REISSUE_ANNOTATION, Room};
use crate::domain::RoomSummary;

/// A Room, of which the most is compressed.
#[derive(Clone, Debug)]
pub struct CachedRoom {
    /// Name, UID, versions, deletion, and the annotation that asks for the invites again. The rest is among what is compressed.
    metadata: ObjectMeta,
    pub summary: RoomSummary,
    /// `spec.validFrom` and `spec.validUntil`: as text they would lose parts of a second.
    window: [Option<Time>; 2],
    compressed: Box<[u8]>,
}

/// Why a Room does not come back: only by a fault of Roomkeeper's.
#[derive(Debug, thiserror::Error)]
enum CacheError {
    #[error(transparent)]
    Compression(#[from] DecompressError),
    #[error(transparent)]
    Text(#[from] serde_json::Error),
}

impl CachedRoom {
    /// The Room that was put in.
    fn read(&self) -> Result<Room, CacheError> {
        let mut room: Room = serde_json::from_slice(&decompress_size_prepended_with_dict(&self.compressed, TYPICAL_ROOM.as_bytes())?)?;
        [room.spec.valid_from, room.spec.valid_until] = self.window.clone();
        Ok(room)
    }
}

impl From<&Room> for CachedRoom {
    fn from(room: &Room) -> Self {
        let ObjectMeta { name, namespace, uid, resource_version, generation, deletion_timestamp, annotations, .. } = room.metadata.clone();
        let reissue = annotations.and_then(|mut annotations| annotations.remove_entry(REISSUE_ANNOTATION));
        let annotations = reissue.map(|reissue| [reissue].into());
        // A Room that was read can be written.
        let text = serde_json::to_vec(room).unwrap_or_default();
        Self {
            metadata: ObjectMeta {
                name,
                namespace,
                uid,
                resource_version,
                generation,
                deletion_timestamp,
                annotations,
                ..ObjectMeta::default()
            },
            summary: RoomSummary::of(room),
            window: [room.spec.valid_from.clone(), room.spec.valid_until.clone()],
            compressed: compress_prepend_size_with_dict(&text, TYPICAL_ROOM.as_bytes()).into_boxed_slice(),
        }
    }
}

/// As kube's `Controller` wants it of what it looks after.
impl<'de> Deserialize<'de> for CachedRoom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Room::deserialize(deserializer).map(|room| Self::from(&room))
    }
}

impl Resource for CachedRoom {
    type DynamicType = ();
    type Scope = <Room as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        Room::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Room::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Room::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Room::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// All Rooms of a controller, kept up to date by a watch.
#[derive(Clone)]
pub struct RoomCache(Store<CachedRoom>);

impl From<Store<CachedRoom>> for RoomCache {
    fn from(store: Store<CachedRoom>) -> Self {
        Self(store)
    }
}

impl RoomCache {
    /// The Room of this name.
    #[must_use]
    pub fn get(&self, room: &ObjectRef<Room>) -> Option<Arc<Room>> {
        let cached = self.cached(room)?;
        let read = cached.read().inspect_err(|error| tracing::error!(%room, %error, "a Room cannot be read from the cache"));
        read.ok().map(Arc::new)
    }

    /// What is at hand of the Room of this name.
    #[must_use]
    pub fn cached(&self, room: &ObjectRef<Room>) -> Option<Arc<CachedRoom>> {
        self.0.get(&room.clone().into_kind_unchecked(()))
    }

    /// What is at hand of all Rooms.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<CachedRoom>> {
        self.0.state()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What kube's `Controller` reads.
    #[must_use]
    pub fn store(&self) -> Store<CachedRoom> {
        self.0.clone()
    }

    /// Waits until the first list is complete.
    ///
    /// # Errors
    /// When the watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.0.wait_until_ready().await
    }
}

/// The name of a Room, and nothing else that a reference can have.
#[must_use]
pub fn name_of(room: &CachedRoom) -> ObjectRef<Room> {
    let ObjectMeta { name, namespace, .. } = &room.metadata;
    ObjectRef::new(name.as_deref().unwrap_or_default()).within(namespace.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::fixtures::room_from;

    #[test]
    fn a_room_comes_back_as_it_was_put_in() {
        let mut room = room_from(json!({
            "displayName": "Consultation", "id": "0123456789abcdef", "roomClassName": "standard", "duration": "90m",
            "validFrom": "2030-01-01T09:00:00.25Z", "validUntil": "2030-01-01T10:00:00.5Z",
            "joinPolicy": "AnyoneWithLink", "link": {"role": "Consumer", "generation": 2}, "maxParticipants": 7, "suspend": true,
            "participants": [
                {"name": "ada", "displayName": "Ada", "role": "Presenter", "inviteGeneration": 3},
                {"name": "ben", "suspended": true}
            ],
            "session": {"provision": "OnFirstJoin", "closeWhenEmptyAfter": "5m"}, "pstnDialOutEnabled": true,
            "inviteTemplate": {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}, "ttlSecondsAfterExpired": 9
        }));
        room.metadata.labels = Some([("argocd.argoproj.io/instance".to_owned(), "calls".to_owned())].into());
        room.metadata.annotations = Some([(REISSUE_ANNOTATION, "2"), ("note", "x")].map(|(key, value)| (key.into(), value.into())).into());
        room.metadata.finalizers = Some(vec!["roomkeeper.io/cleanup".to_owned()]);
        room.status = Some(
            serde_json::from_value(json!({
                "observedGeneration": 4, "phase": "Open", "validFrom": "2030-01-01T09:00:00Z",
                "session": {"id": "rk-1-2", "epoch": 2, "createdAt": "2030-01-01T09:00:00Z"},
                "participants": [{"name": "ada", "role": "Presenter", "inviteGeneration": 3, "secretName": "s", "secretUID": "u"}],
                "rotatedInvites": [{"name": "ada", "inviteGeneration": 3}], "counts": {"invited": 2, "joined": 1},
                "conditions": [{"type": "Ready", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2030-01-01T09:00:00Z"}]
            }))
            .unwrap(),
        );
        let cached = CachedRoom::from(&room);
        assert_eq!(cached.read().unwrap(), room);
        assert_eq!(cached.summary, RoomSummary::of(&room));
        assert_eq!(name_of(&cached), ObjectRef::from_obj(&room));
        let annotations: Vec<_> = cached.meta().annotations.iter().flatten().map(|(key, _)| key.as_str()).collect();
        assert_eq!(annotations, [REISSUE_ANNOTATION]);
    }

    #[rstest]
    #[case("1.5h")]
    #[case("1h0m0.001s")]
    #[case("250ms")]
    #[case("4320h")]
    fn a_duration_comes_back_whatever_its_units(#[case] duration: &str) {
        let room = room_from(json!({"duration": duration, "session": {"closeWhenEmptyAfter": duration}}));
        assert_eq!(CachedRoom::from(&room).read().unwrap(), room);
    }

    #[test]
    fn of_an_open_room_of_ten_less_is_kept_than_a_quarter_of_its_text() {
        let people: Vec<_> = (0..10).map(|number| json!({"name": format!("person-{number}"), "role": "Attendee"})).collect();
        let mut room = room_from(json!({"participants": people, "duration": "8h"}));
        let invite = |number: u64| {
            let uid = format!("{:08x}-{:04x}", number.wrapping_mul(2_654_435_761) % 4_294_967_296, number.wrapping_mul(40_503) % 65_536);
            json!({"name": format!("person-{number}"), "role": "Attendee", "inviteGeneration": 0,
                "secretName": format!("standup-invite-person-{number}"), "secretUID": format!("{uid}-4a1b-9c2d-{uid}")})
        };
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({"type": kind, "status": "True", "reason": reason, "message": message, "observedGeneration": 1,
                "lastTransitionTime": "2030-01-01T09:00:00Z"})
        };
        room.status = Some(
            serde_json::from_value(json!({
                "observedGeneration": 1, "phase": "Open", "roomClassName": "livekit", "validFrom": "2030-01-01T09:00:00Z",
                "session": {"id": "rk-5e1f00000001-11111111-2222-3333-4444-555555555555-1", "epoch": 1, "createdAt": "2030-01-01T09:00:00Z"},
                "participants": (1..=10).map(invite).collect::<Vec<_>>(),
                "conditions": [
                    condition("Accepted", "Valid", "The spec is valid for its class"),
                    condition("InvitesReady", "Issued", "Every participant has an invite Secret"),
                    condition("SessionReady", "Provisioned", "The session is there"),
                    condition("Open", "Joinable", "People can join"),
                    condition("Ready", "Reconciled", "Everything is as the spec wants it"),
                ]
            }))
            .unwrap(),
        );
        let (kept, text) = (CachedRoom::from(&room).compressed.len(), serde_json::to_vec(&room).unwrap().len());
        assert!(kept * 4 < text, "{kept} of {text} bytes");
    }
}
