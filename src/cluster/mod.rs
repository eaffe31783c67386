//! The cluster as both roles see it: the client, watches, and the Secrets in the operator's own namespace.

mod backends;
mod merge;
mod other_classes;
mod preflight;
mod room_class_file;
mod secrets;
mod watch;

use std::time::Duration;

use kube::{Client, Config};

pub use backends::{BackendConfig, sync_backends};
pub use other_classes::OtherClasses;
pub use preflight::{PreflightError, installation, may_list, may_read};
pub use room_class_file::{ClassFileError, apply_class, read_class};
pub use secrets::{INVITE_KEYS_SECRET, KeysError, OwnSecrets, ensure_invite_keys, ensure_livekit_keys, watch_own_secrets};
pub use watch::{Scope, WatchStream, watch, watch_classes, watch_namespaces, watch_scope};

/// Longest wait for one answer of the API server.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No cluster is configured.
    #[error("no cluster is configured: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(#[from] kube::Error),
}

/// A client for the cluster that kubectl would use: `KUBECONFIG`, else the Pod's own.
///
/// kube's retries are off: they repeat a POST whose answer was lost, and their delays add up to minutes. Every caller here
/// tries again by itself.
///
/// # Errors
/// When no cluster is configured, or its configuration cannot be used.
pub async fn client() -> Result<Client, ClientError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    config.connect_timeout = Some(REQUEST_TIMEOUT);
    Ok(Client::try_from(config)?)
}
