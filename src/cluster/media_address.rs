//! The load balancers before the media of a LiveKit server that is installed along, and what LiveKit is told of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, LoadBalancerIngress, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::Patch;
use kube::{Api, Client};
use serde_json::json;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::client::REQUEST_TIMEOUT;
use super::writes::{patch_params, post_params};
use crate::api::MANAGER;
use crate::domain::{BalancedService, MediaAddress, NoMediaAddress};

/// Keys of the ConfigMap that LiveKit's pod reads: its `node_ip`, one address as a network, and what its TURN server listens at.
const NODE_IP: &str = "nodeIP";
const CIDR: &str = "cidr";
const TURN_BIND: &str = "turnBind";
/// How often the address was another one, on the ConfigMap: LiveKit may run with the one before.
const CHANGES: &str = "roomkeeper.io/media-address-changes";
/// On LiveKit's pods: another value makes new ones.
const ADDRESS: &str = "roomkeeper.io/media-address";

/// What LiveKit was told before.
#[derive(Clone, Debug)]
pub struct ToldAddress {
    config_map: ConfigMap,
    /// The address; nothing if what is written is none.
    pub address: Option<MediaAddress>,
    changes: u32,
}

/// What the load balancer of a Service says of where it is; nothing while there is none, or no such Service.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn load_balancer(client: &Client, namespace: &str, service: &str) -> kube::Result<Vec<LoadBalancerIngress>> {
    let service = Api::<Service>::namespaced(client.clone(), namespace).get_opt(service).await?;
    Ok(service.and_then(|service| service.status?.load_balancer?.ingress).unwrap_or_default())
}

/// The addresses of a Service's load balancer, with those that its names lead to.
///
/// # Errors
/// When a name leads nowhere.
pub async fn addresses(service: &str, places: Vec<LoadBalancerIngress>) -> Result<BalancedService, NoMediaAddress> {
    let mut found = BalancedService { name: service.to_owned(), addresses: BTreeSet::new(), is_named: false };
    for LoadBalancerIngress { ip, hostname, .. } in places {
        if let Some(address) = ip.as_deref().and_then(|ip| ip.parse().ok()) {
            found.addresses.insert(address);
        } else if let Some(name) = hostname {
            found.is_named = true;
            let resolved = resolve(&name).await.ok_or_else(|| NoMediaAddress::Unresolved { service: service.to_owned(), name })?;
            found.addresses.extend(resolved);
        }
    }
    Ok(found)
}

/// The addresses of a name, if there are any.
async fn resolve(name: &str) -> Option<Vec<IpAddr>> {
    let found = timeout(REQUEST_TIMEOUT, lookup_host((name, 0))).await.ok()?.ok()?;
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    if addresses.is_empty() { None } else { Some(addresses) }
}

/// What the LiveKit of this Deployment was told; nothing if it waits for that.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn told_address(client: &Client, namespace: &str, deployment: &str) -> kube::Result<Option<ToldAddress>> {
    let found = Api::<ConfigMap>::namespaced(client.clone(), namespace).get_opt(deployment).await?;
    Ok(found.map(|config_map| {
        let address = config_map.data.as_ref().and_then(|data| MediaAddress::read(data.get(NODE_IP)?));
        let changes = config_map.metadata.annotations.as_ref().and_then(|all| all.get(CHANGES)?.parse().ok());
        ToldAddress { config_map, address, changes: changes.unwrap_or_default() }
    }))
}

/// Tells the LiveKit of this Deployment its address: writes it down, and where LiveKit may run with another one has it started anew. Again does
/// nothing.
///
/// # Errors
/// When the API server refuses, or cannot be reached: what was not done yet is done the next time.
pub async fn tell_address(
    client: &Client,
    (namespace, deployment): (&str, &str),
    told: Option<ToldAddress>,
    address: MediaAddress,
) -> kube::Result<()> {
    let config_maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let data = [(NODE_IP, address.node_ip()), (CIDR, address.cidr()), (TURN_BIND, address.turn_bind().to_string())];
    let data = BTreeMap::from(data.map(|(key, value)| (key.to_owned(), value)));
    let Some(ToldAddress { mut config_map, address: before, mut changes }) = told else {
        let labels = BTreeMap::from([("app.kubernetes.io/part-of".to_owned(), MANAGER.to_owned())]);
        let metadata = ObjectMeta { name: Some(deployment.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        config_maps.create(&post_params(), &ConfigMap { metadata, data: Some(data), ..ConfigMap::default() }).await?;
        tracing::info!(address = address.node_ip(), "LiveKit is told the address of its load balancer");
        return Ok(());
    };
    if before != Some(address) {
        changes += 1;
        config_map.metadata.annotations.get_or_insert_default().insert(CHANGES.to_owned(), changes.to_string());
        tracing::warn!(address = address.node_ip(), "the load balancer of the media has another address: LiveKit is started anew");
    }
    // An older Roomkeeper may have told less of the same address.
    if config_map.data.as_ref() != Some(&data) {
        config_map.metadata.managed_fields = None;
        config_map.data = Some(data);
        config_maps.replace(deployment, &post_params(), &config_map).await?;
    }
    if changes > 0 {
        let annotations = json!({ADDRESS: address.node_ip()});
        let patch = Patch::Merge(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
        Api::<Deployment>::namespaced(client.clone(), namespace).patch(deployment, &patch_params(), &patch).await?;
    }
    Ok(())
}
