//! The requests with which invite Secrets are made, renewed and deleted. None of them shows or changes a Secret that is not the Room's.
//!
//! The controller may create, update and delete Secrets, and nothing else. What is known by its UID is renewed and deleted by it, so that
//! nothing else is hit. Of a Secret whose UID a reconciliation did not live to record, a dry run tells whether it is the Room's: a
//! replacement that carries the label with the Room's UID, by a field manager of its own. If that manager would own the label, the label
//! had another value.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, Error};

use super::invite_refusal::{Refused, refused};
use crate::api::{INVITE_SECRET_TYPE, LABEL_ROOM_UID, Reason};
use crate::cluster::{delete_params, post_params};
use crate::controller::request::{failure_of, timed};
use crate::domain::{Failure, InviteWrite};

/// Field manager of the dry run, which owns what the dry run would change.
const COMPARER: &str = "roomkeeper-compare";

/// The invite Secrets of one Room.
pub struct InviteSecrets {
    api: Api<Secret>,
    room_uid: String,
}

impl InviteSecrets {
    /// Those of the Room of this UID.
    pub fn new(client: &Client, namespace: &str, room_uid: &str) -> Self {
        Self { api: Api::namespaced(client.clone(), namespace), room_uid: room_uid.to_owned() }
    }

    /// Makes a Secret, or brings it up to date; its UID.
    pub async fn write(&self, secret: &Secret, write: &InviteWrite) -> Result<String, Failure> {
        let name = name_of(secret);
        let written = match write {
            InviteWrite::Create => match self.create(secret).await? {
                Some(uid) => Some(uid),
                None => self.take_over(secret).await?,
            },
            InviteWrite::Refresh { secret_uid } => {
                let found = if secret_uid.is_empty() { Found::Another } else { self.replace(secret, secret_uid).await? };
                let ours = match found {
                    Found::Ours(uid) => Some(uid),
                    Found::Nothing => None,
                    // The API server of Kubernetes 1.30 says so of a Secret that is not there, too.
                    Found::Another => self.take_over(secret).await?,
                };
                match ours {
                    Some(uid) => Some(uid),
                    None => self.create(secret).await?,
                }
            }
        };
        written.ok_or_else(|| moved(name))
    }

    /// Deletes a Secret, if it is the one of that UID; without a UID, or when the Secret has another one because a
    /// reconciliation that made it again did not end, if it carries the label of this Room.
    pub async fn delete(&self, name: &str, uid: Option<&str>) -> Result<(), Failure> {
        if let Some(uid) = uid.filter(|uid| !uid.is_empty())
            && self.delete_by_uid(name, uid).await?
        {
            return Ok(());
        }
        match self.uid_of_ours(name).await {
            Ok(Some(uid)) => self.delete_by_uid(name, &uid).await.map(drop),
            // What is not known to be this Room's is none of its business.
            Ok(None) | Err(Refused { is_ours: false, .. }) => Ok(()),
            Err(Refused { failure, .. }) => Err(failure),
        }
    }

    /// The UID of the new Secret; `None` when there is one of that name.
    async fn create(&self, secret: &Secret) -> Result<Option<String>, Failure> {
        match timed(self.api.create(&post_params(), secret)).await {
            Ok(created) => Ok(Some(created.metadata.uid.unwrap_or_default())),
            Err(Error::Api(status)) if status.is_already_exists() => Ok(None),
            Err(error) => Err(refused(name_of(secret), &error).failure),
        }
    }

    /// Brings a Secret up to date whose UID is not known, if it is this Room's; `None` when it came or went meanwhile.
    async fn take_over(&self, secret: &Secret) -> Result<Option<String>, Failure> {
        let Some(uid) = self.uid_of_ours(name_of(secret)).await.map_err(|refused| refused.failure)? else { return Ok(None) };
        Ok(match self.replace(secret, &uid).await? {
            Found::Ours(uid) => Some(uid),
            Found::Nothing | Found::Another => None,
        })
    }

