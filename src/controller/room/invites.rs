//! What is in an invite Secret, and when all of a Room's have to be written again.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Client, Resource};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::invite_secrets::InviteSecrets;
use crate::api::{
    INVITE_SECRET_TYPE, LABEL_PARTICIPANT, LABEL_ROOM, LABEL_ROOM_UID, LedgerEntry, MANAGED_BY, MANAGER, Reason, Room, invite_secret_name,
};
use crate::domain::{Failure, Invite, InviteWrite, KeyRing, Person, ValidRoom};

/// Digest of what all invite Secrets of a Room share, and of what asks for all of them (`reissue`): when it changes, they are written again.
pub fn revision(room: &ValidRoom, keys: &KeyRing, gateway_url: &str, reissue: Option<&str>) -> String {
    let window = [room.window.from.to_string(), room.window.until.to_string()];
    let maps = [&room.invite_metadata.labels, &room.invite_metadata.annotations];
    let metadata = maps.iter().map(|map| json!(map).to_string());
    let signed_by = [keys.signing_key_id(), keys.signing_key_fingerprint()];
    let parts = signed_by.into_iter().chain([gateway_url, &room.invite_id]).map(str::to_owned).chain(window).chain(metadata);
    // Nothing is added where nobody asks, so that digests of before stay as they are.
    let parts = parts.chain(reissue.map(str::to_owned));
    let digest = parts.fold(Sha256::new(), |digest, part| digest.chain_update(part.len().to_le_bytes()).chain_update(part));
    // With a letter before it, because digits with an "e" among them are a number in YAML.
    digest.finalize().iter().take(8).fold("r".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Writes the invite Secrets of one Room.
pub struct Invites<'a> {
    /// The object that owns them.
    pub owner: &'a Room,
    /// The Room as judged by its class.
    pub room: &'a ValidRoom,
    /// The keys that sign.
    pub keys: &'a KeyRing,
    /// Base of join links.
    pub gateway_url: &'a str,
    /// The client.
    pub client: &'a Client,
}

impl Invites<'_> {
    /// Makes a person's invite Secret, or brings it up to date.
    pub async fn issue(&self, person: &Person, write: &InviteWrite) -> Result<LedgerEntry, Failure> {
        let secrets = InviteSecrets::new(self.client, &self.room.namespace, &self.room.uid);
        let secret_uid = secrets.write(&self.secret(person)?, write).await?;
        Ok(LedgerEntry {
            name: person.name.clone(),
            role: person.role,
            invite_generation: person.generation,
            secret_name: invite_secret_name(&self.room.name, &person.name),
            secret_uid,
        })
    }

    fn secret(&self, person: &Person) -> Result<Secret, Failure> {
        let Self { owner, room, keys, gateway_url, .. } = self;
        let claims = Invite {
            namespace: room.namespace.clone(),
            room: room.name.clone(),
            id: room.invite_id.clone(),
            participant: person.name.clone(),
            generation: person.generation,
            signed_by: None,
        };
        let invite = keys.sign(&claims).map_err(|error| Failure::transient(Reason::Misconfigured, error.to_string()))?;
        let mut data = vec![
            ("url", format!("{gateway_url}/#{invite}")),
            ("invite", invite),
            ("room", room.name.clone()),
            ("namespace", room.namespace.clone()),
            ("role", format!("{:?}", person.role)),
            ("validFrom", room.window.from.to_string()),
            ("validUntil", room.window.until.to_string()),
        ];
        let mut own_labels = vec![
            (MANAGED_BY, MANAGER),
            ("app.kubernetes.io/part-of", MANAGER),
            (LABEL_ROOM, &room.name),
            (LABEL_ROOM_UID, room.uid.as_str()),
        ];
        if !person.is_link() {
            data.push(("participant", person.name.clone()));
            own_labels.push((LABEL_PARTICIPANT, &person.name));
        }
        let mut labels = room.invite_metadata.labels.clone();
        labels.extend(own_labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(invite_secret_name(&room.name, &person.name)),
                labels: Some(labels),
                // Written when empty too, so that an annotation that left the template leaves the Secret.
                annotations: Some(room.invite_metadata.annotations.clone()),
                owner_references: owner.controller_owner_ref(&()).map(|reference| vec![reference]),
                ..ObjectMeta::default()
            },
            type_: Some(INVITE_SECRET_TYPE.to_owned()),
            data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.into_bytes()))).collect::<BTreeMap<_, _>>()),
            ..Secret::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RoomSpec;
    use crate::domain::{NamespaceView, accept, generate_key};
    use crate::fixtures::{default_class, room, roster};

    fn ring((name, pem): &(String, String)) -> KeyRing {
        KeyRing::read([(name.as_str(), pem.as_bytes())], None).0.unwrap()
    }

    #[test]
    fn a_new_key_renews_the_invites_under_the_id_of_the_old_one_too() {
        let room = room(RoomSpec::default());
        let room = accept(&room, roster(&room), &Some(default_class()), NamespaceView::Labels(None)).unwrap();
        let old = generate_key("1");
        let revision = |key: &_| revision(&room, &ring(key), "https://meet.example.org", None);
        let before = revision(&old);
        assert_eq!(revision(&old), before);
        assert!(before.starts_with('r'), "YAML never takes it for a number");
        for new in [generate_key("1"), generate_key("2"), ("2.pem".into(), old.1.clone())] {
            assert_ne!(revision(&new), before);
        }
    }
}
