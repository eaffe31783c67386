//! A whole Room in as little memory as can be: most of it is its people, at whom nobody looks but while the Room is worked on.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use lz4_flex::block::{DecompressError, compress_prepend_size_with_dict, decompress_size_prepended_with_dict};

use super::typical_room::TYPICAL_ROOM;
use crate::api::{Identity, Room, RoomSpec, RoomStatus, invite_secret_name};

/// Stands for what is kept elsewhere: no UID and no name of an object is so.
const ELSEWHERE: &str = "~";

/// A Room as compressed text, without its identity.
#[derive(Clone, Debug)]
pub struct CompressedRoom {
    text: Box<[u8]>,
    /// The UIDs of the Secrets of its people, in their order: as text they take more than twice as much, and cannot be compressed.
    secrets: Box<[u128]>,
    /// `spec.validFrom` and `spec.validUntil`, where as text they would lose parts of a second.
    window: Option<Box<[Option<Time>; 2]>>,
}

/// Why a Room does not come back: only by a fault of Roomkeeper's.
#[derive(Debug, thiserror::Error)]
pub enum CompressionError {
    #[error(transparent)]
    Compression(#[from] DecompressError),
    #[error(transparent)]
    Text(#[from] serde_json::Error),
}

impl CompressedRoom {
    /// The Room of this identity that was put in.
    ///
    /// # Errors
    /// By a fault of Roomkeeper's alone.
    pub fn read(&self, identity: Identity<'_>) -> Result<Room, CompressionError> {
        let mut room: Room = serde_json::from_slice(&decompress_size_prepended_with_dict(&self.text, TYPICAL_ROOM.as_bytes())?)?;
        if let Some(window) = &self.window {
            [room.spec.valid_from, room.spec.valid_until] = (**window).clone();
        }
        put_back(&mut room, identity.name, &self.secrets);
        let Identity { namespace, name, uid, resource_version } = identity;
        room.metadata.namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
        room.metadata.name = Some(name.to_owned());
        room.metadata.uid = uid.map(str::to_owned);
        room.metadata.resource_version = resource_version.map(str::to_owned);
        Ok(room)
    }

    /// Bytes that it takes beside itself.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.text.len() + size_of_val(&*self.secrets)
    }
}

impl From<Room> for CompressedRoom {
    fn from(mut room: Room) -> Self {
        let window = precise_window(&room.spec);
        let secrets = take_out(&mut room);
        let metadata = &mut room.metadata;
        (metadata.namespace, metadata.name, metadata.uid, metadata.resource_version) = (None, None, None, None);
        // A Room that was read can be written.
        let text = serde_json::to_vec(&room).unwrap_or_default();
        Self { text: compress_prepend_size_with_dict(&text, TYPICAL_ROOM.as_bytes()).into(), secrets, window }
    }
}

fn precise_window(spec: &RoomSpec) -> Option<Box<[Option<Time>; 2]>> {
    let window = [spec.valid_from.clone(), spec.valid_until.clone()];
    window.iter().flatten().any(|at| at.0.subsec_nanosecond() != 0).then(|| window.into())
}

/// Takes the Secrets of a Room's people out of its status: their UIDs, which are given back, and their names, which follow from others. All of them or
/// none.
fn take_out(room: &mut Room) -> Box<[u128]> {
    let name = room.metadata.name.as_deref().unwrap_or_default();
    let Some(RoomStatus { participants, .. }) = &mut room.status else { return Box::default() };
    let usual = participants.iter().map(|person| {
        let is_usual = person.secret_name == invite_secret_name(name, &person.name);
        is_usual.then(|| parse_uid(&person.secret_uid)).flatten()
    });
    let Some(secrets) = usual.collect::<Option<Box<[u128]>>>() else { return Box::default() };
    for person in participants {
        ELSEWHERE.clone_into(&mut person.secret_name);
        ELSEWHERE.clone_into(&mut person.secret_uid);
    }
    secrets
}

/// Undoes [`take_out`].
fn put_back(room: &mut Room, name: &str, secrets: &[u128]) {
    let participants = room.status.iter_mut().flat_map(|status| &mut status.participants);
    for (person, uid) in participants.zip(secrets) {
        person.secret_name = invite_secret_name(name, &person.name);
        person.secret_uid = format_uid(*uid);
    }
}

/// The number that a UID is, if it is written as Kubernetes writes them.
fn parse_uid(uid: &str) -> Option<u128> {
    let number = u128::from_str_radix(&uid.replace('-', ""), 16).ok()?;
    (format_uid(number) == uid).then_some(number)
}

fn format_uid(uid: u128) -> String {
    let digits = format!("{uid:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::api::{Identified, REISSUE_ANNOTATION};
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
        assert_eq!(CompressedRoom::from(room.clone()).read(room.identity()).unwrap(), room);
    }

    #[rstest]
    #[case("1.5h")]
    #[case("1h0m0.001s")]
    #[case("250ms")]
    #[case("4320h")]
    fn a_duration_comes_back_whatever_its_units(#[case] duration: &str) {
        let room = room_from(json!({"duration": duration, "session": {"closeWhenEmptyAfter": duration}}));
        assert_eq!(CompressedRoom::from(room.clone()).read(room.identity()).unwrap(), room);
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
        let (kept, text) = (CompressedRoom::from(room.clone()).size(), serde_json::to_vec(&room).unwrap().len());
        assert!(kept * 4 < text, "{kept} of {text} bytes");
    }

    #[rstest]
    #[case::as_always("standup-invite-ada", "5e1f0000-0001-4a1b-9c2d-0123456789ab", 1)]
    #[case::small("standup-invite-ada", "00000000-0000-0000-0000-000000000001", 1)]
    #[case::no_secret_yet("standup-invite-ada", "", 0)]
    #[case::another_name("other", "5e1f0000-0001-4a1b-9c2d-0123456789ab", 0)]
    #[case::upper_case("standup-invite-ada", "5E1F0000-0001-4a1b-9c2d-0123456789ab", 0)]
    #[case::not_as_kubernetes_writes_it("standup-invite-ada", "5e1f000000014a1b9c2d0123456789ab", 0)]
    #[case::with_a_sign("standup-invite-ada", "+e1f0000-0001-4a1b-9c2d-0123456789ab", 0)]
    #[case::what_stands_for_one("standup-invite-ada", "~", 0)]
    #[case::what_stands_for_both("~", "~", 0)]
    fn a_secret_comes_back_whatever_its_name_and_uid(#[case] name: &str, #[case] uid: &str, #[case] kept: usize) {
        let mut room = room_from(json!({"participants": [{"name": "ada"}]}));
        room.metadata.name = Some("standup".into());
        let entry = json!({"name": "ada", "role": "Attendee", "inviteGeneration": 0, "secretName": name, "secretUID": uid});
        room.status = Some(serde_json::from_value(json!({"participants": [entry]})).unwrap());
        let compressed = CompressedRoom::from(room.clone());
        assert_eq!((compressed.secrets.len(), compressed.read(room.identity()).unwrap()), (kept, room));
    }
}