    /// Brings the Secret of this UID up to date.
    async fn replace(&self, secret: &Secret, uid: &str) -> Result<Found, Failure> {
        let mut secret = secret.clone();
        // Without one, whatever has that name would be replaced.
        secret.metadata.uid = Some(uid.to_owned());
        match timed(self.api.replace(name_of(&secret), &post_params(), &secret)).await {
            // One that was on its way out is gone with the finalizers that held it.
            Ok(replaced) if replaced.metadata.deletion_timestamp.is_some() => Ok(Found::Nothing),
            Ok(_) => Ok(Found::Ours(uid.to_owned())),
            Err(Error::Api(status)) if status.is_not_found() => Ok(Found::Nothing),
            Err(Error::Api(status)) if status.is_conflict() => Ok(Found::Another),
            Err(error) => Err(refused(name_of(&secret), &error).failure),
        }
    }

    /// The UID of the Secret of that name, if it is an invite of this Room; `None` when there is none.
    async fn uid_of_ours(&self, name: &str) -> Result<Option<String>, Refused> {
        let labels = BTreeMap::from([(LABEL_ROOM_UID.to_owned(), self.room_uid.clone())]);
        let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let secret = Secret { metadata, type_: Some(INVITE_SECRET_TYPE.to_owned()), ..Secret::default() };
        let dry = PostParams { dry_run: true, field_manager: Some(COMPARER.to_owned()) };
        match timed(self.api.replace(name, &dry, &secret)).await {
            Ok(found) if keeps_label(found.metadata.managed_fields.as_deref()) => Ok(found.metadata.uid),
            Ok(_) => Err(Refused::of_another_room(name)),
            Err(Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(refused(name, &error)),
        }
    }

    /// Deletes the Secret of this UID. Whether there is no Secret of that name now; `false` means that it has another UID.
    async fn delete_by_uid(&self, name: &str, uid: &str) -> Result<bool, Failure> {
        match timed(self.api.delete(name, &delete_params(Some(uid.to_owned())))).await {
            Ok(_) => Ok(true),
            Err(Error::Api(status)) if status.is_not_found() => Ok(true),
            Err(Error::Api(status)) if status.is_conflict() => Ok(false),
            Err(error) => Err(failure_of(&error)),
        }
    }
}

/// What a replacement by UID has met.
enum Found {
    /// It is up to date.
    Ours(String),
    Nothing,
    /// A Secret of another UID.
    Another,
}

/// Whether a dry run by [`COMPARER`] would leave the label with the Room's UID as it is: what a replacement changes or adds is owned by its
/// field manager, and what it repeats stays with whoever set it.
fn keeps_label(managed_fields: Option<&[ManagedFieldsEntry]>) -> bool {
    let label = format!("/f:metadata/f:labels/f:{}", LABEL_ROOM_UID.replace('/', "~1"));
    let owns = |entry: &&ManagedFieldsEntry| entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer(&label).is_some());
    let owners = || managed_fields.unwrap_or_default().iter().filter(owns);
    owners().next().is_some() && owners().all(|entry| entry.manager.as_deref() != Some(COMPARER))
}

fn name_of(secret: &Secret) -> &str {
    secret.metadata.name.as_deref().unwrap_or_default()
}

/// The Secret came and went between two requests; the next reconciliation will see clearer.
fn moved(name: &str) -> Failure {
    Failure::transient(Reason::ApiServerUnavailable, format!("the Secret \"{name}\" changed while it was written"))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1;
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, label: &str) -> ManagedFieldsEntry {
        let fields = json!({"f:metadata": {"f:labels": {".": {}, format!("f:{label}"): {}}}});
        ManagedFieldsEntry { manager: Some(manager.into()), fields_v1: Some(FieldsV1(fields)), ..ManagedFieldsEntry::default() }
    }

    #[test]
    fn a_secret_is_the_rooms_if_the_label_has_an_owner_and_the_dry_run_is_none_of_them() {
        let (ours, compared) = (entry("roomkeeper", LABEL_ROOM_UID), entry(COMPARER, LABEL_ROOM_UID));
        let others = entry(COMPARER, "other");
        assert!(keeps_label(Some(&[ours.clone(), others.clone()])));
        assert!(keeps_label(Some(&[entry("kubectl", LABEL_ROOM_UID)])));
        for not_ours in [vec![], vec![others], vec![compared.clone()], vec![ours, compared]] {
            assert!(!keeps_label(Some(&not_ours)), "{not_ours:?}");
        }
        assert!(!keeps_label(None));
    }
}
