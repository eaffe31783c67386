//! Builds the backend of a RoomClass from its spec and its credentials.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::OwnSecrets;
use crate::api::{Backend as BackendSpec, LiveKit as LiveKitSpec, Reason, RoomClass, Signalling};
use crate::backend::{Backend, LiveKit, Metered, Registry};
use crate::domain::{Failure, Media};
use crate::observability::metrics::Metrics;

/// Everything that a backend is built from, so that it is built again only when something of it changes.
#[derive(Clone, PartialEq, Eq)]
pub struct BackendConfig {
    url: String,
    public_url: Option<String>,
    signalling: Signalling,
    api_key: String,
    api_secret: String,
    audio_only: bool,
}

impl BackendConfig {
    /// Reads the spec of a class and the Secret that it names.
    pub fn of(class: &RoomClass, secrets: &OwnSecrets) -> Result<Self, Failure> {
        let BackendSpec { live_kit } = &class.spec.backend;
        let misconfigured = |message: String| Failure::misconfigured(Reason::Misconfigured, message);
        let LiveKitSpec { url, public_url, signalling, credentials_secret_ref } =
            live_kit.as_ref().ok_or_else(|| misconfigured("spec.backend: no backend is set".into()))?;
        let name = &credentials_secret_ref.name;
        let value = |key: &str| {
            secrets.value(name, key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).ok_or_else(|| {
                misconfigured(format!(
                    "the Secret \"{name}\" in Roomkeeper's namespace has no value under the key {key}, or does not exist"
                ))
            })
        };
        let (url, public_url, signalling) = (url.clone(), public_url.clone(), signalling.unwrap_or_default());
        let audio_only = Media::of(class).audio_only;
        Ok(Self { url, public_url, signalling, api_key: value("apiKey")?, api_secret: value("apiSecret")?, audio_only })
    }

    /// Whether the other one has another address.
    #[must_use]
    pub fn is_elsewhere(&self, other: &Self) -> bool {
        self.url != other.url
    }

    /// Builds the backend, whose calls `metrics` counts.
    pub fn build(&self, metrics: &Metrics) -> Result<Arc<dyn Backend>, Failure> {
        let Self { url, public_url, signalling, api_key, api_secret, audio_only } = self;
        let livekit = LiveKit::new(url, public_url.as_deref(), api_key, api_secret)?.audio_only(*audio_only);
        let livekit = match signalling {
            Signalling::Proxied => livekit.proxied(url),
            Signalling::Direct => livekit,
        };
        Ok(Arc::new(Metered::new(Arc::new(livekit), "livekit", metrics.clone())))
    }
}

/// Makes the registry equal to the classes, for the gateway, which does not check their health. `known` is what each backend was last built
/// from.
pub fn sync_backends(
    registry: &Registry,
    classes: &Store<RoomClass>,
    secrets: &OwnSecrets,
    metrics: &Metrics,
    known: &mut HashMap<String, BackendConfig>,
) {
    let classes = classes.state();
    known.retain(|name, _| {
        let exists = classes.iter().any(|class| class.name_any() == *name);
        if !exists {
            registry.remove(name);
        }
        exists
    });
    for class in classes {
        let name = class.name_any();
        match BackendConfig::of(&class, secrets) {
            Ok(config) if known.get(&name) == Some(&config) => {}
            Ok(config) => {
                registry.set(&name, config.build(metrics));
                known.insert(name, config);
            }
            Err(failure) => {
                registry.set(&name, Err(failure));
                known.remove(&name);
            }
        }
    }
}
