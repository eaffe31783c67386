//! Invite Secrets: written and deleted without ever reading one.
//!
//! The controller may create, patch and delete Secrets, and nothing else. Whether a Secret of the right name is ours is
//! decided by the API server, in a patch that first tests the label with the Room's UID.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, Preconditions};
use kube::core::Status;
use kube::{Api, Client, Resource};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::api::{
    INVITE_SECRET_TYPE, LABEL_PARTICIPANT, LABEL_ROOM, LABEL_ROOM_UID, LedgerEntry, MANAGED_BY, MANAGER, Reason, Room, invite_secret_name,
};
use crate::cluster::{patch_params, post_params};
use crate::controller::request::{failure_of, timed};
use crate::domain::{Failure, FailureClass, Invite, InviteWrite, KeyRing, Person, ValidRoom};

/// Digest of what all invite Secrets of a Room share: when it changes, all of them are written again.
pub fn revision(room: &ValidRoom, keys: &KeyRing, gateway_url: &str) -> String {
    let window = [room.window.from.to_string(), room.window.until.to_string()];
    let maps = [&room.invite_metadata.labels, &room.invite_metadata.annotations];
    let metadata = maps.iter().map(|map| json!(map).to_string());
    let parts = [keys.signing_key_id(), gateway_url, &room.invite_id].map(str::to_owned).into_iter().chain(window).chain(metadata);
    let digest = parts.fold(Sha256::new(), |digest, part| digest.chain_update(part.len().to_le_bytes()).chain_update(part));
    digest.finalize().iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
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
    /// Creates a person's invite Secret, or brings it up to date.
    pub async fn issue(&self, person: &Person, write: InviteWrite) -> Result<LedgerEntry, Failure> {
        let secret = self.secret(person)?;
        let name = invite_secret_name(&self.room.name, &person.name);
        let api = Api::<Secret>::namespaced(self.client.clone(), &self.room.namespace);
        let written = match write {
            InviteWrite::Create => match create(&api, &secret).await? {
                Some(created) => created,
                None => self.take_over(&api, &name, &secret).await?.ok_or_else(|| moved(&name))?,
            },
            InviteWrite::Refresh => match self.take_over(&api, &name, &secret).await? {
                Some(refreshed) => refreshed,
                None => create(&api, &secret).await?.ok_or_else(|| moved(&name))?,
            },
        };
        Ok(LedgerEntry {
            name: person.name.clone(),
            role: person.role,
            invite_generation: person.generation,
            secret_name: name,
            secret_uid: written.metadata.uid.unwrap_or_default(),
        })
    }

    /// Brings a Secret up to date if it is ours; `None` when there is none.
    async fn take_over(&self, api: &Api<Secret>, name: &str, secret: &Secret) -> Result<Option<Secret>, Failure> {
        let meta = &secret.metadata;
        let patch = vec![
            test_ours(&self.room.uid),
            json!({"op": "add", "path": "/data", "value": secret.data}),
            json!({"op": "add", "path": "/metadata/labels", "value": meta.labels}),
            json!({"op": "add", "path": "/metadata/annotations", "value": meta.annotations}),
            json!({"op": "add", "path": "/metadata/ownerReferences", "value": meta.owner_references}),
        ];
        patch_ours(api, name, patch).await
    }

    fn secret(&self, person: &Person) -> Result<Secret, Failure> {
        let Self { owner, room, keys, gateway_url, .. } = self;
        let claims = Invite {
            namespace: room.namespace.clone(),
            room: room.name.clone(),
            id: room.invite_id.clone(),
            participant: person.name.clone(),
            generation: person.generation,
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

/// Deletes an invite Secret, if it is the one of that UID; without a UID, or when the Secret has another one because a
/// reconciliation that made it again did not end, if it carries the label of this Room.
pub async fn withdraw(client: &Client, room: &Room, secret_name: &str, secret_uid: Option<&str>) -> Result<(), Failure> {
    let namespace = room.metadata.namespace.as_deref().unwrap_or_default();
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    if let Some(uid) = secret_uid
        && delete(&api, secret_name, uid).await?
    {
        return Ok(());
    }
    let test = test_ours(room.metadata.uid.as_deref().unwrap_or_default());
    let found = match patch_ours(&api, secret_name, vec![test]).await {
        Ok(found) => found.and_then(|secret| secret.metadata.uid),
        Err(failure) if failure.reason == Reason::NameConflict => None,
        Err(failure) => return Err(failure),
    };
    match found {
        Some(uid) => delete(&api, secret_name, &uid).await.map(drop),
        None => Ok(()),
    }
}

/// Deletes the Secret of this UID. Whether there is no Secret of that name now; `false` means that it has another UID.
async fn delete(api: &Api<Secret>, name: &str, uid: &str) -> Result<bool, Failure> {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match timed(api.delete(name, &params)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(true),
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(false),
        Err(error) => Err(failure_of(&error)),
    }
}

async fn create(api: &Api<Secret>, secret: &Secret) -> Result<Option<Secret>, Failure> {
    match timed(api.create(&post_params(), secret)).await {
        Ok(created) => Ok(Some(created)),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
        Err(error) => Err(failure_of(&error)),
    }
}

fn test_ours(room_uid: &str) -> serde_json::Value {
    let path = format!("/metadata/labels/{}", LABEL_ROOM_UID.replace('/', "~1"));
    json!({"op": "test", "path": path, "value": room_uid})
}

/// Applies a JSON patch whose first operation tests that the Secret is ours; `None` when there is no such Secret.
async fn patch_ours(api: &Api<Secret>, name: &str, operations: Vec<serde_json::Value>) -> Result<Option<Secret>, Failure> {
    let patch = serde_json::from_value(serde_json::Value::Array(operations)).map(Patch::Json::<Secret>);
    let patch = patch.map_err(|_| Failure::transient(Reason::Refused, "an invite Secret could not be written as patch"))?;
    let params = patch_params();
    match timed(api.patch(name, &params, &patch)).await {
        Ok(secret) => Ok(Some(secret)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(kube::Error::Api(status)) if is_failed_test(&status) => Err(conflict(name)),
        Err(error) => Err(failure_of(&error)),
    }
}

/// The API server answers 422 when the test of a JSON patch fails.
fn is_failed_test(status: &Status) -> bool {
    status.code == 422
}

fn conflict(name: &str) -> Failure {
    Failure::rejected(Reason::NameConflict, format!("the Secret \"{name}\" exists and is not this Room's; it is left untouched"))
}

/// The Secret came and went between two requests; the next reconciliation will see clearer.
fn moved(name: &str) -> Failure {
    let class = FailureClass::Transient { after: Some(Duration::from_millis(500)) };
    Failure { class, reason: Reason::ApiServerUnavailable, message: format!("the Secret \"{name}\" changed while it was written") }
}
