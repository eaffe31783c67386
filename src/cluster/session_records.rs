//! What backends keep of their sessions, each in a ConfigMap of the operator's namespace. It is not part of the Room: what was made has to be put
//! away after the Room is gone, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};

use super::writes::post_params;
use crate::api::{MANAGER, Reason};
use crate::backend::{LedgerRecord, SessionLedger};
use crate::domain::Failure;

/// Marks the ConfigMaps that are records of sessions.
const LABEL: (&str, &str) = ("roomkeeper.io/record", "session");
/// Keys of such a ConfigMap.
const ENDPOINT: &str = "endpoint";
const RECORD: &str = "record";

/// The records of the sessions of all classes.
#[derive(Clone)]
pub struct SessionRecords {
    client: Client,
    namespace: String,
    is_writer: bool,
}

/// Those of one endpoint.
struct OfEndpoint {
    records: Api<ConfigMap>,
    endpoint: String,
    is_writer: bool,
}

impl SessionRecords {
    /// For the controller, which alone changes them.
    #[must_use]
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), is_writer: true }
    }

    /// For whoever only reads them, and leaves to the controller what is to be forgotten.
    #[must_use]
    pub fn read_only(client: Client, namespace: &str) -> Self {
        Self { is_writer: false, ..Self::new(client, namespace) }
    }

    /// The records of the sessions at an endpoint: a class whose endpoint is edited has none at the new one.
    #[must_use]
    pub fn at(&self, endpoint: &str) -> Arc<dyn SessionLedger> {
        let records = Api::namespaced(self.client.clone(), &self.namespace);
        Arc::new(OfEndpoint { records, endpoint: endpoint.to_owned(), is_writer: self.is_writer })
    }
}

impl OfEndpoint {
    /// What a ConfigMap keeps, if it is of this endpoint.
    fn record(&self, kept: ConfigMap) -> Option<LedgerRecord> {
        let mut data = kept.data?;
        let content = data.remove(RECORD)?;
        let version = kept.metadata.resource_version;
        (data.get(ENDPOINT) == Some(&self.endpoint)).then_some(LedgerRecord { content, version })
    }
}

#[async_trait]
impl SessionLedger for OfEndpoint {
    async fn get(&self, session: &str) -> Result<Option<LedgerRecord>, Failure> {
        let kept = self.records.get_opt(session).await.map_err(|error| failure_of(&error))?;
        Ok(kept.and_then(|kept| self.record(kept)))
    }

    async fn put(&self, session: &str, record: &LedgerRecord) -> Result<Option<String>, Failure> {
        if !self.is_writer {
            return Err(Failure::transient(Reason::NoSession, "the session is the controller's to make"));
        }
        let data = [(ENDPOINT, &self.endpoint), (RECORD, &record.content)].map(|(key, value)| (key.to_owned(), value.clone()));
        let labels = [LABEL, ("app.kubernetes.io/part-of", MANAGER)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(session.to_owned()),
                labels: Some(BTreeMap::from(labels)),
                resource_version: record.version.clone(),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from(data)),
            ..ConfigMap::default()
        };
        let written = match record.version {
            Some(_) => self.records.replace(session, &post_params(), &map).await,
            None => self.records.create(&post_params(), &map).await,
        };
        Ok(written.map_err(|error| failure_of(&error))?.metadata.resource_version)
    }

    async fn delete(&self, session: &str) -> Result<(), Failure> {
        if !self.is_writer {
            return Ok(());
        }
        match self.records.delete(session, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            answer => answer.map(drop).map_err(|error| failure_of(&error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, LedgerRecord)>, Failure> {
        let (key, value) = LABEL;
        // From the cache of the API server, as a watch would have it.
        let params = ListParams::default().labels(&format!("{key}={value}")).match_any();
        let all = self.records.list(&params).await.map_err(|error| failure_of(&error))?;
        let named = all.items.into_iter().filter_map(|mut kept| Some((kept.metadata.name.take()?, self.record(kept)?)));
        Ok(named.filter(|(session, _)| session.starts_with(prefix)).collect())
    }
}

fn failure_of(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => Failure::misconfigured(
            Reason::Refused,
            "Roomkeeper may not keep ConfigMaps in its own namespace, where the ids of sessions are noted; set azureCommunicationServices.enabled in the values of its chart",
        ),
        _ => Failure::transient(Reason::ApiServerUnavailable, "what is kept of the session could not be read or written"),
    }
}
