//! What the gateway writes to the API server: guests and removals, which it makes and deletes for Presenters, and Events on what they did.
//! Nothing else.

use std::fmt::Debug;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Reason, Room, RoomGuest, RoomRemoval};
use crate::cluster::{delete_object, post_params, publish_event};
use crate::domain::ValidRoom;

/// Name under which Events are reported.
const COMPONENT: &str = "roomkeeper.io/gateway";

/// What the gateway writes.
#[async_trait]
pub trait KubeWriter: Send + Sync {
    /// Publishes an Event on a Room. One that is lost is no reason to fail: what it tells of has happened all the same.
    async fn publish_event(&self, room: &ValidRoom, reason: Reason, note: String);

    /// Creates a guest, and gives it as the API server has it. The error is for logs.
    async fn create_guest(&self, guest: RoomGuest) -> Result<RoomGuest, String>;

    /// Deletes this guest, and no other of its name. One that is gone counts as deleted. The error is for logs.
    async fn delete_guest(&self, guest: &RoomGuest) -> Result<(), String>;

    /// Creates a removal. The error is for logs.
    async fn create_removal(&self, removal: RoomRemoval) -> Result<(), String>;

    /// Deletes this removal. One that is gone counts as deleted. The error is for logs.
    async fn delete_removal(&self, removal: &RoomRemoval) -> Result<(), String>;
}

/// Writes to a real API server.
pub struct ApiWriter {
    client: Client,
}

impl ApiWriter {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn create<K>(&self, object: &K) -> Result<K, String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let api = Api::<K>::namespaced(self.client.clone(), object.meta().namespace.as_deref().unwrap_or_default());
        api.create(&post_params(), object).await.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl KubeWriter for ApiWriter {
    async fn publish_event(&self, room: &ValidRoom, reason: Reason, note: String) {
        let event =
            Event { type_: EventType::Normal, reason: reason.to_string(), note: Some(note), action: "Moderate".into(), secondary: None };
        let regarding = ObjectReference {
            api_version: Some(Room::api_version(&()).into_owned()),
            kind: Some(Room::kind(&()).into_owned()),
            namespace: Some(room.namespace.clone()),
            name: Some(room.name.clone()),
            uid: Some(room.uid.clone()),
            ..ObjectReference::default()
        };
        if let Err(error) = publish_event(self.client.clone(), COMPONENT, &event, &regarding).await {
            tracing::warn!(namespace = room.namespace, room = room.name, %reason, %error, "an Event could not be published");
        }
    }

    async fn create_guest(&self, guest: RoomGuest) -> Result<RoomGuest, String> {
        self.create(&guest).await
    }

    async fn delete_guest(&self, guest: &RoomGuest) -> Result<(), String> {
        delete_object(self.client.clone(), guest).await.map_err(|error| error.to_string())
    }

    async fn create_removal(&self, removal: RoomRemoval) -> Result<(), String> {
        self.create(&removal).await.map(drop)
    }

    async fn delete_removal(&self, removal: &RoomRemoval) -> Result<(), String> {
        delete_object(self.client.clone(), removal).await.map_err(|error| error.to_string())
    }
}
