//! Builds the backend of a RoomClass from its spec and its credentials.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::{OwnSecrets, SessionRecords};
use crate::api::{
    AzureCommunicationServices as AzureSpec, Backend as BackendSpec, CredentialsSecretRef, LiveKit as LiveKitSpec, Reason, RoomClass,
    Signalling,
};
use crate::backend::{AzureCommunicationServices, Backend, LiveKit, Metered, Registry, WorkloadIdentity};
use crate::domain::{Failure, Media};
use crate::observability::metrics::Metrics;

/// Everything that a backend is built from, so that it is built again only when something of it changes.
#[derive(Clone, PartialEq, Eq)]
pub enum BackendConfig {
    LiveKit {
        url: String,
        public_url: Option<String>,
        signalling: Signalling,
        api_key: String,
        api_secret: String,
        audio_only: bool,
    },
    /// Without an access key it is the workload identity of the pods that has the right.
    AzureCommunicationServices {
        endpoint: String,
        access_key: Option<String>,
    },
}

impl BackendConfig {
    /// Reads the spec of a class and the Secret that it names.
    pub fn of(class: &RoomClass, secrets: &OwnSecrets) -> Result<Self, Failure> {
        let misconfigured = |message: String| Failure::misconfigured(Reason::Misconfigured, message);
        let value = |CredentialsSecretRef { name }: &CredentialsSecretRef, key: &str| {
            secrets.value(name, key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).ok_or_else(|| {
                misconfigured(format!(
                    "the Secret \"{name}\" in Roomkeeper's namespace has no value under the key {key}, or does not exist"
                ))
            })
        };
        match &class.spec.backend {
            BackendSpec { live_kit: Some(live_kit), azure_communication_services: None } => {
                let LiveKitSpec { url, public_url, signalling, credentials_secret_ref } = live_kit;
                Ok(Self::LiveKit {
                    url: url.clone(),
                    public_url: public_url.clone(),
                    signalling: signalling.unwrap_or_default(),
                    api_key: value(credentials_secret_ref, "apiKey")?,
                    api_secret: value(credentials_secret_ref, "apiSecret")?,
                    audio_only: Media::of(class).audio_only,
                })
            }
            BackendSpec { live_kit: None, azure_communication_services: Some(azure) } => {
                let AzureSpec { endpoint, credentials_secret_ref } = azure;
                let endpoint = endpoint.trim_end_matches('/').to_owned();
                let access_key = credentials_secret_ref.as_ref().map(|secret| value(secret, "accessKey")).transpose()?;
                Ok(Self::AzureCommunicationServices { endpoint, access_key })
            }
            BackendSpec { live_kit: None, azure_communication_services: None } => {
                Err(misconfigured("spec.backend: no backend is set".into()))
            }
            BackendSpec { live_kit: Some(_), azure_communication_services: Some(_) } => {
                Err(misconfigured("spec.backend: more than one backend is set".into()))
            }
        }
    }

    /// Whether the other one has another address.
    #[must_use]
    pub fn is_elsewhere(&self, other: &Self) -> bool {
        self.address() != other.address()
    }

    fn address(&self) -> &str {
        match self {
            Self::LiveKit { url, .. } => url,
            Self::AzureCommunicationServices { endpoint, .. } => endpoint,
        }
    }
}

/// What every backend is built with.
#[derive(Clone)]
pub struct BackendFactory {
    /// Counts the calls.
    pub metrics: Metrics,
    /// Where they keep what they have to know after a crash.
    pub records: SessionRecords,
    /// That of the pod, if it has one.
    pub workload_identity: Option<WorkloadIdentity>,
}

impl BackendFactory {
    /// Builds the backend. It connects to nothing yet.
    pub fn build(&self, config: &BackendConfig) -> Result<Arc<dyn Backend>, Failure> {
        let (backend, kind): (Arc<dyn Backend>, _) = match config {
            BackendConfig::LiveKit { url, public_url, signalling, api_key, api_secret, audio_only } => {
                let livekit = LiveKit::new(url, public_url.as_deref(), api_key, api_secret)?.audio_only(*audio_only);
                let livekit = match signalling {
                    Signalling::Proxied => livekit.proxied(url),
                    Signalling::Direct => livekit,
                };
                (Arc::new(livekit), "livekit")
            }
            BackendConfig::AzureCommunicationServices { endpoint, access_key } => {
                let records = self.records.at(endpoint);
                let azure = match (access_key, &self.workload_identity) {
                    (Some(key), _) => AzureCommunicationServices::new(endpoint, key, records)?,
                    (None, Some(identity)) => AzureCommunicationServices::with_identity(endpoint, identity.clone(), records)?,
                    (None, None) => {
                        let message = "the class names no credentialsSecretRef, and Roomkeeper's pods have no workload identity: AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are not all set";
                        return Err(Failure::misconfigured(Reason::Misconfigured, message));
                    }
                };
                (Arc::new(azure), "azure-communication-services")
            }
        };
        Ok(Arc::new(Metered::new(backend, kind, self.metrics.clone())))
    }
}

/// Makes the registry equal to the classes, for the gateway, which does not check their health. `known` is what each backend was last built
/// from.
pub fn sync_backends(
    registry: &Registry,
    classes: &Store<RoomClass>,
    secrets: &OwnSecrets,
    factory: &BackendFactory,
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
                registry.set(&name, factory.build(&config));
                known.insert(name, config);
            }
            Err(failure) => {
                registry.set(&name, Err(failure));
                known.remove(&name);
            }
        }
    }
}
