//! The client for the cluster.

use std::time::Duration;

use kube::client::ClientBuilder;
use kube::{Client, Config};

use super::watch_ages::{WATCH_LASTS, WatchAges};

/// Longest wait for one answer of the API server.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence on any connection. One that says nothing for longer is dead, whether or not anybody has closed it.
const LONGEST_SILENCE: Duration = Duration::from_secs(25);
const _: () = assert!(WATCH_LASTS.as_secs() < LONGEST_SILENCE.as_secs());

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

/// A client for the cluster that kubectl would use: `KUBECONFIG`, else the Pod's own. Every request has a bound.
///
/// kube's retries are off: they repeat a POST whose answer was lost, and their delays add up to minutes. Every caller here
/// tries again by itself.
///
/// # Errors
/// When no cluster is configured, or its configuration cannot be used.
pub async fn client() -> Result<Client, ClientError> {
    Ok(Client::try_from(config().await?)?)
}

/// The same for those who live from watches, with the ages of these.
///
/// # Errors
/// As [`client`].
pub async fn watching_client() -> Result<(Client, WatchAges), ClientError> {
    let ages = WatchAges::default();
    let client = ClientBuilder::try_from(config().await?)?.with_layer(&ages).build();
    Ok((client, ages))
}

async fn config() -> Result<Config, ClientError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    config.connect_timeout = Some(REQUEST_TIMEOUT);
    config.write_timeout = Some(REQUEST_TIMEOUT);
    config.read_timeout = Some(LONGEST_SILENCE);
    // The silence of a connection that nobody used is nobody's.
    config.reset_reader_on_write = true;
    Ok(config)
}
