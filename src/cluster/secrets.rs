//! The Secrets in the operator's own namespace: invite signing keys, and credentials of media servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Api, Client};
use tokio::sync::watch;

use crate::api::MANAGER;
use crate::domain::{KeyRing, generate_key};

/// Name of the Secret with the invite signing keys.
pub const INVITE_KEYS_SECRET: &str = "roomkeeper-invite-keys";

/// The Secrets of the operator's own namespace, kept up to date.
#[derive(Clone)]
pub struct OwnSecrets {
    namespace: String,
    store: Store<Secret>,
    /// The invite signing keys; `None` until they have been read.
    pub keys: watch::Receiver<Option<Arc<KeyRing>>>,
}

/// Why keys could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the Secret {name} could not be made in namespace {namespace}: {source}")]
pub struct KeysError {
    name: String,
    namespace: String,
    source: Box<kube::Error>,
}

impl OwnSecrets {
    /// Waits until all Secrets of the namespace are known.
    ///
    /// # Errors
    /// When the watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }

    /// Whether there is a Secret of this name.
    #[must_use]
    pub fn exists(&self, secret: &str) -> bool {
        self.store.get(&ObjectRef::new(secret).within(&self.namespace)).is_some()
    }

    /// One value of one Secret.
    #[must_use]
    pub fn value(&self, secret: &str, key: &str) -> Option<String> {
        let secret = self.store.get(&ObjectRef::new(secret).within(&self.namespace))?;
        String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
    }
}

/// Watches the Secrets of the operator's own namespace. The stream must be polled; it yields after each change.
pub fn watch_own_secrets(client: Client, namespace: &str) -> (OwnSecrets, impl Stream<Item = ()> + Send + 'static) {
    let (store, writer) = reflector::store();
    let (publish, keys) = watch::channel(None);
    let secrets = OwnSecrets { namespace: namespace.to_owned(), store: store.clone(), keys };
    let keys_ref = ObjectRef::new(INVITE_KEYS_SECRET).within(namespace);
    let changes = super::watch(Api::namespaced(client, namespace), writer).map(move |_| {
        // Keys that vanish stay in force until the process ends: better old keys than no calls.
        if let Some(secret) = store.get(&keys_ref) {
            read_keys(&secret, &publish);
        }
    });
    (secrets, changes)
}

fn read_keys(secret: &Secret, publish: &watch::Sender<Option<Arc<KeyRing>>>) {
    let entries = secret.data.iter().flatten().map(|(name, value)| (name.as_str(), value.0.as_slice()));
    match KeyRing::from_entries(entries) {
        Ok(ring) => {
            let changed = |keys: &mut Option<Arc<KeyRing>>| {
                let same = keys.as_ref().is_some_and(|known| known.same_keys(&ring));
                if !same {
                    *keys = Some(Arc::new(ring));
                }
                !same
            };
            publish.send_if_modified(changed);
        }
        Err(error) => tracing::error!(secret = INVITE_KEYS_SECRET, %error, "the invite signing keys cannot be used"),
    }
}

/// Makes the Secret with a first signing key, if it is missing.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn ensure_invite_keys(client: Client, namespace: &str, now: Timestamp) -> Result<(), KeysError> {
    let (name, pem) = generate_key(&now.strftime("%Y%m%d%H%M%S").to_string());
    ensure(client, namespace, INVITE_KEYS_SECRET, BTreeMap::from([(name, pem)])).await
}

/// Makes the Secret `name` with the API key and secret of a LiveKit server that is installed along, if it is missing: for
/// Roomkeeper under `apiKey` and `apiSecret`, for LiveKit under `keys.yaml`, as its `--key-file` wants them.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn ensure_livekit_keys(client: Client, namespace: &str, name: &str) -> Result<(), KeysError> {
    let mut random = [0; 48];
    getrandom::fill(&mut random).map_err(|error| KeysError {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        source: Box::new(kube::Error::Service(Box::new(error))),
    })?;
    let (key, secret) = random.split_at(12);
    let (key, secret) = (format!("RK{}", URL_SAFE_NO_PAD.encode(key)), URL_SAFE_NO_PAD.encode(secret));
    let file = format!("\"{key}\": \"{secret}\"\n");
    let data = [("apiKey", key), ("apiSecret", secret), ("keys.yaml", file)];
    ensure(client, namespace, name, data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()).await
}

/// Makes a Secret, if it is missing.
async fn ensure(client: Client, namespace: &str, name: &str, data: BTreeMap<String, String>) -> Result<(), KeysError> {
    let labels = BTreeMap::from([("app.kubernetes.io/part-of".into(), MANAGER.into())]);
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name.into()), labels: Some(labels), ..ObjectMeta::default() },
        data: Some(data.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))).collect()),
        ..Secret::default()
    };
    match Api::<Secret>::namespaced(client, namespace).create(&PostParams::default(), &secret).await {
        Ok(_) => tracing::info!(namespace, secret = name, "made the keys that were missing"),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(KeysError { name: name.to_owned(), namespace: namespace.to_owned(), source: Box::new(error) }),
    }
    Ok(())
}
