//! What has to be there before the controller can work, and the one line that says what is not.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::reflector;
use kube::{Api, Client};
use tokio::sync::watch;

use super::leader::LeaseError;
use crate::api::RoomClass;
use crate::args::ControllerArgs;
use crate::cluster::{self, ClassFileError, KeysError, OwnSecrets, PreflightError, RoomWatchEnded, Scope, may_list, may_read};
use crate::domain::{Installation, KeyRing};

/// Why the controller could not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The cluster is not there, or does not allow what is needed.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// It is not, or no longer, the leader.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Shards are agreed on by Leases.
    #[error("--shards needs --leader-elect: who works on which shard is agreed on by Leases")]
    Shards,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// A watch ended before it had listed its objects.
    #[error("a watch ended before it had listed its objects")]
    Watch(#[from] reflector::store::WriterDropped),
    /// The same of the Rooms.
    #[error(transparent)]
    Rooms(#[from] RoomWatchEnded),
    /// Something that goes on beside the reconciliations has ended: without it nothing would be noticed any more.
    #[error("a watch or the loop of a class has ended; the log says why")]
    Ended,
    /// A watch does not work here.
    #[error("a watch of the API server has been silent for minutes: another controller may do better")]
    Silent,
    /// Keys could not be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The class that comes with the installation cannot be used.
    #[error(transparent)]
    Class(#[from] ClassFileError),
    /// The signing keys are there and cannot be used.
    #[error(
        "the Secret {secret} in namespace {0} has no usable invite signing key: each entry must be named <id>.pem and hold an Ed25519 private key",
        secret = cluster::INVITE_KEYS_SECRET
    )]
    NoKeys(String),
}

/// Asks for all that the controller reads, and which installation it belongs to.
pub async fn preflight(client: &Client, args: &ControllerArgs) -> Result<Installation, PreflightError> {
    let (scope, operator_namespace) = (Scope::new(&args.watch_namespaces), &args.operator_namespace);
    may_read(client, &scope, operator_namespace).await?;
    // Where namespaces are named, an account may have the right to see those alone.
    if scope == Scope::Everywhere {
        may_list(&Api::<Namespace>::all(client.clone())).await?;
    }
    cluster::installation(client, operator_namespace).await
}

/// Who this process is among the candidates: the machine, and something that no other process has at the same time. A container is started
/// again in its Pod when the one before it is gone, so that the Pod's UID will do.
pub fn identity(pod_uid: Option<&str>) -> Result<String, getrandom::Error> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if let Some(uid) = pod_uid {
        return Ok(format!("{host}_{uid}"));
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    Ok(format!("{host}_{:016x}", u64::from_be_bytes(random)))
}

/// Makes what an installation brings along and is missing.
pub async fn install(client: &Client, args: &ControllerArgs, room_class: Option<&RoomClass>) -> Result<(), StartError> {
    if let Some(name) = &args.livekit_keys_secret {
        cluster::ensure_livekit_keys(client.clone(), &args.operator_namespace, name).await?;
    }
    if let Some(class) = room_class {
        cluster::apply_class(client.clone(), class).await?;
    }
    Ok(())
}

/// The invite signing keys, made if there are none yet.
pub async fn signing_keys(
    client: &Client,
    secrets: &OwnSecrets,
    namespace: &str,
    now: Timestamp,
) -> Result<watch::Receiver<Option<Arc<KeyRing>>>, StartError> {
    if !secrets.exists(cluster::INVITE_KEYS_SECRET) {
        cluster::ensure_invite_keys(client.clone(), namespace, now).await?;
    }
    let mut keys = secrets.keys.clone();
    let usable = tokio::time::timeout(cluster::REQUEST_TIMEOUT, keys.wait_for(Option::is_some)).await.is_ok_and(|seen| seen.is_ok());
    if usable { Ok(keys) } else { Err(StartError::NoKeys(namespace.to_owned())) }
}
