//! There is always an invite signing key: who deletes the Secret with them ends all invites, and gets a new key.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock;
use crate::cluster::ensure_invite_keys;
use crate::domain::KeyRing;

/// How soon a request that failed is sent again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Makes the Secret again whenever it was deleted. A Secret that is there and holds no key is left to whoever made it so.
pub async fn keep(client: Client, operator_namespace: String, mut keys: watch::Receiver<Option<Arc<KeyRing>>>) {
    while keys.wait_for(Option::is_none).await.is_ok() {
        match ensure_invite_keys(client.clone(), &operator_namespace, clock::now()).await {
            Ok(()) => drop(keys.changed().await),
            Err(error) => {
                tracing::warn!(%error, "a new invite signing key could not be made; it is tried again");
                sleep(RETRY_AFTER).await;
            }
        }
    }
    // The watch of Secrets has ended, which ends the controller.
    pending::<()>().await;
}
