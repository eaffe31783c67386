//! Rooms on Azure Communication Services, as the double has them.

mod calls;
mod classes;
mod client;
mod export;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use roomkeeper::api::{Room, RoomClass};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::acs::AcsServer;
use crate::support::cluster::{OPERATOR_NAMESPACE, install_with};
use crate::support::stage::{Stage, set_secret};

/// Name of the class on the double.
const AZURE: &str = "azure";

/// An installation with a class on LiveKit and one on the double.
struct AzureStage {
    stage: Stage,
    server: AcsServer,
}

impl AzureStage {
    /// The one that tests share when they change nothing that others would notice.
    async fn shared() -> &'static Self {
        static SHARED: OnceCell<AzureStage> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        let mut stage = Stage::start().await;
        stage.cluster.retire();
        install_with(&stage.admin, &["--set=azureCommunicationServices.enabled=true"]).await;
        let server = AcsServer::start().await;
        make_class(&stage, AZURE, &server).await;
        stage.class_reason(AZURE, "Reconciled").await;
        Self { stage, server }
    }

    /// The roles on the roster of a room, in order.
    fn roles(&self, room: &str) -> Vec<String> {
        let found = self.server.rooms().into_iter().find(|state| state.id == room);
        let mut roles: Vec<String> = found.into_iter().flat_map(|state| state.participants.into_values()).collect();
        roles.sort();
        roles
    }

    /// What is kept of the sessions of a Room.
    async fn records(&self, room: &Room) -> Vec<ConfigMap> {
        let records = Api::<ConfigMap>::namespaced(self.stage.admin.clone(), OPERATOR_NAMESPACE);
        let all = records.list(&ListParams::default().labels("roomkeeper.io/record=session")).await.expect("a list").items;
        let uid = room.metadata.uid.clone().expect("a UID");
        all.into_iter().filter(|record| record.metadata.name.as_ref().is_some_and(|name| name.contains(&uid))).collect()
    }
}

/// Makes a class on a double, with its key.
async fn make_class(stage: &Stage, name: &str, server: &AcsServer) {
    set_secret(&stage.admin, name, &[("accessKey", server.access_key())]).await;
    let backend = json!({"azureCommunicationServices": {"endpoint": server.endpoint(), "credentialsSecretRef": {"name": name}}});
    apply_class(stage, name, json!({"backend": backend})).await.expect("the class is accepted");
}

async fn apply_class(stage: &Stage, name: &str, spec: Value) -> Result<RoomClass, kube::Error> {
    let class = json!({"apiVersion": "roomkeeper.io/v1alpha1", "kind": "RoomClass", "metadata": {"name": name}, "spec": spec});
    Api::<RoomClass>::all(stage.admin.clone()).patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(class)).await
}
