//! The client for the cluster.

use std::time::Duration;

use kube::{Client, Config};

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
