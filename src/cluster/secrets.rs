//! The Secrets in the operator's namespace: invite signing keys, and credentials of media servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Api, Client};
use tokio::sync::watch;

use super::signing_keys::{INVITE_KEYS_SECRET, SigningKeys};
use super::writes::post_params;
use crate::api::MANAGER;
use crate::domain::{KeyRing, generate_key};
use crate::observability::metrics::Metrics;

/// Not what Helm keeps of its releases: that is large, and nobody here reads it.
const NO_RELEASES: &str = "type!=helm.sh/release.v1";

/// The Secrets of the operator's namespace, as a watch keeps them.
#[derive(Clone)]
pub struct OwnSecrets {
    namespace: String,
    store: Store<Secret>,
    /// The invite signing keys; `None` until they have been read, and while there are none.
    pub keys: watch::Receiver<Option<Arc<KeyRing>>>,
}

/// Why a Secret with keys could not be created.
#[derive(Debug, thiserror::Error)]
#[error("the Secret {name} could not be made in namespace {namespace}: {source}")]
pub struct KeysError {
    name: String,
    namespace: String,
    source: Box<kube::Error>,
}

impl OwnSecrets {
    /// Waits until the watch has listed all Secrets.
    ///
    /// # Errors
    /// When the watch ended before that.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }

    #[must_use]
    pub fn exists(&self, secret: &str) -> bool {
        self.store.get(&ObjectRef::new(secret).within(&self.namespace)).is_some()
    }

    /// The value of a key, if it is there and is text.
    #[must_use]
    pub fn value(&self, secret: &str, key: &str) -> Option<String> {
        let secret = self.store.get(&ObjectRef::new(secret).within(&self.namespace))?;
        String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
    }
}

/// Watches the Secrets of the operator's namespace. The store fills only while the stream is polled; it yields after each change.
pub fn watch_own_secrets(client: Client, namespace: &str, metrics: Metrics) -> (OwnSecrets, impl Stream<Item = ()> + Send + 'static) {
    let (store, writer) = reflector::store();
    let (publish, keys) = watch::channel(None);
    let secrets = OwnSecrets { namespace: namespace.to_owned(), store: store.clone(), keys };
    let mut signing_keys = SigningKeys::new(publish, metrics);
    let keys_ref = ObjectRef::new(INVITE_KEYS_SECRET).within(namespace);
    let changes = super::watch(Api::namespaced(client, namespace), NO_RELEASES, writer).map(move |_| {
        signing_keys.follow(store.get(&keys_ref).as_deref());
    });
    (secrets, changes)
}

/// Creates the Secret with a first signing key, if it is missing.
///
/// # Errors
/// When the API server refuses, or cannot be reached.
pub async fn ensure_invite_keys(client: Client, namespace: &str, now: Timestamp) -> Result<(), KeysError> {
    let (name, pem) = generate_key(&now.strftime("%Y%m%d%H%M%S").to_string());
    ensure(client, namespace, INVITE_KEYS_SECRET, BTreeMap::from([(name, pem)])).await
}

/// Creates the Secret `name` with the API key and secret of the chart's own LiveKit server, if it is missing. Roomkeeper reads them under
/// `apiKey` and `apiSecret`, LiveKit under `keys.yaml` by its `--key-file`.
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

/// Creates a Secret, if it is missing.
async fn ensure(client: Client, namespace: &str, name: &str, data: BTreeMap<String, String>) -> Result<(), KeysError> {
    let labels = BTreeMap::from([("app.kubernetes.io/part-of".into(), MANAGER.into())]);
    let secret = Secret {
        metadata: ObjectMeta { name: Some(name.into()), labels: Some(labels), ..ObjectMeta::default() },
        data: Some(data.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))).collect()),
        ..Secret::default()
    };
    match Api::<Secret>::namespaced(client, namespace).create(&post_params(), &secret).await {
        Ok(_) => tracing::info!(namespace, secret = name, "made the keys that were missing"),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => return Err(KeysError { name: name.to_owned(), namespace: namespace.to_owned(), source: Box::new(error) }),
    }
    Ok(())
}
