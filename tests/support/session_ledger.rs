//! A ledger of sessions in memory, which outlives the backends that write to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use roomkeeper::api::Reason;
use roomkeeper::backend::{LedgerRecord, SessionLedger};
use roomkeeper::domain::Failure;

/// The records by session, each with the number of its state.
#[derive(Clone, Default)]
pub struct MemoryLedger {
    records: Arc<Mutex<BTreeMap<String, (u64, String)>>>,
    is_read_only: bool,
}

impl MemoryLedger {
    /// The sessions that are kept.
    pub fn sessions(&self) -> Vec<String> {
        self.records.lock().keys().cloned().collect()
    }

    /// The same records, as a gateway has them.
    pub fn read_only(&self) -> Self {
        Self { is_read_only: true, ..self.clone() }
    }
}

fn record((version, content): &(u64, String)) -> LedgerRecord {
    LedgerRecord { content: content.clone(), version: Some(version.to_string()) }
}

#[async_trait]
impl SessionLedger for MemoryLedger {
    async fn get(&self, session: &str) -> Result<Option<LedgerRecord>, Failure> {
        Ok(self.records.lock().get(session).map(record))
    }

    async fn put(&self, session: &str, new: &LedgerRecord) -> Result<Option<String>, Failure> {
        if self.is_read_only {
            return Err(Failure::transient(Reason::NoSession, "the session is the controller's to make"));
        }
        let mut kept = self.records.lock();
        let known = kept.get(session).map(|(version, _)| *version);
        if known.map(|version| version.to_string()) != new.version {
            return Err(Failure::transient(Reason::ApiServerUnavailable, "another state is kept by now"));
        }
        let version = known.unwrap_or_default() + 1;
        kept.insert(session.to_owned(), (version, new.content.clone()));
        Ok(Some(version.to_string()))
    }

    async fn delete(&self, session: &str) -> Result<(), Failure> {
        if !self.is_read_only {
            self.records.lock().remove(session);
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, LedgerRecord)>, Failure> {
        let kept = self.records.lock();
        Ok(kept
            .iter()
            .filter(|(session, _)| session.starts_with(prefix))
            .map(|(session, state)| (session.clone(), record(state)))
            .collect())
    }
}
