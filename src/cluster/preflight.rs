//! Waits at the start for the API server, and checks that it allows what a role needs, so that what is missing is said in one line. A watch would
//! retry for ever and only log.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::definitions::{OldDefinition, are_new_enough};
use super::{REQUEST_TIMEOUT, Scope};
use crate::api::{Room, RoomClass, RoomGuest, RoomRemoval};
use crate::clock;
use crate::domain::Installation;
use crate::error_chain::display_chain;

/// After how long it is told, each time, that the API server does not answer.
const TOLD_EVERY: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a role cannot start in this cluster.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The API server does not accept the credentials.
    #[error("the API server does not take these credentials: {0}")]
    Unauthorized(String),
    /// A permission is missing.
    #[error("a permission is missing: {0}")]
    Forbidden(String),
    /// The CustomResourceDefinition of a kind is missing.
    #[error("the cluster knows no {0}: install the CustomResourceDefinitions of this version first")]
    NoDefinition(String),
    /// The CustomResourceDefinition of a kind is older than this program.
    #[error(transparent)]
    OldDefinition(#[from] OldDefinition),
    #[error("there is no namespace {0}; --operator-namespace must name the one that Roomkeeper runs in")]
    NoNamespace(String),
}

/// Checks what both roles read: Rooms, guests and removals of `scope`, classes, and the Secrets of the operator's namespace.
///
/// # Errors
/// When something may not be listed, or a kind is not known or older than this program.
pub async fn may_read(client: &Client, scope: &Scope, operator_namespace: &str) -> Result<(), PreflightError> {
    for rooms in scope.apis::<Room>(client) {
        may_list(&rooms).await?;
    }
    for guests in scope.apis::<RoomGuest>(client) {
        may_list(&guests).await?;
    }
    for removals in scope.apis::<RoomRemoval>(client) {
        may_list(&removals).await?;
    }
    may_list(&Api::<RoomClass>::all(client.clone())).await?;
    may_list(&Api::<Secret>::namespaced(client.clone(), operator_namespace)).await?;
    Ok(are_new_enough(client).await?)
}

/// Checks that the objects of an API may be listed.
///
/// # Errors
/// When they may not, or the kind is not known.
pub async fn may_list<K>(api: &Api<K>) -> Result<(), PreflightError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let list = async || api.list_metadata(&ListParams::default().limit(1)).await;
    ask(list, || PreflightError::NoDefinition(format!("{}.{}", K::plural(&()), K::group(&())))).await.map(drop)
}

/// The installation, told by the UID of the operator's namespace. Both roles name sessions by it, so both must see the same one.
///
/// # Errors
/// When there is no such namespace, or it may not be read.
pub async fn installation(client: &Client, operator_namespace: &str) -> Result<Installation, PreflightError> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace =
        ask(async || namespaces.get_metadata(operator_namespace).await, || PreflightError::NoNamespace(operator_namespace.to_owned()))
            .await?;
    Ok(Installation::from_namespace_uid(&namespace.uid().unwrap_or_default()))
}

/// Sends a request until it is answered; `absent` is the error for 404. It never gives up: whoever ends is started again after pauses that grow to
/// minutes, and would be missing when the API server is back.
async fn ask<T>(request: impl AsyncFn() -> kube::Result<T>, absent: impl Fn() -> PreflightError) -> Result<T, PreflightError> {
    let mut silent_since = clock::uptime();
    loop {
        let problem = match timeout(REQUEST_TIMEOUT, request()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(kube::Error::Api(status))) => match status.code {
                401 => return Err(PreflightError::Unauthorized(status.message)),
                403 => return Err(PreflightError::Forbidden(status.message)),
                404 => return Err(absent()),
                _ => status.message,
            },
            Ok(Err(error)) => display_chain(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        if clock::uptime().saturating_sub(silent_since) >= TOLD_EVERY {
            silent_since = clock::uptime();
            tracing::error!(problem, "the API server of the cluster has not answered for {TOLD_EVERY:?}; it is tried again");
        } else {
            tracing::warn!(problem, "the API server does not answer; the request is sent again");
        }
        sleep(RETRY_AFTER).await;
    }
}
