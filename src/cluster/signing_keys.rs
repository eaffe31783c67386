//! The invite signing keys, as their Secret has them.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use tokio::sync::watch;

use crate::domain::KeyRing;
use crate::observability::metrics::Metrics;

/// Name of the Secret with the invite signing keys.
pub const INVITE_KEYS_SECRET: &str = "roomkeeper-invite-keys";

/// Follows the Secret with the invite signing keys, and publishes what it holds.
pub(super) struct SigningKeys {
    publish: watch::Sender<Option<Arc<KeyRing>>>,
    metrics: Metrics,
    /// The keys that were in force last.
    last: Option<Arc<KeyRing>>,
    /// The state of the Secret that was read last, so that trouble is told once for each change of this Secret, and not for those of others.
    version: Option<String>,
}

impl SigningKeys {
    pub(super) fn new(publish: watch::Sender<Option<Arc<KeyRing>>>, metrics: Metrics) -> Self {
        Self { publish, metrics, last: None, version: None }
    }

    /// Reads the Secret, unless it is as it was. Without it no key is in force.
    pub(super) fn follow(&mut self, secret: Option<&Secret>) {
        let Some(secret) = secret else { return self.publish_none() };
        if self.version.is_some() && self.version == secret.metadata.resource_version {
            return;
        }
        self.version.clone_from(&secret.metadata.resource_version);
        let entries = secret.data.iter().flatten().map(|(name, value)| (name.as_str(), value.0.as_slice()));
        let (ring, unusable) = KeyRing::read(entries, self.last.as_deref());
        for error in &unusable {
            tracing::error!(secret = INVITE_KEYS_SECRET, %error, "an invite signing key cannot be used; one that was read before stays in its place");
        }
        self.metrics.unusable_keys(unusable.len());
        match ring {
            Ok(ring) => {
                let is_same = self.publish.borrow().as_ref().is_some_and(|current| current.same_keys(&ring));
                let ring = Arc::new(ring);
                self.last = Some(ring.clone());
                if !is_same {
                    self.publish.send_replace(Some(ring));
                }
            }
            Err(error) => {
                tracing::error!(secret = INVITE_KEYS_SECRET, %error, "there is no invite signing key: nobody can join");
                self.publish.send_replace(None);
            }
        }
    }

    fn publish_none(&mut self) {
        self.version = None;
        self.metrics.unusable_keys(0);
        if self.publish.borrow().is_some() {
            tracing::warn!(secret = INVITE_KEYS_SECRET, "the invite signing keys were deleted: whoever came by their invites is put out");
        }
        self.publish.send_replace(None);
    }
}
