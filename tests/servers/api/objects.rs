//! Objects of one kind as a test meets them: accepted and readable, or refused with words.

// Clippy takes only functions marked as tests for tests, and these are their parts.
#![allow(clippy::expect_used, clippy::panic)]

use std::fmt::Debug;

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use roomkeeper::api::{Room, RoomClass};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;

/// The objects of one kind that one test makes.
pub struct Objects<K> {
    /// Where they are; unused by kinds without namespace.
    pub namespace: String,
    api: Api<DynamicObject>,
    kind: std::marker::PhantomData<K>,
}

impl Objects<Room> {
    /// Rooms in a namespace of their own.
    pub async fn rooms() -> Self {
        let cluster = Cluster::shared().await;
        let namespace = cluster.namespace().await;
        let api = Api::namespaced_with(cluster.admin().await, &namespace, &ApiResource::erase::<Room>(&()));
        Self { namespace, api, kind: std::marker::PhantomData }
    }
}

impl Objects<RoomClass> {
    /// `RoomClasses`, which all tests share, under names of their own.
    pub async fn classes() -> Self {
        let api = Api::all_with(Cluster::shared().await.admin().await, &ApiResource::erase::<RoomClass>(&()));
        Self { namespace: String::new(), api, kind: std::marker::PhantomData }
    }
}

impl<K> Objects<K>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    /// Makes an object, or says in which words it was refused.
    pub async fn create(&self, object: Value) -> Result<K, String> {
        let object = serde_json::from_value(object).expect("an object");
        answer(self.api.create(&PostParams::default(), &object).await)
    }

    /// Makes an object with this spec under a name that the API server picks.
    pub async fn create_spec(&self, spec: &Value) -> Result<K, String> {
        let (version, kind) = (K::api_version(&()), K::kind(&()));
        self.create(json!({"apiVersion": version, "kind": kind, "metadata": {"generateName": "test-"}, "spec": spec})).await
    }

    /// Makes an object with a spec that must be accepted.
    pub async fn accepts(&self, spec: Value) -> K {
        self.create_spec(&spec).await.unwrap_or_else(|refusal| panic!("{} is refused: {refusal}", shown(&spec)))
    }

    /// Has a spec refused with all of these words.
    pub async fn refuses(&self, spec: Value, words: &[&str]) {
        refused(&shown(&spec), self.create_spec(&spec).await, words);
    }

    /// Changes an object by a merge patch, or says in which words that was refused.
    pub async fn change(&self, object: &K, patch: &Value) -> Result<K, String> {
        answer(self.api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await)
    }

    /// Has a change accepted.
    pub async fn accepts_change(&self, object: &K, patch: Value) -> K {
        self.change(object, &patch).await.unwrap_or_else(|refusal| panic!("the change {} is refused: {refusal}", shown(&patch)))
    }

    /// Has a change refused with all of these words.
    pub async fn refuses_change(&self, object: &K, patch: Value, words: &[&str]) {
        refused(&shown(&patch), self.change(object, &patch).await, words);
    }

    /// Writes the status, as the controller does.
    pub async fn set_status(&self, object: &K, status: Value) -> K {
        let patch = json!({"status": status});
        let written = self.api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
        answer(written).expect("an accepted status")
    }

    /// Applies an object as `manager`, without force.
    pub async fn apply(&self, manager: &str, object: &Value) -> Result<K, String> {
        let name = object["metadata"]["name"].as_str().expect("a name");
        answer(self.api.patch(name, &PatchParams::apply(manager), &Patch::Apply(object)).await)
    }
}

/// An answer of the API server. What it accepts must be readable, or the controller would never act on it.
fn answer<K: DeserializeOwned>(answer: kube::Result<DynamicObject>) -> Result<K, String> {
    match answer {
        Ok(object) => {
            let object = serde_json::to_value(&object).expect("an object");
            Ok(serde_json::from_value(object).expect("what the API server accepts can be read"))
        }
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => panic!("no answer: {error}"),
    }
}

/// Fails unless something was refused with all of these words.
pub fn refused<K: Debug>(what: &str, outcome: Result<K, String>, words: &[&str]) {
    let Err(message) = outcome else { panic!("{what} is accepted") };
    for word in words {
        assert!(message.contains(word), "the refusal of {what} does not say {word:?}: {message}");
    }
}

/// JSON, shortened where it is long.
fn shown(json: &Value) -> String {
    let text = json.to_string();
    text.char_indices().nth(300).map_or(text.clone(), |(end, _)| format!("{} ...", &text[..end]))
}
