//! Asks at the start whether the cluster is there and allows what a role lives from, so that what is missing is said in one line.
//! A watch would only be tried again and again.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use super::{REQUEST_TIMEOUT, Scope};
use crate::api::{Room, RoomClass, RoomGuest};
use crate::clock;
use crate::domain::Installation;
use crate::error_chain::display_chain;

/// How long an API server that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Why a role cannot start in this cluster.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// The API server does not answer.
    #[error("the API server of the cluster has not answered for {PATIENCE:?}: {0}")]
    Unreachable(String),
    /// The API server does not know the account.
    #[error("the API server does not take these credentials: {0}")]
    Unauthorized(String),
    /// A right is missing.
    #[error("a permission is missing: {0}")]
    Forbidden(String),
    /// A kind is not known.
    #[error("the cluster knows no {0}: install the CustomResourceDefinitions of this version first")]
    NoDefinition(String),
    /// The operator's namespace does not exist.
    #[error("there is no namespace {0}; --operator-namespace must name the one that Roomkeeper runs in")]
    NoNamespace(String),
}

/// Asks for all that both roles read: Rooms and guests wherever `scope` says, classes, and the operator's own Secrets.
///
/// # Errors
/// When something may not be listed, a kind is not known, or nobody answers.
pub async fn may_read(client: &Client, scope: &Scope, operator_namespace: &str) -> Result<(), PreflightError> {
    for rooms in scope.apis::<Room>(client) {
        may_list(&rooms).await?;
    }
    for guests in scope.apis::<RoomGuest>(client) {
        may_list(&guests).await?;
    }
    may_list(&Api::<RoomClass>::all(client.clone())).await?;
    may_list(&Api::<Secret>::namespaced(client.clone(), operator_namespace)).await
}

/// Checks that the objects of an API may be listed.
///
/// # Errors
/// When they may not, the kind is not known, or nobody answers.
pub async fn may_list<K>(api: &Api<K>) -> Result<(), PreflightError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
{
    let list = async || api.list_metadata(&ListParams::default().limit(1)).await;
    ask(list, || PreflightError::NoDefinition(format!("{}.{}", K::plural(&()), K::group(&())))).await.map(drop)
}

/// The installation in the namespace `own`, which both roles must take for the same, because they name sessions by it.
///
/// # Errors
/// When there is no such namespace, it may not be read, or nobody answers.
pub async fn installation(client: &Client, own: &str) -> Result<Installation, PreflightError> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace = ask(async || namespaces.get_metadata(own).await, || PreflightError::NoNamespace(own.to_owned())).await?;
    Ok(Installation::from_namespace_uid(&namespace.uid().unwrap_or_default()))
}

/// Asks until there is an answer, or for as long as patience lasts; `absent` is the error when what is asked for is not there.
async fn ask<T>(question: impl AsyncFn() -> kube::Result<T>, absent: impl Fn() -> PreflightError) -> Result<T, PreflightError> {
    let began = clock::uptime();
    loop {
        let problem = match timeout(REQUEST_TIMEOUT, question()).await {
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
        if clock::uptime().saturating_sub(began) >= PATIENCE {
            return Err(PreflightError::Unreachable(problem));
        }
        tracing::warn!(problem, "the API server cannot be asked; it is tried again");
        sleep(ASK_AGAIN).await;
    }
}
